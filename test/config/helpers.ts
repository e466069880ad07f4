import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ConfigError, type LoadOptions, loadConfig } from '../../src/config/load.js'
import type { ManagerConfig, NodeConfig } from '../../src/config/types.js'
import { tempDirectory } from '../helpers/temp-directory.js'

/** A configuration directory with these files, removed after the test. */
export async function makeConfigDirectory(files: Record<string, string>): Promise<string> {
  const directory = await tempDirectory()
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true })
    await writeFile(join(directory, name), content)
  }
  return directory
}

/** Loads a directory with these files; `cwd` is /work-dir unless told otherwise, and the environment is empty. */
export async function load(
  files: Record<string, string>,
  options: Partial<LoadOptions> = {},
): Promise<NodeConfig> {
  const configDirectory = await makeConfigDirectory(files)
  return loadConfig({ configDirectory, env: {}, cwd: '/work-dir', ...options })
}

export function loadApp(app: string, options: Partial<LoadOptions> = {}): Promise<NodeConfig> {
  return load({ 'app.yml': app }, options)
}

/** The only manager of an app.yml. */
export async function loadManager(app: string, options: Partial<LoadOptions> = {}): Promise<ManagerConfig> {
  const { managers } = await loadApp(app, options)
  const [manager, ...others] = managers
  if (!manager || others.length > 0) throw new Error(`expected one manager, found ${managers.length}`)
  return manager
}

/** What is wrong with it; fails when nothing is. */
export async function issuesOf(loading: Promise<unknown>): Promise<ConfigError> {
  try {
    await loading
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('expected a ConfigError')
}
