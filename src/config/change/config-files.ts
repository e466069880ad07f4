import { dirname, join, resolve } from 'node:path'
import { parseIni, readIniSection } from '../ini.js'
import type { LoadOptions } from '../load.js'
import { createProblems } from '../problems.js'
import { readConfigFile } from '../read-file.js'

/** The files that the options of a node stand in. */
export interface ConfigFiles {
  readonly ini: ConfigFile
  readonly app: ConfigFile
}

export interface ConfigFile {
  readonly path: string
  /** undefined: there is none. */
  readonly text: string | undefined
  /** What the server reads because there is none. */
  readonly sample: string | undefined
}

/**
 * Finds server.ini and the app.yml that it names (sources.ts reads them by the same rules).
 * @throws ConfigError when one of them cannot be read, or server.ini is wrong
 */
export async function locateConfigFiles(options: LoadOptions): Promise<ConfigFiles> {
  const ini = await readWithSample(join(options.configDirectory, 'server.ini'), options.signal)
  const named = ini.text ?? (ini.sample && (await readConfigFile({ path: ini.sample }, options.signal)))
  const app = resolve(options.configDirectory, appPath(named, ini.path, options.app) ?? 'app.yml')
  return { ini, app: await readWithSample(app, options.signal) }
}

function appPath(text: string | undefined, file: string, app = 'main'): string | undefined {
  const problems = createProblems()
  const ini = parseIni(text ?? '', file, problems)
  const variables = { here: dirname(file), __file__: file }
  const named = readIniSection(ini, `app:${app}`, variables, problems)?.get('app_config')?.text
  problems.throwIfAny()
  return named
}

async function readWithSample(path: string, signal: AbortSignal | undefined): Promise<ConfigFile> {
  const text = await readConfigFile({ path }, signal)
  if (text !== undefined) return { path, text, sample: undefined }
  const sample = `${path}.sample`
  const sampleText = await readConfigFile({ path: sample }, signal)
  return { path, text, sample: sampleText === undefined ? undefined : sample }
}
