import fs from 'node:fs'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { planDelivery } from '../../src/jobs/disk/delivery.js'
import { diskTasks } from '../../src/jobs/disk/tasks.js'
import { errnoOf, MagnetarError } from '../../src/lib/errors.js'
import { closePartFile, openPartFile } from '../../src/lib/part-file.js'
import { createRandom } from '../peers/random.js'
import type { ChaosResult } from './chaos-result.js'

/**
 * A tool that swaps what is in its directory (files and directories for links to a tree outside, for pipes, for other files) while the
 * server reads, lists, writes, delivers and removes there. What the server does to that tree, or says of it, is a violation.
 */

const SECRET = 'SECRET-outside'
/** What a file outside is called, and the job's of the same name: a swapped directory makes one of the other. */
const NAMES = ['a', 'b', 'c'] as const
/** Everything that is swapped, relative to the job directory. */
const SWAPPED = [
  'outputs',
  'working',
  'metadata',
  'working/d',
  'working/d/d',
  'outputs/a',
  'working/a',
  'working/d/a',
  'metadata/tool_stdout',
  'return_code',
  'stderr',
  'final_status',
  'launch_config',
  'live_output_state',
  '.magnetar-job',
] as const

/** In a thread of its own, as fast as it can: renames need no cooperation of who is being fooled. */
const SWAPPER = `
const { workerData: { job, outside, swapped, stop } } = require('node:worker_threads')
const fs = require('node:fs'), path = require('node:path')
const flag = new Int32Array(stop)
const quietly = (action) => { try { action() } catch {} }
let swaps = 0
for (let i = 0; Atomics.load(flag, 0) === 0; i++) {
  const name = swapped[i % swapped.length]
  const at = path.join(job, name)
  const aside = path.join(job, '..', 'aside')
  quietly(() => {
    fs.renameSync(at, aside)
    swaps++
    quietly(() => fs.symlinkSync(path.join(outside, name), at))
    for (let spin = 0; spin < 200; spin++) Atomics.load(flag, 0)
    quietly(() => fs.unlinkSync(at))
    quietly(() => fs.renameSync(aside, at))
  })
  quietly(() => fs.rmSync(aside, { recursive: true, force: true }))
}
Atomics.store(flag, 1, swaps)
Atomics.store(flag, 2, 1)
Atomics.notify(flag, 2)
`

