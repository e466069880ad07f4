import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerProcess } from '../helpers/server-process.js'
import { startMagnetar } from '../peers/magnetar-server.js'
import { createRandom, type Random } from '../peers/random.js'
import type { ChaosResult } from './chaos-result.js'

/**
 * What a Python Pulsar, or a tool, may have left in the directories of jobs and of the index, with anything in it: the server starts,
 * answers for each job, touches nothing outside, and ends no process that is not a job's.
 */

const SECRET = 'SECRET-outside'
const JOBS = 40
const ANSWER_MS = 20_000
/** Characters, of the log. */
const MAX_LINE = 20_000
const MAX_RSS_BYTES = 500 * 1024 ** 2

/** What is read of a job by name, with what it may say. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  job_id: ['"7"', '7', '"../7"'],
  pid: ['"4711"', '4711', '"-1"', '"0"', '"1"', '99999999999999999999', '" 12 "'],
  return_code: ['0', '0\n', '-9\n', '256\n', '99999999999999999999\n', 'NaN\n', '1e3\n', ''],
  final_status: [
    '"complete"',
    '"failed"',
    '"cancelled"',
    '"other"',
    'complete',
    '"complete',
    '7',
    '"__proto__"',
  ],
  external_id: ['"14"', '14', '"-1"', '"14; id"', '"\\u0000"', `"${'9'.repeat(1000)}"`],
  launch_config: [
    '{"command_line": "true"}',
    '{"command_line": "true", "remote_staging": {}}',
    '{"command_line": 7, "remote_staging": []}',
    '{"remote_staging": {"setup": 7, "client_outputs": "x", "action_mapper": []}}',
    '{"command_line": "true", "remote_staging": {"setup": [{"name": "../../x", "type": "input", "action": {"action_type": "copy", "path": "/etc/passwd"}}]}}',
    '{"command_line": "true", "env": [{"name": "A B", "value": "x"}], "job_id": "..", "dependencies_description": {"x": 1}}',
    '{"__proto__": {"command_line": "true"}}',
    '[]',
    'null',
    '"x"',
    '{"command_line": "tru',
    '[['.repeat(50_000),
  ],
  tool_id: ['"cat1"', 'cat1', '{}'],
  tool_version: ['"1.0"', '7'],
  command_line: ['true', '', 'sleep 1000 &'],
  preprocessed: ['"preprocessed"', ''],
  preprocessing_failed: ['true'],
  submitted: ['true'],
  cancelled: ['true'],
  started: ['12:34:56:0-a\n', `${process.pid}:1:x:y\n`, '1:1:1\n', ''],
  stderr: ['why', '\u001b[31m\u0000'],
  stdout: [''],
  '.magnetar-job': ['{}', '{"toolId": 7}', 'x'],
  '.magnetar-exit': ['0\n', '-9\n', 'x'],
  '.magnetar-started': ['x'],
  live_output_state: ['{}', '[]', 'x', '{"metadata/tool_stdout": -1}'],
}

const DIRECTORIES = ['inputs', 'outputs', 'working', 'metadata', 'configs', 'tool_files', 'home'] as const

export async function runHostileLeftovers(
  directory: string,
  seed: number,
  deadlineMs: number,
  signal: AbortSignal,
  /** No other than this. */
  only?: number,
): Promise<ChaosResult> {
  let brokenAt: string | undefined
  const violations: string[] = []
  const counts: Record<string, number> = { starts: 0, jobs: 0, answers: 0, maxRssMiB: 0 }
  // Somebody else's, whose number stands in files of jobs.
  const innocent = spawn('sleep', ['infinity'], { cwd: '/', stdio: 'ignore' })
  try {
    const first = only ?? 0
    for (let round = first; round === first || (performance.now() < deadlineMs && !signal.aborted); round++) {
      if (only !== undefined && round !== only) break
      const random = createRandom(seed * 100_003 + round)
      const at = path.join(directory, `round-${round}`)
      const outside = makeOutside(at)
      const before = snapshot(outside)
      const ids = makeJobs(random, at, outside, innocent)
      const kept = new Set(readdirSync(path.join(at, 'staging')))
      for (let start = 0; start < 2 && violations.length === 0; start++) {
        counts.starts = (counts.starts ?? 0) + 1
        const wrong = await live(at, ids, random, counts).catch((error: unknown) => [whyNot(error)])
        violations.push(...wrong.map((what) => `seed ${seed}: round ${round}, start ${start}: ${what}`))
      }
      counts.jobs = (counts.jobs ?? 0) + ids.length
      if (snapshot(outside) !== before)
        violations.push(`seed ${seed}: round ${round}: outside is\n${snapshot(outside)}\nand was\n${before}`)
      if (innocent.exitCode !== null || innocent.signalCode !== null)
        violations.push(`seed ${seed}: round ${round}: a process that is no job's was ended`)
      if (kept.size === 0) violations.push('there were no jobs')
      if (violations.length > 0) {
        brokenAt = `${round}`
        break
      }
    }
  } finally {
    innocent.kill('SIGKILL')
  }
  return { counts, violations, ...(brokenAt === undefined ? {} : { brokenAt }) }
}

