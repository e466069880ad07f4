import { readFileSync, readlinkSync, statfsSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { hasEnvironment, readProcesses } from '../../src/schedulers/process-table.js'
import type { PrivateSlurm } from '../peers/private-slurm.js'
import type { Random } from '../peers/random.js'
import type { ChaosNode } from './chaos-node.js'

/** What happens in one round, and what it makes true. */
export interface Schedule {
  readonly cluster: PrivateSlurm
  readonly directory: string
  readonly node: ChaosNode
  readonly random: Random
  /** Whether `spool` and `state` are disks of their own, which can be filled. */
  readonly smallDisks: boolean
  /** Our jobs that somebody ended with scancel, and how often each was requeued. */
  readonly cancelled: Set<string>
  readonly requeued: Map<string, number>
  /** What a true reason may say after the troubles that there were. */
  readonly reasons: Set<RegExp>
  /** The cluster may have forgotten jobs, or lost the node on which they ran. */
  forgets: boolean
  /** A node that cannot write a job's script has Slurm cancel the job, as nobody may start it again (--no-requeue). */
  spoolWasFull: boolean
  /** Of the daemons, when the round began. */
  readonly logs: readonly number[]
  /** Clients find nobody until it resolves. */
  closed: Promise<void> | undefined
  wait(ms: number): Promise<void>
}

export interface Trouble {
  readonly name: string
  /** Resolves when it is over and mended. */
  run(schedule: Schedule): Promise<void>
}

const DOWN_NODE = /NODE_FAIL|node of the job failed/
/** What slurmd or slurmctld cannot write. */
const NO_ROOM = /could not start|LaunchFailure|BOOT_FAIL|NODE_FAIL|FAILED, reason|No space/i

/** Slurm's commands fail while its daemons are away: then the trouble simply is another one. */
const quietly = (work: Promise<unknown>): Promise<unknown> => work.catch(() => undefined)

interface Seen {
  readonly slurmId: string
  readonly jobId: string
}

async function jobsIn(schedule: Schedule, states: string): Promise<Seen[]> {
  const text = await schedule.cluster.run('squeue', '-h', '-t', states, '-o', '%i %j').catch(() => '')
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .flatMap(([slurmId, name]) => {
      const jobId = /(slurm-\d+-\d+-\w+)/.exec(name ?? '')?.[1]
      return slurmId && jobId ? [{ slurmId, jobId }] : []
    })
}

async function oneOf(schedule: Schedule, states: string): Promise<Seen | undefined> {
  const found = await jobsIn(schedule, states)
  return found.length === 0 ? undefined : schedule.random.pick(found)
}

async function resume({ cluster, wait }: Schedule): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    await quietly(cluster.run('scontrol', 'update', `nodename=${cluster.nodeName}`, 'state=resume'))
    const state = await cluster.run('sinfo', '-h', '-N', '-o', '%T').catch(() => '')
    if (/^(idle|mixed|allocated|completing)\s*$/m.test(state)) return
    await wait(200)
  }
}

async function setNode({ cluster }: Schedule, state: string): Promise<void> {
  await quietly(
    cluster.run('scontrol', 'update', `nodename=${cluster.nodeName}`, `state=${state}`, 'reason=test'),
  )
}

async function setPartition({ cluster }: Schedule, state: string): Promise<void> {
  await quietly(cluster.run('scontrol', 'update', 'partitionname=debug', `state=${state}`))
}

/** A file that takes all room; the disk is small. */
async function fill(schedule: Schedule, name: 'spool' | 'state', ms: number): Promise<void> {
  const directory = join(schedule.directory, name)
  const file = join(directory, 'full')
  try {
    const { bavail, bsize } = statfsSync(directory)
    writeFileSync(file, Buffer.alloc(bavail * bsize))
  } catch {
    // It is full now.
  }
  await schedule.wait(ms)
  truncateSync(file)
  unlinkSync(file)
}

