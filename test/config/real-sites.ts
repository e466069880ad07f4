import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SAMPLES = fileURLToPath(new URL('fixtures/samples/', import.meta.url))

export interface Site {
  readonly name: string
  /** Path below a directory of the test -> content, in which absolute paths begin with `ROOT`. The configuration is in etc/. */
  readonly files: Readonly<Record<string, string>>
}

/** The configurations of real sites, with all that is beside them, so that a server can be started without touching /srv or /data. */
export async function readSites(): Promise<Site[]> {
  const names = (await readdir(SAMPLES)).sort()
  const read = async (name: string): Promise<string> =>
    (await readFile(join(SAMPLES, name), 'utf8')).replaceAll(/^(\s*[\w ]+:\s*['"]?)\//gm, '$1ROOT/')
  return Promise.all(
    names
      .filter((name) => name.endsWith('.app.yml'))
      .map(async (name) => {
        const site = name.replace('.app.yml', '')
        const files: Record<string, string> = {}
        for (const each of names.filter((other) => other.startsWith(`${site}.`))) {
          const base = each.slice(site.length + 1)
          files[`etc/${base}`] = await read(each)
          // eu-de03 names it there.
          if (base === 'job_metrics_conf.xml') files[`opt/pulsar/config/${base}`] = await read(each)
        }
        return { name: site, files }
      }),
  )
}