/** The words for people, wherever they stand in a long log, and how it began. */
function whyNot(error: unknown): string {
  const lines = String(error).split('\n')
  const words = lines.filter((line) => !line.startsWith('{'))
  return [...words, ...lines.filter((line) => line.startsWith('{')).slice(-20)].join('\n').slice(0, 4000)
}

/** One life of a server: starts, answers for each job, stops. @throws when it does not start */
async function live(
  directory: string,
  ids: readonly string[],
  random: Random,
  counts: Record<string, number>,
): Promise<string[]> {
  const found: string[] = []
  const server = await startMagnetar({
    directory,
    app: { managers: { _default_: { type: 'queued_python', num_concurrent_jobs: 4 } } },
  })
  try {
    await Promise.all(
      ids.map(async (id) => {
        const route = `jobs/${encodeURIComponent(id)}`
        for (const [method, what] of [
          ['GET', '/status'],
          ...(random.chance(0.3) ? [['PUT', '/cancel'] as const] : []),
          ...(random.chance(0.2) ? [['DELETE', ''] as const] : []),
        ] as const) {
          const wrong = await ask(server, method, `${route}${what}?job_id=${encodeURIComponent(id)}`)
          counts.answers = (counts.answers ?? 0) + 1
          if (wrong !== undefined) found.push(`${method} ${what} of ${id}: ${wrong}`)
        }
      }),
    )
    // What was taken over goes on for a moment.
    await delay(300)
    const wrong = await ask(server, 'GET', 'healthz')
    if (wrong !== undefined) found.push(`afterwards: ${wrong}`)
    const rss =
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
    counts.maxRssMiB = Math.max(counts.maxRssMiB ?? 0, Math.round(rss / 1024 ** 2))
    if (rss > MAX_RSS_BYTES) found.push(`the server has ${rss} bytes`)
  } finally {
    const code = await server.stop()
    if (code !== 0) found.push(`the server ended with ${code}\n${server.logs().slice(-2000)}`)
  }
  // Line by line: an expression that looks for the begin of its line takes minutes for one of megabytes.
  for (const line of server.logs().split('\n')) {
    if (/unexpectedly|TypeError|RangeError|at file:|Maximum call stack/.test(line))
      found.push(`the log says ${line.slice(0, 1500)}`)
    if (line.length > MAX_LINE)
      found.push(`a line of ${line.length} characters in the log: ${line.slice(0, 300)}`)
  }
  if (server.logs().includes(SECRET)) found.push('the log has what stands outside')
  return found
}

async function ask({ url }: ServerProcess, method: string, target: string): Promise<string | undefined> {
  try {
    const answer = await fetch(new URL(target, url), { method, signal: AbortSignal.timeout(ANSWER_MS) })
    const text = await answer.text()
    if (text.includes(SECRET)) return `what stands outside is told: ${text.slice(0, 500)}`
    return answer.status >= 500 && !/"code":"(?!INTERNAL)/.test(text)
      ? `${answer.status} ${text.slice(0, 500)}`
      : undefined
  } catch (error) {
    return `no answer: ${String(error)}`
  }
}

