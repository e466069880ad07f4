import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { cpus, hostname, userInfo } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { runCommand } from '../../src/lib/exec.js'
import { hasEnvironment, readProcess, readProcesses } from '../../src/schedulers/process-table.js'
import { freePort } from '../helpers/free-port.js'
import { waitFor } from '../helpers/wait-for.js'
import type { PrivateRoot } from './private-root.js'
import { type SlurmConfSettings, slurmConf } from './slurm-conf.js'

export type Daemon = 'munged' | 'slurmctld' | 'slurmd'

export type PrivateSlurmSettings = Pick<SlurmConfSettings, 'minJobAge' | 'keepsLog'>

export interface PrivateSlurm {
  /** For whoever runs Slurm's commands: SLURM_CONF, and a PATH with the daemons' directory. */
  readonly env: { readonly SLURM_CONF: string; readonly PATH: string }
  readonly nodeName: string
  /** Runs one of Slurm's commands on it. @throws Error when it fails */
  run(command: string, ...args: string[]): Promise<string>
  /** `STOP` freezes the controller (it hangs), `TERM` ends it (it saves its state). */
  signalController(signal: 'STOP' | 'CONT' | 'TERM'): Promise<void>
  startController(): Promise<void>
  /** Signals a daemon. `TERM` and `KILL`: resolves when it is gone, also when it was. */
  signal(daemon: Daemon, signal: 'STOP' | 'CONT' | 'TERM' | 'KILL'): Promise<void>
  /** Starts a daemon unless it runs. It may take a moment to answer. */
  start(daemon: Daemon): Promise<void>
  /** Resolves when a node takes jobs. */
  ready(): Promise<void>
  stop(): Promise<void>
}

/**
 * A Slurm of one node, all of it in `directory` (short path, sockets have 108 bytes): own configuration, munge key and
 * socket, state, free ports on loopback; its daemons run as the current user. Another Slurm of the machine is not touched.
 * With `root` it runs in there, and `directory` is a path in there.
 */
export async function startPrivateSlurm(
  directory: string,
  root?: PrivateRoot,
  more: PrivateSlurmSettings = {},
): Promise<PrivateSlurm> {
  /** The path as it is seen from here. */
  const outside = (path: string): string => `${root?.path ?? ''}${path}`
  const munge = join(directory, 'munge')
  for (const name of ['munge', 'state', 'spool', 'run'])
    await mkdir(outside(join(directory, name)), { recursive: true })
  // munge refuses a socket below a directory that others cannot enter.
  await Promise.all([directory, munge].map((path) => chmod(outside(path), 0o755)))
  await writeFile(outside(join(munge, 'key')), randomBytes(128), { mode: 0o600 })
  const nodeName = hostname().split('.')[0] ?? 'localhost'
  const conf = join(directory, 'slurm.conf')
  const [controllerPort, nodePort] = [await freePort(), await freePort()]
  const settings = {
    directory,
    nodeName,
    user: userInfo().username,
    cpus: cpus().length,
    controllerPort,
    nodePort,
    ...more,
  }
  await writeFile(outside(conf), slurmConf(settings))
  const env = { SLURM_CONF: conf, PATH: `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin` }

  async function run(command: string, ...args: string[]): Promise<string> {
    const argv = ['env', '-C', directory, command, ...args]
    const [program = '', ...words] = root ? root.enter(argv) : argv
    const result = await runCommand(program, words, { timeoutMs: 30_000, env: { ...process.env, ...env } })
    if (result.code === 0) return result.stdout
    throw new Error(
      `${command} ${args.join(' ')}: ${result.stderr || result.stdout}\n${await logs(outside(directory))}`,
    )
  }
  const pidFiles = { munged: 'munge/pid', slurmctld: 'run/slurmctld.pid', slurmd: 'run/slurmd.pid' }
  async function pidOf(daemon: Daemon): Promise<number | undefined> {
    const text = await readFile(outside(join(directory, pidFiles[daemon])), 'utf8').catch(() => '')
    const pid = Number(text)
    // A pid file that was left behind may name another program by now.
    const program = pid && readProcess(pid) ? await readlink(`/proc/${pid}/exe`).catch(() => '') : ''
    // Debian's are called slurmctld-wlm.
    return basename(program).replace(/-wlm$/, '') === daemon ? pid : undefined
  }
  const controllerPid = async (): Promise<number> =>
    Number(await readFile(outside(join(directory, 'run', 'slurmctld.pid')), 'utf8'))
  const ready = () =>
    waitFor(async () => /idle|mixed|allocated/.test(await run('sinfo', '-h', '-o', '%T').catch(() => '')), {
      what: 'Slurm node that is ready',
      timeoutMs: 30_000,
    })

  const slurm: PrivateSlurm = {
    env,
    nodeName,
    run,
    async signalController(signal) {
      const pid = await controllerPid()
      process.kill(pid, `SIG${signal}`)
      if (signal === 'TERM') await waitFor(() => readProcess(pid) === undefined, { what: 'end of slurmctld' })
    },
    async startController() {
      await run('slurmctld')
      await ready()
    },
    async signal(daemon, signal) {
      const pid = await pidOf(daemon)
      if (pid === undefined) return
      process.kill(pid, `SIG${signal}`)
      if (signal === 'STOP' || signal === 'CONT') return
      await waitFor(() => readProcess(pid) === undefined, { what: `end of ${daemon}`, timeoutMs: 30_000 })
    },
    async start(daemon) {
      if ((await pidOf(daemon)) !== undefined) return
      if (daemon === 'munged') await startMunge()
      else await run(daemon)
    },
    ready: async () => void (await ready()),
    async stop() {
      await slurm.signalController('CONT').catch(() => {})
      await run('scancel', '-u', settings.user).catch(() => {})
      for (const file of ['run/slurmd.pid', 'run/slurmctld.pid', 'munge/pid'])
        await end(outside(join(directory, file)))
      // Step daemons, and processes of jobs that Slurm has lost sight of: their environment tells whose they are.
      for (const { pid } of readProcesses()) {
        if (hasEnvironment(pid, `SLURM_CONF=${conf}`)) process.kill(pid, 'SIGKILL')
      }
    },
  }
  async function startMunge(): Promise<void> {
    const files = {
      'key-file': 'key',
      socket: 's',
      'pid-file': 'pid',
      'log-file': 'log',
      'seed-file': 'seed',
    }
    await run('munged', ...Object.entries(files).map(([option, name]) => `--${option}=${join(munge, name)}`))
    await waitFor(() => existsSync(outside(join(munge, 's'))), { what: 'munge socket' })
  }
  try {
    await startMunge()
    await run('slurmctld')
    await run('slurmd')
    await ready()
  } catch (error) {
    await slurm.stop()
    throw error
  }
  return slurm
}

/** Ends the daemon of a pid file and waits until it is gone. */
async function end(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''))
  if (!pid) return
  try {
    process.kill(pid, 'SIGTERM')
    await waitFor(() => readProcess(pid) === undefined, { what: `end of ${pidFile}`, timeoutMs: 5000 })
  } catch {
    if (readProcess(pid)) process.kill(pid, 'SIGKILL')
  }
}

async function logs(directory: string): Promise<string> {
  const names = ['slurmctld.log', 'slurmd.log', 'munge/log']
  const texts = await Promise.all(
    names.map((name) => readFile(join(directory, name), 'utf8').catch(() => '')),
  )
  return texts.map((text, at) => `${names[at]}: ${text.slice(-1500)}`).join('\n')
}
