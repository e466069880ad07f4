import { readFile } from 'node:fs/promises'
import { controlSupervisor } from '../services/control-supervisor.js'
import { controlSystemd } from '../services/control-systemd.js'
import { runService, wordsOf } from '../services/run-service.js'
import type { ServiceControl } from '../services/service-control.js'
import { serviceFailed } from '../services/service-failed.js'
import { programStatus, supervisorctl } from '../services/supervisor.js'
import { unitStatus } from '../services/systemd.js'
import type { Facts } from '../types.js'
import type { AdoptionRecord } from './record.js'

/** The service that is given another command. Every call throws MagnetarError SERVICE_FAILED when its manager does not do it. */
export interface ServiceHandle {
  readonly control: ServiceControl
  /** Has the manager take note of a changed file; a server that runs is not touched. */
  load(signal: AbortSignal): Promise<void>
  /** Has the manager run, from the next start, what the file says now. It may start it at once: stop it where that is not wanted. */
  reread(signal: AbortSignal): Promise<void>
  /** Runs it as its file says now. */
  start(signal: AbortSignal): Promise<void>
  /** Of the server; undefined: it does not run. */
  pid(signal: AbortSignal): Promise<number | undefined>
}

const UPDATE_TIMEOUT_MS = 60_000

export function handleService(
  { kind, name }: AdoptionRecord['service'],
  { supervisor }: Pick<Facts, 'supervisor'>,
): ServiceHandle {
  // The server's own log is not looked for: where it is depends on the configuration.
  const paths = { serviceName: name, serverLog: '' }
  if (kind === 'systemd') {
    const control = controlSystemd(paths)
    return {
      control,
      load: (signal) => run(control, ['systemctl', 'daemon-reload'], signal),
      reread: (signal) => run(control, ['systemctl', 'daemon-reload'], signal),
      start: (signal) => control.start(signal),
      pid: async (signal) => (await unitStatus(name, signal)).pid || undefined,
    }
  }
  const control = controlSupervisor(paths, supervisor)
  const argv = (...words: string[]): readonly string[] =>
    supervisor ? supervisorctl(supervisor, ...words) : ['false']
  return {
    control,
    load: async () => {},
    reread: (signal) => run(control, argv('update', name), signal),
    async start(signal) {
      // It takes note of the changed file, and starts the program unless that has autostart=false.
      await run(control, argv('update', name), signal)
      await control.start(signal)
    },
    pid: async (signal) => (supervisor ? (await programStatus(supervisor, name, signal))?.pid : undefined),
  }
}

async function run(control: ServiceControl, argv: readonly string[], signal: AbortSignal): Promise<void> {
  const result = await runService(argv, signal, UPDATE_TIMEOUT_MS)
  if (result.code === 0 && !/^\S*\s?ERROR/m.test(result.stdout)) return
  throw await serviceFailed(control, `${argv.join(' ')}: ${wordsOf(result)}`, signal)
}

/** Whether a process is a server of the program in this prefix. */
export async function isOfPrefix(pid: number, prefix: string): Promise<boolean> {
  const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return argv.split('\0').some((word) => word.startsWith(`${prefix}/`))
}
