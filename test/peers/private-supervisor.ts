import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand } from '../../src/lib/exec.js'
import type { SupervisorFacts } from '../../src/setup/types.js'
import { waitFor } from '../helpers/wait-for.js'
import { loadSupervisorctl } from './loaded-supervisorctl.js'

export interface PrivateSupervisor {
  readonly facts: SupervisorFacts
  /** Runs supervisorctl and returns what it printed, whatever its exit code. */
  ctl(...args: string[]): Promise<string>
  /** Ends it and all that it runs. */
  stop(): Promise<void>
}

/** Why there can be no Supervisor of one's own here, as a sentence for `needs`; undefined: there can. */
export async function missingSupervisor(): Promise<string | undefined> {
  const found = await runCommand('supervisord', ['--version'], { timeoutMs: 20_000 }).catch(() => undefined)
  return found?.code === 0 ? undefined : 'no supervisord on this machine; run "npm run peers" as root'
}

/** A supervisord with all that is its own in `directory` (short path: its socket is there), as the current user. */
export async function startPrivateSupervisor(directory: string): Promise<PrivateSupervisor> {
  const programsDirectory = join(directory, 'conf.d')
  const configFile = join(directory, 'supervisord.conf')
  const socket = join(directory, 's.sock')
  await mkdir(programsDirectory, { recursive: true })
  await writeFile(
    configFile,
    `[unix_http_server]
file = ${socket}
chmod = 0700
[supervisord]
logfile = ${directory}/supervisord.log
pidfile = ${directory}/supervisord.pid
childlogdir = ${directory}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://${socket}
[include]
files = conf.d/*.conf
`,
  )
  const bin = join(directory, 'bin')
  await mkdir(bin)
  const unload = await loadSupervisorctl({
    file: join(bin, 'supervisorctl'),
    socket: join(directory, 'forks'),
  })
  const path = process.env.PATH ?? ''
  process.env.PATH = `${bin}:${path}`
  const started = await runCommand('supervisord', ['-c', configFile], { timeoutMs: 20_000 })
  if (started.code !== 0) throw new Error(`supervisord: ${started.stdout}${started.stderr}`)
  const ctl = async (...args: string[]): Promise<string> =>
    (await runCommand('supervisorctl', ['-c', configFile, ...args], { timeoutMs: 30_000 })).stdout
  const pid = Number(
    await waitFor(async () => /^\d+$/.exec((await ctl('pid')).trim())?.[0], { what: 'supervisord' }),
  )
  return {
    facts: { version: '4.2.5', running: true, configFile, programsDirectory, extension: '.conf' },
    ctl,
    async stop() {
      await ctl('shutdown')
      process.env.PATH = path
      unload()
      await waitFor(
        () =>
          readFile(`/proc/${pid}/stat`).then(
            () => false,
            () => true,
          ),
        {
          what: 'end of supervisord',
          timeoutMs: 30_000,
        },
      )
    },
  }
}
