import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve, sep } from 'node:path'

/** A Python Pulsar as its directory shows it. */
export interface PythonInstallation {
  /** As given, absolute. */
  readonly directory: string
  /** Directories with app.yml or server.ini: itself, etc, config, conf. */
  readonly configDirectories: readonly string[]
  /** With pulsar-app in it; undefined: it is elsewhere. */
  readonly virtualenv: string | undefined
  /** Of pulsar-app: "0.16.0". */
  readonly version: string | undefined
}

const CONFIG_NAMES = ['.', 'etc', 'config', 'conf']
const VIRTUALENV_NAMES = ['.', 'venv', '.venv', 'etc/.venv', 'config/.venv', '../venv']
const CONFIG_FILES = ['app.yml', 'server.ini', 'app.yaml', 'app.json']

/** Looks at a directory and the usual places below it. What cannot be read is not there. */
export async function findPythonInstallation(given: string): Promise<PythonInstallation> {
  const directory = resolve(given)
  const configs = await Promise.all(
    CONFIG_NAMES.map(async (name) => {
      const path = join(directory, name)
      const files = await Promise.all(CONFIG_FILES.map((file) => isThere(join(path, file))))
      return files.includes(true) ? [path] : []
    }),
  )
  const environments = await Promise.all(
    VIRTUALENV_NAMES.map(async (name) => {
      const path = join(directory, name)
      const version = await pulsarVersion(path)
      return version === undefined ? [] : [{ path, version }]
    }),
  )
  const [environment] = environments.flat()
  return {
    directory,
    configDirectories: configs.flat(),
    virtualenv: environment?.path,
    version: environment?.version,
  }
}

/** Whether it shows by itself that it is one: a virtualenv beside it may be that of another directory. */
export function isWhole({ directory, configDirectories, virtualenv }: PythonInstallation): boolean {
  return configDirectories.length > 0 || (virtualenv !== undefined && isBelow(virtualenv, directory))
}

/** Of the pulsar-app in a virtualenv; "" of one that does not tell; undefined: there is none. */
export async function pulsarVersion(virtualenv: string): Promise<string | undefined> {
  for (const python of await readdir(join(virtualenv, 'lib')).catch(() => [])) {
    if (!python.startsWith('python')) continue
    const names = await readdir(join(virtualenv, 'lib', python, 'site-packages')).catch(() => [])
    for (const name of names) {
      const version = /^pulsar_(?:app|galaxy_lib)-(.+?)(?:-py[\d.]+)?\.(?:dist|egg)-info$/.exec(name)?.[1]
      if (version !== undefined) return version
    }
  }
  // Installed editable, or by a packager.
  return (await isThere(join(virtualenv, 'bin', 'pulsar-main'))) ? '' : undefined
}

/** Where Magnetar goes: beside the Python programs, which stay for the way back. */
export function adoptedPrefix({ directory, configDirectories }: PythonInstallation): string {
  const isConfig = configDirectories.includes(directory) && CONFIG_NAMES.includes(basename(directory))
  return join(isConfig ? dirname(directory) : directory, 'magnetar')
}

export function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep)
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
