import { lstat, readFile, stat } from 'node:fs/promises'
import { loadConfig } from '../../config/load.js'
import { askSigns } from '../../control/client.js'
import { controlPlace } from '../../control/socket-path.js'
import { MagnetarError } from '../../lib/errors.js'
import type { NodePaths } from '../types.js'

/** USER_HZ: what /proc counts in, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
/** Of both clocks together. */
const PRECISION_MS = 50

export interface Unread {
  /** The file that makes a restart necessary. */
  readonly file: string | undefined
  /** A server that runs is not restarted into a configuration that it could not read: why. */
  readonly notes: readonly string[]
}

/** What the server of this pid, undefined where none runs, has not read of its files yet. */
export async function findUnread(
  paths: NodePaths,
  pid: number | undefined,
  signal: AbortSignal,
): Promise<Unread> {
  const file = pid ? await newerThanServer(paths, pid, signal) : undefined
  if (file === undefined) return { file, notes: [] }
  try {
    await loadConfig({ configDirectory: paths.etc, mode: 'uwsgi', env: {}, cwd: paths.etc, signal })
    return { file, notes: [] }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof MagnetarError)) throw error
    const note = `not restarted: ${file} was changed since the server started, and the configuration is wrong now: ${error.message}`
    return { file: undefined, notes: [note] }
  }
}

/**
 * The file that was changed after the server of this pid started, which it therefore has not read: by a setup that was killed before it
 * came to the restart, or by hand. undefined: there is none, or it cannot be told.
 */
export async function newerThanServer(
  paths: NodePaths,
  pid: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const startedMs = await startOf(pid)
  if (startedMs === undefined) return undefined
  // Tokens are taken up without a restart.
  const place = controlPlace({ persistenceDirectory: paths.active, stagingDirectory: paths.jobs })
  const { appReadAtMs = startedMs } = (await askSigns(place, pid, signal)) ?? {}
  // File times are finer than this clock.
  const nowMs = Date.now() + PRECISION_MS
  for (const path of [
    paths.appYml,
    paths.serverIni,
    paths.localEnv,
    paths.tlsPem,
    paths.resolvers,
    paths.current,
  ]) {
    // Of a link its own time and that of what it leads to.
    const found = await Promise.all([lstat(path), stat(path)]).catch(() => [])
    // What lies in the future would be newer for ever.
    const readMs = path === paths.appYml ? Math.max(startedMs, appReadAtMs) : startedMs
    if (found.some(({ mtimeMs }) => mtimeMs > readMs + PRECISION_MS && mtimeMs <= nowMs)) return path
  }
  return undefined
}

/** When a process was started, in ms since 1970. */
async function startOf(pid: number): Promise<number | undefined> {
  try {
    const [text, uptime] = await Promise.all(
      [`/proc/${pid}/stat`, '/proc/uptime'].map((file) => readFile(file, 'utf8')),
    )
    // The name stands in parentheses and may hold any character; the start is field 22.
    const ticks = Number(text?.slice(text.lastIndexOf(')') + 2).split(' ')[19])
    const ageSeconds = Number(uptime?.split(' ')[0]) - ticks / TICKS_PER_SECOND
    return Number.isFinite(ageSeconds) ? Date.now() - ageSeconds * 1000 : undefined
  } catch {
    return undefined
  }
}