export const TROUBLES: readonly Trouble[] = [
  {
    name: 'slurmctld stopped and started',
    async run({ cluster, random, wait }) {
      await cluster.signal('slurmctld', 'TERM')
      await wait(500 + random.below(4000))
      await cluster.start('slurmctld')
    },
  },
  {
    name: 'slurmctld killed and started',
    async run(schedule) {
      const { cluster, random, wait } = schedule
      // What it had not saved it has forgotten.
      schedule.forgets = true
      await cluster.signal('slurmctld', 'KILL')
      await wait(random.below(3000))
      await cluster.start('slurmctld')
    },
  },
  {
    name: 'slurmctld frozen',
    async run({ cluster, random, wait }) {
      await cluster.signal('slurmctld', 'STOP')
      await wait(1000 + random.below(6000))
      await cluster.signal('slurmctld', 'CONT')
    },
  },
  {
    name: 'slurmd killed with jobs on it',
    async run(schedule) {
      const { cluster, random, wait, reasons } = schedule
      reasons.add(DOWN_NODE).add(NO_ROOM)
      await cluster.signal('slurmd', 'KILL')
      await wait(random.below(3000))
      await cluster.start('slurmd')
      await resume(schedule)
    },
  },
  {
    name: 'the node of the jobs dies',
    async run(schedule) {
      const { cluster, random, wait, reasons, node } = schedule
      reasons.add(DOWN_NODE).add(NO_ROOM)
      schedule.forgets = true
      await cluster.signal('slurmd', 'KILL')
      for (const { pid } of readProcesses()) {
        const ours = hasEnvironment(pid, `MAGNETAR_FAULTS=${node.layer.env.MAGNETAR_FAULTS}`)
        const isJob = ours && hasEnvironment(pid, 'SLURM_CLUSTER_NAME=private')
        const isStep = programOf(pid) === 'slurmstepd'
        if (isJob || (isStep && hasEnvironment(pid, `SLURM_CONF=${cluster.env.SLURM_CONF}`))) kill(pid)
      }
      await wait(random.below(1500))
      await cluster.start('slurmd')
      await resume(schedule)
    },
  },
  {
    name: 'munge away',
    async run({ cluster, random, wait }) {
      await cluster.signal('munged', random.chance(0.5) ? 'TERM' : 'KILL')
      await wait(500 + random.below(4000))
      await cluster.start('munged')
    },
  },
  {
    name: 'scancel from outside',
    async run(schedule) {
      const found = await oneOf(schedule, 'PD,R')
      if (!found) return
      schedule.cancelled.add(found.jobId)
      await quietly(schedule.cluster.run('scancel', found.slurmId))
    },
  },
  {
    name: 'hold and release',
    async run(schedule) {
      const { cluster, random, wait } = schedule
      const held = await jobsIn(schedule, 'PD')
      for (const { slurmId } of held) await quietly(cluster.run('scontrol', 'hold', slurmId))
      await wait(random.below(3000))
      for (const { slurmId } of held) await quietly(cluster.run('scontrol', 'release', slurmId))
    },
  },
  {
    name: 'requeue',
    async run(schedule) {
      const { cluster, requeued, wait } = schedule
      const found = await oneOf(schedule, 'R')
      if (!found) return
      const { slurmId, jobId } = found
      // We ask for --no-requeue: an admin has to insist.
      await quietly(cluster.run('scontrol', 'update', `jobid=${slurmId}`, 'requeue=1'))
      requeued.set(jobId, (requeued.get(jobId) ?? 0) + 1)
      await quietly(cluster.run('scontrol', 'requeue', slurmId))
      for (let tries = 0; tries < 20; tries++) {
        await wait(200)
        const now = cluster.run('scontrol', 'update', `jobid=${slurmId}`, 'starttime=now')
        if (
          await now.then(
            () => true,
            () => false,
          )
        )
          return
      }
    },
  },
  ...(['drain', 'down'] as const).map(
    (state): Trouble => ({
      name: `partition ${state}`,
      async run(schedule) {
        await setPartition(schedule, state)
        await schedule.wait(500 + schedule.random.below(3000))
        await setPartition(schedule, 'up')
      },
    }),
  ),
  {
    name: 'node drained',
    async run(schedule) {
      await setNode(schedule, 'drain')
      await schedule.wait(500 + schedule.random.below(3000))
      await resume(schedule)
    },
  },
  {
    name: 'node taken down',
    async run(schedule) {
      schedule.reasons.add(DOWN_NODE)
      await setNode(schedule, 'down')
      await schedule.wait(500 + schedule.random.below(2000))
      await resume(schedule)
    },
  },
  {
    name: 'spool of the node full',
    async run(schedule) {
      if (!schedule.smallDisks) return
      schedule.reasons.add(NO_ROOM)
      schedule.spoolWasFull = true
      await fill(schedule, 'spool', 1000 + schedule.random.below(2000))
      await schedule.cluster.start('slurmd')
      await resume(schedule)
    },
  },
  {
    name: 'spool of the controller full',
    async run(schedule) {
      if (!schedule.smallDisks) return
      schedule.reasons.add(NO_ROOM)
      await fill(schedule, 'state', 1000 + schedule.random.below(2000))
      // It may have given up.
      await schedule.cluster.start('slurmctld')
    },
  },
  {
    name: 'server killed',
    async run({ node }) {
      await node.kill()
      await node.ensureUp()
    },
  },
  { name: 'server restarted', run: ({ node }) => node.restart() },
  {
    name: 'server away until Slurm has forgotten its jobs',
    async run(schedule) {
      const { node, wait } = schedule
      let open = (): void => {}
      schedule.closed = new Promise((resolve) => {
        open = resolve
      })
      await node.kill()
      for (let tries = 0; tries < 40; tries++) {
        await wait(250)
        if (tries > 8 && (await jobsIn(schedule, 'all')).length === 0) break
      }
      schedule.closed = undefined
      open()
      await node.ensureUp()
    },
  },
]

