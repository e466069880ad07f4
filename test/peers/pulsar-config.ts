import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Keys and values of app.yml. */
export type AppOptions = Readonly<Record<string, unknown>>

export interface NodeOptions {
  /** Configuration and all that the server writes; made when missing. */
  readonly directory: string
  readonly app?: AppOptions
  readonly env?: Readonly<Record<string, string | undefined>>
}

/**
 * Writes app.yml and server.ini of a node in `directory`, the same for either server: staging, persistence and, when
 * asked for, the file cache are below it.
 */
export async function writeNodeConfig(options: NodeOptions, port: number): Promise<void> {
  const { directory, app = {} } = options
  const config = {
    staging_directory: join(directory, 'staging'),
    persistence_directory: join(directory, 'persisted_data'),
    // As pulsar-config writes them: nothing is downloaded by starting.
    conda_auto_init: false,
    conda_auto_install: false,
    ...app,
  }
  await mkdir(directory, { recursive: true })
  // The Python server refuses to start when its cache directory is missing.
  if (typeof app.file_cache_dir === 'string') await mkdir(app.file_cache_dir, { recursive: true })
  // JSON is YAML.
  await writeFile(join(directory, 'app.yml'), `${JSON.stringify(config, null, 2)}\n`)
  const ini = [
    '[server:main]',
    'host = 127.0.0.1',
    `port = ${port}`,
    '[app:main]',
    'app_config = %(here)s/app.yml',
    '',
  ]
  await writeFile(join(directory, 'server.ini'), ini.join('\n'))
}