function makeOutside(directory: string): string {
  const outside = path.join(directory, 'outside')
  mkdirSync(path.join(outside, 'd'), { recursive: true })
  for (const name of [...Object.keys(FILES), 'd/x']) writeFileSync(path.join(outside, name), `"${SECRET}"`)
  return outside
}

function makeJobs(random: Random, directory: string, outside: string, innocent: ChildProcess): string[] {
  const staging = path.join(directory, 'staging')
  const persisted = path.join(directory, 'persisted_data')
  const ids = Array.from({ length: JOBS }, (_, at) => `${at}`)
  for (const id of ids) {
    const job = path.join(staging, id)
    if (random.chance(0.05)) {
      makeOdd(random, staging, id, outside)
      continue
    }
    mkdirSync(job, { recursive: true })
    // No links: what a job writes through them it writes with its own rights.
    for (const name of DIRECTORIES) {
      if (random.chance(0.9)) mkdirSync(path.join(job, name))
      else if (random.chance(0.5)) writeFileSync(path.join(job, name), 'no directory')
    }
    const likely = ['job_id', 'launch_config', 'tool_id', 'tool_version']
    for (const [name, texts] of Object.entries(FILES)) {
      if (!random.chance(likely.includes(name) ? 0.9 : 0.35)) continue
      if (random.chance(0.25)) makeOdd(random, job, name, outside)
      else if (name === 'pid' && random.chance(0.5)) writeFileSync(path.join(job, name), `"${innocent.pid}"`)
      else {
        // Most are submitted, so that the rest is looked at.
        const text = name === 'launch_config' && random.chance(0.6) ? (texts[0] ?? '') : random.pick(texts)
        writeFileSync(path.join(job, name), text)
      }
    }
  }
  const odd = [
    '..hidden',
    'a b',
    '\u00ff',
    'x'.repeat(255),
    '-rf',
    '__proto__',
    '.magnetar',
    '\u001b[31m',
    'nobody',
  ]
  for (const kind of ['active', 'preprocessing', 'postprocessing']) {
    const index = path.join(persisted, `_default_-${kind}-jobs`)
    mkdirSync(index, { recursive: true })
    for (const id of [...ids, ...odd]) {
      if (!random.chance(0.5)) continue
      if (random.chance(0.15)) makeOdd(random, index, id, outside)
      else writeFileSync(path.join(index, id), random.chance(0.9) ? '' : 'x'.repeat(100_000))
    }
  }
  return [...ids, ...odd]
}

/** Something else where a file is expected. */
function makeOdd(random: Random, directory: string, name: string, outside: string): void {
  mkdirSync(directory, { recursive: true })
  const at = path.join(directory, name)
  const kind = random.below(9)
  if (kind === 0) execFileSync('mkfifo', [at])
  else if (kind === 1) mkdirSync(path.join(at, 'x'), { recursive: true })
  else if (kind === 2) symlinkSync(path.join(outside, name in FILES ? name : 'd'), at)
  else if (kind === 3) symlinkSync(name, at)
  else if (kind === 4) symlinkSync('/dev/zero', at)
  else if (kind === 5) symlinkSync('/nowhere/at/all', at)
  else if (kind === 6) writeFileSync(at, Buffer.alloc(3_000_000, random.pick(['\u0000', '9', '"'])))
  else if (kind === 7) writeFileSync(at, Buffer.from(Array.from({ length: 200 }, () => random.below(256))))
  else symlinkSync('/proc/self/mem', at)
}

/** Every name, mode and content. */
function snapshot(root: string): string {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()
  return names
    .map((name) => {
      const { mode } = statSync(path.join(root, name))
      const isFile = statSync(path.join(root, name)).isFile()
      return `${name} ${mode.toString(8)} ${isFile ? readFileSync(path.join(root, name), 'utf8') : ''}`
    })
    .join('\n')
}
