/** From the directory that was given to the installation that is meant: it may be one inside of it or above it, or a link to it. */
import { realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, resolve } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import { quoteForShell } from '../../lib/shell.js'
import type { PulsarCommand } from './pulsar-command.js'
import { findPythonInstallation, isBelow, isWhole, type PythonInstallation } from './python-installation.js'

/** Where many things are: Magnetar is not put into one of these, and nothing is searched for below. */
const SHARED: readonly string[] = [
  '/',
  ...['/bin', '/boot', '/dev', '/etc', '/home', '/lib', '/lib64', '/media', '/mnt', '/opt', '/proc', '/root'],
  ...[
    '/run',
    '/sbin',
    '/srv',
    '/sys',
    '/tmp',
    '/usr',
    '/usr/bin',
    '/usr/lib',
    '/usr/local',
    '/usr/local/bin',
  ],
  ...['/usr/sbin', '/usr/share', '/var', '/var/lib', '/var/log', '/var/run', '/var/spool', '/var/tmp'],
  ...['/etc/supervisor', '/etc/systemd', '/etc/systemd/system'],
]

/**
 * The installation of the directory; else the only one below it that a service runs; else the one that it is inside of.
 * @param pulsars what services run
 * @throws MagnetarError ADOPT_NOT_FOUND where that is none, or may be several: with the directories that can be named
 */
export async function locateInstallation(
  given: string,
  pulsars: readonly Pick<PulsarCommand, 'configDirectory'>[],
  home = homedir(),
): Promise<PythonInstallation> {
  const path = resolve(given)
  const found = await stat(path).catch(() => undefined)
  const roots = rootsOf(pulsars)
  if (found === undefined) throw notFound(`there is no ${path}, or you may not look into it`, roots)
  const directory = found.isDirectory() ? path : dirname(path)
  const real = await realpath(directory)
  const isShared = (each: string): boolean => SHARED.includes(each)
  if (isShared(directory) || isShared(real))
    throw notFound(`${directory} is no directory of a Pulsar's own`, roots)
  const own = await findPythonInstallation(directory)
  const below = await within(roots, real)
  // A home may hold one, or be one.
  if (isWhole(own)) {
    // By a link: the names that the service uses count.
    const [linked, ...others] = await linkedTo(roots, directory, real)
    return linked !== undefined && others.length === 0
      ? findPythonInstallation(linked)
      : inside(own, isShared)
  }
  if ([directory, real].includes(home))
    throw notFound(`${directory} is a home directory, and no Pulsar`, below)
  const [root, ...more] = below
  if (root !== undefined && more.length === 0) return findPythonInstallation(root)
  if (root !== undefined) throw notFound(`below ${directory} there are several Pulsars`, below)
  for (let at = dirname(directory); !isShared(at) && at !== home; at = dirname(at)) {
    const outer = await findPythonInstallation(at)
    if (isWhole(outer)) return inside(outer, isShared)
  }
  return own
}

/** A virtualenv in an installation is not where Magnetar goes: who removes it takes that for the Python Pulsar's alone. */
async function inside(
  found: PythonInstallation,
  isShared: (directory: string) => boolean,
): Promise<PythonInstallation> {
  const parent = dirname(found.directory)
  if (found.configDirectories.length > 0 || isShared(parent)) return found
  const outer = await findPythonInstallation(parent)
  return outer.configDirectories.length > 0 ? outer : found
}

/** The directories of what services run, as these name them. */
function rootsOf(pulsars: readonly Pick<PulsarCommand, 'configDirectory'>[]): string[] {
  const roots = pulsars.map(({ configDirectory }) => {
    const parent = dirname(configDirectory)
    const isPart = /^(etc|config|conf)$/.test(basename(configDirectory)) && !SHARED.includes(parent)
    return isPart ? parent : configDirectory
  })
  return [...new Set(roots)].sort()
}

/** Those which the directory holds, or is in, by other names alone. */
async function linkedTo(roots: readonly string[], directory: string, real: string): Promise<string[]> {
  const touch = (a: string, b: string): boolean => isBelow(a, b) || isBelow(b, a)
  const places = await Promise.all(roots.map((root) => realpath(root).catch(() => root)))
  return roots.some((root) => touch(root, directory))
    ? []
    : roots.filter((_, at) => touch(places[at] ?? '', real))
}

async function within(roots: readonly string[], directory: string): Promise<string[]> {
  const real = await Promise.all(roots.map((root) => realpath(root).catch(() => root)))
  return roots.filter((_, at) => isBelow(real[at] ?? '', directory))
}

function notFound(message: string, roots: readonly string[]): MagnetarError {
  return new MagnetarError('ADOPT_NOT_FOUND', message, { fix: adviseRoots(roots) })
}

/** What to name instead, by what services run. */
export function adviseOthers(pulsars: readonly Pick<PulsarCommand, 'configDirectory'>[]): string {
  return adviseRoots(rootsOf(pulsars))
}

function adviseRoots(roots: readonly string[]): string {
  const commands = roots.map((root) => `\n  magnetar adopt ${quoteForShell(root)}`)
  return commands.length === 0
    ? 'Name the directory of the installation, or the one with app.yml. No service that can be seen from here runs a Python Pulsar.'
    : `Name the directory of the installation. What services run:${commands.join('')}`
}
