import { access, constants, open, stat } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { loadConfig } from '../../config/load.js'
import { lookUpGroupById, lookUpUser } from '../../lib/accounts.js'
import { errnoOf } from '../../lib/errors.js'
import { findExistingNode } from '../probes/existing-node.js'
import { isPortFree, nextFreePort } from '../probes/port.js'
import type { KnownUser, Machine } from './option.js'

/**
 * The machine as resolving answers asks about it. What it said about a user is kept: the wizard asks after every answer.
 * `MAGNETAR_PREFIX` is set by the launchers of an installed node.
 */
export function createMachine(env: NodeJS.ProcessEnv, signal: AbortSignal): Machine {
  const users = new Map<string, Promise<KnownUser | undefined>>()
  return {
    lookUpUser(name) {
      const asked = users.get(name) ?? findUser(name, signal)
      users.set(name, asked)
      return asked
    },
    isPortFree,
    nextFreePort,
    whyOccupied,
    whyNoDirectory,
    mayCreate,
    whyUnreadable,
    configuredPort: (prefix) => configuredPort(prefix, signal),
    addresses: Object.values(networkInterfaces()).flatMap((all) =>
      (all ?? []).filter(({ internal }) => !internal).map(({ address }) => address),
    ),
    ownPrefix: env.MAGNETAR_PREFIX || undefined,
  }
}

async function findUser(name: string, signal: AbortSignal): Promise<KnownUser | undefined> {
  const user = await lookUpUser(name, signal)
  if (!user) return undefined
  const group = await lookUpGroupById(user.gid, signal)
  // A group without a name: its number serves as one.
  return { name: user.name, group: group?.name ?? String(user.gid), home: user.home, shell: user.shell }
}

/** A configuration that is there already, from pulsar-config or by hand, is taken over; anything else is not ours to mix with. */
async function whyOccupied(prefix: string): Promise<string | undefined> {
  const found = await findExistingNode(prefix)
  if (found === 'python-pulsar')
    return `a Python Pulsar is installed in ${prefix}, which "magnetar adopt" runs with Magnetar`
  if (found !== 'other files') return undefined
  const there = await stat(prefix).catch(() => undefined)
  if (!there?.isDirectory()) return undefined
  const isConfigured = await isThere(join(prefix, 'etc', 'app.yml'))
  return isConfigured ? undefined : `${prefix} holds other files`
}

async function whyNoDirectory(prefix: string): Promise<string | undefined> {
  const there = await stat(prefix).catch(() => undefined)
  return there && !there.isDirectory() ? `${prefix} is no directory` : undefined
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function mayCreate(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK | constants.X_OK)
    return true
  } catch (error) {
    return errnoOf(error) === 'ENOENT' && dirname(path) !== path ? mayCreate(dirname(path)) : false
  }
}

async function whyUnreadable(file: string): Promise<string | undefined> {
  try {
    // Not access(2), which says yes of a directory; and without waiting for whoever writes into a pipe.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    const isDirectory = (await handle.stat()).isDirectory()
    await handle.close()
    return isDirectory ? 'it is a directory' : undefined
  } catch (error) {
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'there is no such file',
      ENOTDIR: 'there is no such file',
      EACCES: 'this user may not read it',
    }
    const errno = errnoOf(error) ?? ''
    return reasons[errno] ?? errno
  }
}

async function configuredPort(
  prefix: string,
  signal: AbortSignal,
): Promise<number | 'unreadable' | undefined> {
  const directory = join(prefix, 'etc')
  if (!(await isThere(join(directory, 'server.ini')))) return undefined
  try {
    const config = await loadConfig({
      configDirectory: directory,
      mode: 'uwsgi',
      env: {},
      cwd: directory,
      signal,
    })
    return config.server.port
  } catch {
    // The steps complain of it in more words.
    return 'unreadable'
  }
}