/** @param directory empty, and nobody else's; what is made there stays */
export async function runHostileFiles(
  directory: string,
  seed: number,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<ChaosResult> {
  const random = createRandom(seed)
  const job = path.join(directory, 'jobs', '7')
  const outside = path.join(directory, 'outside')
  makeTree(job, 'inside')
  makeTree(outside, SECRET)
  const before = snapshot(outside)
  const violations: string[] = []
  const counts: Record<string, number> = { operations: 0, refused: 0, swaps: 0 }
  const stop = new SharedArrayBuffer(12)
  const flag = new Int32Array(stop)
  const swapper = new Worker(SWAPPER, { eval: true, workerData: { job, outside, swapped: SWAPPED, stop } })
  try {
    for (let turn = 0; performance.now() < deadlineMs && !signal.aborted && violations.length === 0; turn++) {
      const [what, act] = random.pick(OPERATIONS)
      counts.operations = (counts.operations ?? 0) + 1
      try {
        const said = JSON.stringify(act(job, random.pick(NAMES)) ?? null)
        if (said.includes(SECRET)) violations.push(`seed ${seed}: ${what} told ${said.slice(0, 300)}`)
      } catch (error) {
        if (!(error instanceof MagnetarError) && errnoOf(error) === undefined && !isGone(error))
          violations.push(`seed ${seed}: ${what} threw ${String(error)}`)
        counts.refused = (counts.refused ?? 0) + 1
      }
      if (turn % 50 === 0) {
        const now = snapshot(outside)
        if (now !== before)
          violations.push(`seed ${seed}: after ${what} outside is\n${now}\nand was\n${before}`)
        // What the server and the swapper removed between them.
        makeTree(job, 'inside')
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  } finally {
    Atomics.store(flag, 0, 1)
    Atomics.wait(flag, 2, 0, 5000)
    counts.swaps = Atomics.load(flag, 1)
    await swapper.terminate()
  }
  if (snapshot(outside) !== before) violations.push(`seed ${seed}: at the end outside is changed`)
  return { counts, violations }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && /launch_config in the job directory/.test(error.message)
}

type Operation = (job: string, name: string) => unknown

const OPERATIONS: readonly (readonly [string, Operation])[] = [
  ['a download', (job, name) => read(path.join(job, 'outputs'), [name])],
  ['a download of the working directory', (job, name) => read(path.join(job, 'working'), ['d', name])],
  ['an upload', (job, name) => diskTasks.storeFile(path.join(job, 'working'), ['d', 'd', name], bytes)],
  ['an upload of an input', (job, name) => diskTasks.storeFile(path.join(job, 'outputs'), [name], bytes)],
  ['an upload beside', (job) => diskTasks.storeFile(job, ['new'], bytes)],
  ['the parents of a file', (job) => diskTasks.makeParents(path.join(job, 'working'), ['d', 'new', 'x'])],
  ['a part of a download', (job, name) => part(path.join(job, 'working'), ['d', name])],
  ['the results', (job) => diskTasks.readResults(job, 1000)],
  ['a description', (job) => diskTasks.describeDirectory(job)],
  ['the delivery', (job) => planDelivery(job)],
  ['live output', (job) => chunk(job)],
  ['the state of live output', (job) => diskTasks.writeLiveState(job, liveState)],
  ['the end', (job) => diskTasks.writeEnd({ directory: job, reason: 'why', exitCode: 1, events: [] })],
  ['flags', (job) => diskTasks.writeFlags(job, { cancelled: true, final_status: 'cancelled' })],
  [
    'a stop',
    (job) => void diskTasks.park({ directory: job, flags: { external_id: '9', submitted: undefined } }),
  ],
  ['traces', (job) => diskTasks.readPythonTraces(job)],
  ['a script', (job) => diskTasks.writeScript(path.join(job, 'command.sh'), 'true')],
  ['a submit', (job) => submit(job)],
  ['a setup', (job) => diskTasks.makeJobDirectory({ directory: job, mode: undefined, tool })],
  ['a removal', (job) => diskTasks.removeTree(path.join(job, 'working'), 5)],
  ['a removal of outputs', (job) => diskTasks.removeTree(path.join(job, 'outputs'), 5)],
  ['a clean', (job) => clean(job)],
]

const bytes = Buffer.from('inside')
const tool = { toolId: 'cat', toolVersion: '1' }
const liveState = {
  'metadata/tool_stdout': 1,
  'metadata/tool_stderr': 0,
  delivered: false,
  inDoubt: false,
}

function read(base: string, components: string[]): string {
  const found = diskTasks.readSmallFile(base, components, 1000)
  if ('content' in found) return Buffer.from(found.content).toString()
  fs.closeSync(found.fd)
  return ''
}

function part(base: string, components: string[]): void {
  const file = openPartFile(base, components, 'x')
  if (file) closePartFile(file)
}

function chunk(job: string): string {
  return Buffer.from(diskTasks.readChunk(job, 'metadata/tool_stdout', 0, 100)).toString()
}

function submit(job: string): void {
  const written = diskTasks.writeSubmit({
    directory: job,
    stagingDirectory: path.dirname(job),
    setup: undefined,
    touch: [{ base: path.join(job, 'outputs'), components: ['a'] }],
    launchConfig: LAUNCH,
    uploads: ['working'],
  })
  if (written.outcome === 'written') for (const fd of written.toSync) fs.closeSync(fd)
}

/** As jobs/trash does it. */
function clean(job: string): void {
  const trash = path.join(path.dirname(job), 'trash')
  if (!diskTasks.discardJobDirectory(job, trash)) return
  if (diskTasks.recycleJobDirectory(trash, `${trash}-spare`, undefined, 50))
    diskTasks.removeTree(`${trash}-spare`)
  else diskTasks.removeTree(trash)
}

const LAUNCH = JSON.stringify({
  remote_staging: {
    action_mapper: { default_action: 'remote_transfer', files_endpoint: 'http://galaxy/files?job_key=k' },
    client_outputs: { working_directory: '/galaxy/w', dynamic_outputs: ['.*'] },
  },
  dynamic_file_sources: [{ path: 'd/a', type: 'galaxy' }],
})

/** The same tree inside and outside; outside each name and each content says so. */
function makeTree(root: string, text: string): void {
  const own = text === SECRET ? [`${SECRET}-name`] : []
  try {
    for (const name of ['outputs', 'working/d/d', 'metadata', 'inputs', 'configs', 'tool_files'])
      fs.mkdirSync(path.join(root, name), { recursive: true })
    for (const name of ['outputs', 'working', 'working/d', 'working/d/d', 'metadata'])
      for (const file of [...NAMES, ...own])
        fs.writeFileSync(path.join(root, name, file), text, { flag: 'wx' })
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
  }
  const files = {
    'metadata/tool_stdout': text,
    return_code: text === SECRET ? '77\n' : '0\n',
    stderr: text,
    final_status: '"complete"',
    launch_config: LAUNCH,
    '.magnetar-job': JSON.stringify(tool),
    live_output_state: '{}',
  }
  for (const [name, content] of Object.entries(files)) {
    try {
      fs.writeFileSync(path.join(root, name), content, { flag: 'wx' })
    } catch (error) {
      if (errnoOf(error) === undefined) throw error
    }
  }
}

/** Every name, kind, mode and content. */
function snapshot(root: string): string {
  const lines: string[] = []
  const waiting = ['']
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const entry of fs.readdirSync(path.join(root, next), { withFileTypes: true })) {
      const name = path.join(next, entry.name)
      const { mode } = fs.lstatSync(path.join(root, name))
      if (entry.isDirectory()) waiting.push(name)
      const content = entry.isFile() ? fs.readFileSync(path.join(root, name), 'utf8') : ''
      lines.push(`${name} ${mode.toString(8)} ${content}`)
    }
  }
  return lines.sort().join('\n')
}
