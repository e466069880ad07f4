import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { readProcesses, workingDirectoryOf } from '../../src/schedulers/process-table.js'
import { contentOf } from '../helpers/job-files/content.js'
import type { JobFilesServer } from '../helpers/job-files-server.js'
import { createPulledJob, type PulledJob, wrongOutputs } from '../helpers/pulled-job.js'
import { createPulsarClient, type PulsarClient, type StatusDocument } from '../helpers/pulsar-client.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { waitFor } from '../helpers/wait-for.js'

/** Where a job of the crowd is held while servers come and go. */
export type Phase =
  | 'set up'
  | 'bringing in'
  | 'waiting'
  | 'running'
  | 'ending unseen'
  | 'delivering'
  | 'finished'
  | 'cancelled'
  | 'cancelled waiting'
  /** Running, and cancelled through the last server. */
  | 'cancelled at last'

/** 50 jobs. */
const SIZES: Readonly<Record<Phase, number>> = {
  'set up': 4,
  'bringing in': 8,
  waiting: 12,
  running: 6,
  'ending unseen': 4,
  delivering: 6,
  finished: 4,
  cancelled: 2,
  'cancelled waiting': 2,
  'cancelled at last': 2,
}

/** What a client is told of them meanwhile. */
const STATUS: Readonly<Record<Phase, string>> = {
  'set up': 'preprocessing',
  'bringing in': 'preprocessing',
  waiting: 'queued',
  running: 'running',
  'ending unseen': 'running',
  delivering: 'postprocessing',
  finished: 'complete',
  cancelled: 'cancelled',
  'cancelled waiting': 'cancelled',
  'cancelled at last': 'running',
}

/** The Python server asks Slurm for each job by itself, often three seconds long. */
const LONGEST_MS = 90_000

interface Member {
  readonly id: string
  readonly phase: Phase
  /** Where its queue stands still; the others' goes on. */
  readonly isHeld: boolean
  /** undefined: the client brings inputs and fetches outputs. */
  readonly pulled: PulledJob | undefined
  readonly commandLine: string
}

export interface CrowdPlace {
  readonly directory: string
  readonly galaxy: JobFilesServer
  /** Of the manager whose queue can stand still; with a slash at its end, "" for the default one. */
  readonly heldManager: string
  /** From now on nothing more is begun there. */
  holdQueue(): Promise<void>
}

/** The same jobs, seen through whichever server runs. */
export interface Crowd {
  /** Submits them and sees each come to its phase. */
  begin(server: ServerProcess): Promise<void>
  /** Another server has them: it tells of each job what the one before told, and goes on with their transfers. */
  expectHeld(server: ServerProcess): Promise<void>
  /** While no server runs: some of the jobs come to their ends, and transfers go on again. */
  endUnseen(): Promise<void>
  /**
   * Lets all go on, and counts: each has run once, ended right and left the right bytes.
   * @param endsByPidFile the server knows the process to cancel by J/pid alone, as the Python one does
   */
  expectAllRight(server: ServerProcess, endsByPidFile: boolean): Promise<void>
}

