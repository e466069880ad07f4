import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { disk } from '../../src/jobs/disk/disk.js'
import { readExitStatus } from '../../src/schedulers/local-exit-status.js'
import { findRunner } from '../../src/schedulers/local-runner.js'
import { startedIds } from '../../src/schedulers/slurm/started-ids.js'
import { tempDirectory } from '../helpers/temp-directory.js'

/** Longer than any of it takes; a pipe that is waited for is waited for for ever. */
const HANGS_MS = 10_000

let job: string
let outside: string

beforeEach(async () => {
  const root = await tempDirectory()
  job = path.join(root, 'jobs', '7')
  outside = path.join(root, 'outside')
  fs.mkdirSync(path.join(root, 'jobs'))
  fs.writeFileSync(outside, '4\n')
  await disk.makeJobDirectory({ directory: job, mode: undefined, tool: { toolId: 'cat', toolVersion: '1' } })
})

/** What a tool can put in the place of a file of ours, as the user that runs it. */
const KINDS: Readonly<Record<string, (file: string) => void>> = {
  'a link to a file outside': (file) => fs.symlinkSync(outside, file),
  'a link to nothing outside': (file) => fs.symlinkSync(`${outside}-new`, file),
  'a link to itself': (file) => fs.symlinkSync(path.basename(file), file),
  'a link to an endless device': (file) => fs.symlinkSync('/dev/zero', file),
  'a pipe': (file) => void execFileSync('mkfifo', [file]),
  'a directory': (file) => fs.mkdirSync(file),
  'a directory with something in it': (file) => fs.mkdirSync(path.join(file, 'x'), { recursive: true }),
  'a file of 3 TB': (file) => {
    fs.writeFileSync(file, '')
    fs.truncateSync(file, 3e12)
  },
  garbage: (file) => fs.writeFileSync(file, '\u0000{[nul"\\ud800'),
  'JSON that is null': (file) => fs.writeFileSync(file, 'null'),
}

const FILES = [
  '.magnetar-exit',
  '.magnetar-job',
  'cancelled',
  'external_id',
  'final_status',
  'launch_config',
  'live_output_state',
  'metadata/tool_stdout',
  'pid',
  'return_code',
  'started',
  'stderr',
  'tool_id',
] as const

function replace(name: string, kind: string): void {
  const file = path.join(job, name)
  fs.rmSync(file, { recursive: true, force: true })
  KINDS[kind]?.(file)
}

/** Everything that the server does to a job directory, one after the other. */
async function doAll(): Promise<void> {
  const { signal } = new AbortController()
  const submission = { jobId: '7', directory: job, script: path.join(job, 'command.sh') }
  await disk.readReturnCode(job, false)
  await disk.readEnd(job, 255, [])
  await disk.readResults(job, 1000)
  await disk.statusWithoutRecord(job)
  await disk.describeDirectory(job)
  await disk.readLiveState(job)
  await disk.readChunk(job, 'metadata/tool_stdout', 0, 100)
  await disk.readPythonTraces(job)
  await disk.readIfThere(path.join(job, 'started'))
  await readExitStatus(job)
  await findRunner(submission)
  await startedIds([submission as Parameters<typeof startedIds>[0][number]], signal)
  await disk.writeFlags(job, { cancelled: true, final_status: 'cancelled', external_id: '9' })
  await disk.writeEnd({ directory: job, reason: 'why', exitCode: 1, events: [] })
  await disk.park({ directory: job, flags: { external_id: '9', submitted: undefined } })
  await disk.claimJobDirectory(job)
  await disk.makeJobDirectory({ directory: job, mode: undefined, tool: { toolId: 'sed', toolVersion: '' } })
}

/** Lets a task end that waits for the other end of a pipe, so that the test fails instead of hanging. */
function open(file: string): void {
  try {
    const { O_RDWR, O_NONBLOCK } = fs.constants
    fs.closeSync(fs.openSync(file, O_RDWR | O_NONBLOCK))
  } catch {
    // It is none.
  }
}

describe.each(Object.keys(KINDS))('%s in the place of a file of the server', (kind) => {
  it('is neither followed, waited for nor written into', async () => {
    for (const name of FILES) {
      fs.rmSync(job, { recursive: true })
      await disk.makeJobDirectory({
        directory: job,
        mode: undefined,
        tool: { toolId: 'cat', toolVersion: '' },
      })
      replace(name, kind)
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<string>((resolve) => {
        timer = setTimeout(() => {
          open(path.join(job, name))
          resolve(`${name}: waited for`)
        }, HANGS_MS)
      })
      const found = await Promise.race([doAll().then(() => 'done', String), late])
      clearTimeout(timer)
      expect(`${name}: ${found}`).toBe(`${name}: done`)
      expect(fs.readFileSync(outside, 'utf8')).toBe('4\n')
      expect(fs.existsSync(`${outside}-new`)).toBe(false)
    }
  })

  it('tells no return code that stands outside', async () => {
    replace('return_code', kind)
    expect((await disk.readResults(job, 1000)).returnCode).toBeUndefined()
  })
})

it('a return code that a job closed for everybody is none, so that the job comes to its end', async () => {
  fs.writeFileSync(path.join(job, 'return_code'), '0\n', { mode: 0 })
  // Root may read it.
  if (process.getuid?.() !== 0) expect(await disk.readReturnCode(job, true)).toBeUndefined()
})

describe.each(Object.keys(KINDS))('%s where the script of a job is about to write', (kind) => {
  it.each([
    'pid',
    'return_code',
    '.magnetar-exit',
    '.magnetar-synced',
  ])('%s is in its way no more', async (name) => {
    const file = path.join(job, name)
    KINDS[kind]?.(file)
    await disk.writeScript(path.join(job, 'command.sh'), `echo 0 > ${name}`)
    execFileSync('bash', ['command.sh'], { cwd: job, timeout: HANGS_MS })
    expect(fs.readFileSync(file, 'utf8')).toBe('0\n')
    expect(fs.readFileSync(outside, 'utf8')).toBe('4\n')
    expect(fs.existsSync(`${outside}-new`)).toBe(false)
  })
})

it('a return code is kept when a script is written anew', async () => {
  fs.writeFileSync(path.join(job, 'return_code'), '7\n')
  await disk.writeScript(path.join(job, 'command.sh'), 'true')
  expect(fs.readFileSync(path.join(job, 'return_code'), 'utf8')).toBe('7\n')
})

it('the mark of a job is not kept for the next one in its directory', async () => {
  replace('.magnetar-job', 'a link to a file outside')
  const gone = `${job}-gone`
  const spare = `${job}-spare`
  fs.renameSync(job, gone)
  expect(await disk.recycleJobDirectory(gone, spare, undefined, 10_000)).toBe(true)
  await disk.makeJobDirectory({
    directory: job,
    mode: undefined,
    tool: { toolId: 'sed', toolVersion: '' },
    spare,
  })
  expect(fs.readFileSync(outside, 'utf8')).toBe('4\n')
  expect(fs.readFileSync(path.join(job, '.magnetar-job'), 'utf8')).toContain('sed')
})
