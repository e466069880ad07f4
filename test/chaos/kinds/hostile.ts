import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { startMagnetar } from '../../peers/magnetar-server.js'
import type { ChaosResult as HostileResult } from '../chaos-result.js'
import { runHostileFiles } from '../hostile-files.js'
import { runHostileLeftovers } from '../hostile-leftovers.js'
import { REPLIES_APP, REPLIES_ENV, runHostileReplies } from '../hostile-replies.js'
import { runHostileRequests } from '../hostile-requests.js'
import { runHostileTexts } from '../hostile-texts.js'
import { type ChaosKind, type ChaosRun, noCounts } from './kind.js'

const TOKEN = 'token-of-the-test'
const SECRET = 'SECRET-of-another'

export const hostileFileKind = hostile(
  'hostile-files',
  'a tool that swaps its files and directories for links',
  ({ directory, seed, deadlineMs, signal }) =>
    runHostileFiles(directory, seed, monotonic(deadlineMs), signal),
)

export const hostileTextKind = hostile(
  'hostile-texts',
  'configurations, stores, scripts and answers of Slurm with anything in them',
  ({ directory, seed, deadlineMs, signal }) =>
    runHostileTexts(directory, seed, monotonic(deadlineMs), signal),
)

export const hostileLeftoverKind = hostile(
  'hostile-leftovers',
  'files of jobs and of the index with anything in them',
  ({ directory, seed, deadlineMs, signal, point }) =>
    runHostileLeftovers(directory, seed, monotonic(deadlineMs), signal, roundOf(point)),
)

export const hostileReplyKind = hostile(
  'hostile-replies',
  'answers of Galaxy with anything in them',
  async ({ directory, seed, deadlineMs, signal }) => {
    const server = await startMagnetar({ directory, app: REPLIES_APP, env: REPLIES_ENV })
    try {
      return await runHostileReplies(server, seed, monotonic(deadlineMs), signal)
    } finally {
      await server.stop()
    }
  },
)

export const hostileRequestKind = hostile('hostile-requests', 'requests with anything in them', runRequests)

function roundOf(point: string | undefined): number | undefined {
  return point === undefined || point === 'none' ? undefined : Number(point)
}

/** They are told when to end by the clock that never goes back. */
function monotonic(deadlineMs: number): number {
  return performance.now() + (deadlineMs - Date.now())
}

function hostile(name: string, about: string, run: (options: ChaosRun) => Promise<HostileResult>): ChaosKind {
  return {
    name,
    about,
    missing: () => undefined,
    async run(options) {
      const { counts, violations, brokenAt = 'none' } = await run(options)
      return {
        counts: noCounts(),
        violations: violations.map((what) => ({ point: brokenAt, what })),
        tallies: counts,
      }
    },
  }
}

async function runRequests({ directory, seed, deadlineMs, signal }: ChaosRun): Promise<HostileResult> {
  const outside = path.join(directory, 'staging', 'outside')
  mkdirSync(outside, { recursive: true })
  for (const file of [path.join(outside, 'x'), path.join(directory, 'outside')]) writeFileSync(file, SECRET)
  const server = await startMagnetar({
    directory,
    app: {
      private_token: TOKEN,
      managers: { _default_: { type: 'unqueued' } },
      file_cache_dir: path.join(directory, 'cache'),
    },
  })
  try {
    await fetch(`${server.url}jobs?private_token=${TOKEN}&job_id=7`, { method: 'POST' })
    for (const name of ['inputs', 'outputs'])
      symlinkSync(outside, path.join(directory, 'staging', '7', name, 'link'))
    const port = Number(new URL(server.url).port)
    const target = { port, pid: server.pid, token: TOKEN, secret: SECRET, logs: server.logs }
    return await runHostileRequests(target, seed, monotonic(deadlineMs), signal)
  } finally {
    await server.stop()
  }
}
