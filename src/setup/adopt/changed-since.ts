/** Whether a Python Pulsar that runs was started with the files that are there now: what it keeps its jobs by, it read then. */
import { readFile, stat } from 'node:fs/promises'
import { findConfigFiles } from './config-files.js'
import type { Demands } from './demands.js'
import type { PulsarService } from './find-service.js'
import { findPythonServers, readStart } from './python-servers.js'

/** The start of a process is known to a second, and a start takes a moment. */
const GRACE_MS = 2000
/** Of the times in /proc/PID/stat, on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100

/**
 * Refuses, but for --force, files that were changed while the server ran: they may name other directories and managers than those in
 * which its jobs are, and nobody can ask it.
 * @param pid what runs, of the service; undefined: it does not run
 */
export async function demandsOfChangedFiles(
  service: PulsarService,
  pid: number | undefined,
  signal: AbortSignal,
): Promise<Demands> {
  const nothing: Demands = { obstacles: [], losses: [], notes: [] }
  if (pid === undefined) return nothing
  const startedMs = await startOf(pid, service.pulsar.configDirectory)
  if (startedMs === undefined) return nothing
  const files = await findConfigFiles(service, signal)
  const changed = await Promise.all(
    files.map(async (file) => {
      const changedMs = await changeOf(file)
      return changedMs > startedMs + GRACE_MS ? [`${file} was changed at ${localTime(changedMs)}`] : []
    }),
  )
  const texts = changed.flat()
  if (texts.length === 0) return nothing
  return {
    ...nothing,
    losses: [
      `${texts.join(', ')}: after the Python Pulsar was started, at ${localTime(startedMs)}. Its jobs may be in directories, or belong to managers, that the file names no more; they would be lost. Restart the Python Pulsar once with these files, best while no job runs, see that it knows its jobs, and run the command again. Or, when neither directories nor managers were changed: --force`,
    ],
  }
}

/** The oldest of its processes: the launcher, which may be another one than the service's after an odd stop. */
async function startOf(pid: number, configDirectory: string): Promise<number | undefined> {
  const servers = await findPythonServers({ configDirectories: [configDirectory] })
  const ticks = [await readStart(pid), ...servers.map(({ startedTicks }) => startedTicks)]
  const numbers = ticks.flatMap((text) => (text === undefined ? [] : [Number(text)]))
  const boot = /^btime (\d+)$/m.exec(await readFile('/proc/stat', 'utf8').catch(() => ''))?.[1]
  if (numbers.length === 0 || boot === undefined) return undefined
  return (Number(boot) + Math.min(...numbers) / TICKS_PER_SECOND) * 1000
}

/** A file that was moved into its place has the time of its text, and its own change is newer. */
async function changeOf(file: string): Promise<number> {
  const { mtimeMs, ctimeMs } = await stat(file)
  return Math.max(mtimeMs, ctimeMs)
}

/** "2026-03-01 14:05:09", as the machine's clock on the wall says. */
function localTime(ms: number): string {
  const at = new Date(ms)
  return new Date(ms - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace('T', ' ')
}