/** What the daemons have written so far; to be given to `cancelledItself`. */
export function logSizes({ directory }: Pick<Schedule, 'directory'>): readonly number[] {
  return LOGS.map((name) => readLog(directory, name).length)
}

/**
 * Whether since then Slurm itself has cancelled jobs, as its controller came back without its newest state: the node still had a job of
 * that id (`copy`), or the end of such a job was taken for that of one that waits (`waiting`).
 */
export function cancelledItself(
  { directory }: Pick<Schedule, 'directory'>,
  since: readonly number[],
): { readonly copy: boolean; readonly waiting: boolean } {
  const [node = '', controller = ''] = LOGS.map((name, at) => readLog(directory, name).slice(since[at]))
  return {
    copy: node.includes('already running, do not launch second copy'),
    waiting: /_job_complete: JobId=\d+ cancelled by interactive user/.test(controller),
  }
}

const LOGS = ['slurmd.log', 'slurmctld.log'] as const

function readLog(directory: string, name: string): string {
  try {
    return readFileSync(join(directory, name), 'latin1')
  } catch {
    return ''
  }
}

/** Everything runs again, and takes jobs. */
export async function heal(schedule: Schedule): Promise<void> {
  const { cluster } = schedule
  await cluster.start('munged')
  await cluster.signal('slurmctld', 'CONT')
  await cluster.start('slurmctld')
  await cluster.start('slurmd')
  await setPartition(schedule, 'up')
  await resume(schedule)
  for (const { slurmId } of await jobsIn(schedule, 'PD')) {
    await quietly(cluster.run('scontrol', 'release', slurmId))
    await quietly(cluster.run('scontrol', 'update', `jobid=${slurmId}`, 'starttime=now'))
  }
}

function programOf(pid: number): string {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).replace(/-wlm$/, '')
  } catch {
    return ''
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone by itself.
  }
}