export function createCrowd({ directory, galaxy, heldManager, holdQueue }: CrowdPlace): Crowd {
  for (const name of ['runs', 'passed', 'gates']) mkdirSync(path.join(directory, name))
  const members = Object.entries(SIZES).flatMap(([phase, size]) =>
    Array.from({ length: size }, (_, at) => createMember(phase as Phase, at)),
  )
  const gates: number[] = []
  // Of a test that failed, jobs still wait for their gates.
  onTestFinished(() => {
    for (const pid of processesOf('')) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has just ended.
      }
    }
  })
  let isHanging = true
  let seen = 0

  const hangs = (id: string | undefined, upload: boolean): boolean =>
    members.some((each) => each.id === id && each.phase === (upload ? 'delivering' : 'bringing in'))
  galaxy.plan = ({ path: asked, method }) => {
    const id = /^\/galaxy\/([^/]+)\//.exec(asked ?? '')?.[1]
    return isHanging && hangs(id, method === 'POST') ? { kind: 'hang', after: 3 } : undefined
  }

  function createMember(phase: Phase, at: number): Member {
    const id = `${phase.replaceAll(' ', '-')}-${at}`
    const isGated = ['running', 'ending unseen', 'cancelled', 'cancelled at last'].includes(phase)
    const gate = path.join(directory, 'gates', id)
    if (isGated) {
      execFileSync('mkfifo', [gate])
    }
    const begin = [
      `echo run >> '${directory}/runs/${id}'`,
      ...(isGated ? [`echo before; read -r _ < '${gate}'; echo after`] : []),
      `echo passed >> '${directory}/passed/${id}'`,
    ].join('; ')
    const isPulled = ['bringing in', 'delivering'].includes(phase) || (phase !== 'set up' && at % 2 === 1)
    const file = { action: 'remote_transfer', content: contentOf(`input of ${id}\n`) } as const
    const pulled = isPulled ? createPulledJob(galaxy, id, [file], ['remote_transfer'], begin) : undefined
    return {
      id,
      phase,
      isHeld: phase === 'waiting' || phase === 'cancelled waiting',
      pulled,
      commandLine: pulled?.commandLine ?? `${begin}; echo 'output of ${id}' > ../outputs/out; (exit 3)`,
    }
  }

  const inPhase = (...phases: Phase[]): Member[] => members.filter(({ phase }) => phases.includes(phase))
  const clientOf = (server: ServerProcess, { isHeld }: Member): PulsarClient =>
    createPulsarClient(isHeld ? new URL(heldManager, server.url).href : server.url)
  const status = async (server: ServerProcess, member: Member): Promise<string> =>
    (await clientOf(server, member).status(member.id)).status
  const submit = (server: ServerProcess, member: Member): Promise<void> =>
    clientOf(server, member).submit(member.id, member.commandLine, member.pulled?.remoteStaging)
  const linesOf = (kind: string, id: string): string => {
    const file = path.join(directory, kind, id)
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  /** The queue of one of few threads: not all at once. */
  async function forEach(list: readonly Member[], task: (member: Member) => Promise<void>): Promise<void> {
    const rest = [...list]
    const work = async (): Promise<void> => {
      for (let next = rest.shift(); next; next = rest.shift()) await task(next)
    }
    await Promise.all(Array.from({ length: 4 }, work))
  }

  /** The Python server without a message queue only moves on when it is asked. */
  async function untilStatus(server: ServerProcess, member: Member, wanted: string): Promise<void> {
    let last = ''
    try {
      await waitFor(
        async () => {
          last = await status(server, member).catch(String)
          return last === wanted
        },
        { what: wanted, timeoutMs: LONGEST_MS },
      )
    } catch {
      throw new Error(`${member.id} is ${last}, not ${wanted}\n${server.logs().slice(-3000)}`)
    }
  }

  /** Every transfer that is to hang was begun by this server. */
  async function untilHanging(): Promise<void> {
    await waitFor(
      () => {
        const news = galaxy.log.slice(seen).map(({ path: asked, method }) => `${method} ${asked}`)
        const isAsked = (method: string, { id }: Member): boolean =>
          news.some((line) => line.startsWith(`${method} /galaxy/${id}/`))
        return (
          inPhase('bringing in').every((member) => isAsked('GET', member)) &&
          inPhase('delivering').every((member) => isAsked('POST', member))
        )
      },
      { what: 'transfers that hang', timeoutMs: LONGEST_MS },
    )
    seen = galaxy.log.length
  }

  const open = (member: Member): void => {
    const gate = path.join(directory, 'gates', member.id)
    if (!existsSync(gate)) return
    // Held open: whoever comes to read later finds the line.
    const fd = openSync(gate, constants.O_RDWR | constants.O_NONBLOCK)
    gates.push(fd)
    writeSync(fd, 'go\n')
  }

  return {
    async begin(server) {
      const early = members.filter(({ isHeld }) => !isHeld)
      await forEach(early, async (member) => {
        await clientOf(server, member).setup(member.id)
        if (member.phase !== 'set up') await submit(server, member)
      })
      await forEach(inPhase('running', 'ending unseen', 'cancelled', 'cancelled at last'), async (member) => {
        await waitFor(() => linesOf('runs', member.id) !== '', {
          what: `run of ${member.id}`,
          timeoutMs: LONGEST_MS,
        })
        await untilStatus(server, member, 'running')
      })
      await forEach(inPhase('finished', 'delivering'), (member) =>
        untilStatus(server, member, STATUS[member.phase]),
      )
      await holdQueue()
      await forEach(inPhase('waiting', 'cancelled waiting'), async (member) => {
        await clientOf(server, member).setup(member.id)
        await submit(server, member)
        await untilStatus(server, member, 'queued')
      })
      await forEach(inPhase('cancelled', 'cancelled waiting'), async (member) => {
        await clientOf(server, member).cancel(member.id)
        await untilStatus(server, member, 'cancelled')
      })
      await untilHanging()
    },
    async expectHeld(server) {
      await forEach(members, (member) => untilStatus(server, member, STATUS[member.phase]))
      await untilHanging()
    },
    async endUnseen() {
      isHanging = false
      for (const member of inPhase('ending unseen')) open(member)
      await waitFor(() => inPhase('ending unseen').every(({ id }) => linesOf('passed', id) !== ''), {
        what: 'ends of jobs while no server runs',
      })
    },
    async expectAllRight(server, endsByPidFile) {
      await forEach(inPhase('cancelled at last'), async (member) => {
        await untilStatus(server, member, 'running')
        if (endsByPidFile)
          await waitFor(() => isKnownProcess(member.id), {
            what: `pid of ${member.id}`,
            timeoutMs: LONGEST_MS,
          })
        await clientOf(server, member).cancel(member.id)
        await untilStatus(server, member, 'cancelled')
      })
      for (const member of members) if (!member.phase.startsWith('cancelled')) open(member)
      await forEach(inPhase('set up'), (member) => submit(server, member))
      const wrong: string[] = []
      await forEach(members, async (member) => {
        const problem = await judge(server, member)
        if (problem !== '') wrong.push(`${member.id}: ${problem}`)
      })
      await waitFor(() => processesOf('cancelled').length === 0, {
        what: 'end of all processes of cancelled jobs',
        timeoutMs: LONGEST_MS,
      })
      if (wrong.length > 0) throw new Error(`${wrong.join('\n')}\n${server.logs().slice(-6000)}`)
      await forEach(members, (member) => clientOf(server, member).clean(member.id))
      const left = members.filter(({ id }) => existsSync(path.join(directory, 'staging', id)))
      expect(left.map(({ id }) => id)).toEqual([])
      for (const fd of gates.splice(0)) closeSync(fd)
      expect(members).toHaveLength(50)
    },
  }

  /** The last answer: after a while also one that says it is not. */
  async function untilDone(server: ServerProcess, member: Member): Promise<StatusDocument> {
    let document: StatusDocument = { status: '', complete: 'false' }
    const ask = async (): Promise<boolean> => {
      document = await clientOf(server, member)
        .status(member.id)
        .catch((error: unknown) => ({ status: String(error), complete: 'false' }))
      return document.complete === 'true'
    }
    await waitFor(ask, { what: 'end', timeoutMs: LONGEST_MS }).catch(() => {})
    return document
  }

  /** @returns what is wrong with a job; empty: nothing */
  async function judge(server: ServerProcess, member: Member): Promise<string> {
    const { id, phase, pulled } = member
    const isCancelled = phase.startsWith('cancelled')
    const document = await untilDone(server, member)
    const problems: string[] = []
    const expectSame = (what: string, found: unknown, wanted: unknown): void => {
      if (found !== wanted)
        problems.push(`${what} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`)
    }
    expectSame('status', document.status, isCancelled ? 'cancelled' : 'complete')
    expectSame('run', linesOf('runs', id), phase === 'cancelled waiting' ? '' : 'run\n')
    expectSame('passed', linesOf('passed', id), isCancelled ? '' : 'passed\n')
    if (isCancelled) return problems.join('; ')
    expectSame('return code', document.returncode, pulled ? 0 : 3)
    const isGated = existsSync(path.join(directory, 'gates', id))
    expectSame('job_stdout', document.job_stdout, isGated ? 'before\nafter\n' : '')
    if (pulled) problems.push(...wrongOutputs(galaxy, pulled))
    else expectSame('output', readOutput(id), `output of ${id}\n`)
    return problems.join('; ')
  }

  function processesOf(prefix: string): number[] {
    const jobs = `${directory}/staging/${prefix}`
    return readProcesses().flatMap(({ pid }) => (workingDirectoryOf(pid)?.startsWith(jobs) ? [pid] : []))
  }

  /**
   * J/pid names the job's own process, not what the Python server has started to wait for it; and not still, from before: that is named
   * for a moment, and a cancel would end it alone.
   */
  function isKnownProcess(id: string): boolean {
    const [started = '', pid = '', wait = ''] = ['started', 'pid', '.magnetar-wait'].map((name) =>
      path.join(directory, 'staging', id, name),
    )
    if (!existsSync(started) || !existsSync(pid)) return true
    if (existsSync(wait) && statSync(pid).mtimeMs <= statSync(wait).mtimeMs) return false
    return JSON.parse(readFileSync(pid, 'utf8') || '""') === readFileSync(started, 'utf8').split(':')[1]
  }

  function readOutput(id: string): string {
    const file = path.join(directory, 'staging', id, 'outputs', 'out')
    return existsSync(file) ? readFileSync(file, 'utf8') : 'missing'
  }
}
