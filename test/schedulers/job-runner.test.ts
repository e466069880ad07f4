import { spawn } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { StartFailed } from '../../src/schedulers/job-runner-failure.js'
import { encodeQuestion, encodeStart, parseReport } from '../../src/schedulers/job-runner-wire.js'
import { localJobEnvironment } from '../../src/schedulers/local-environment.js'
import type { Submission } from '../../src/schedulers/scheduler.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import {
  collectWarnings,
  exists,
  leaders,
  onlyHelper,
  openRunner,
  run,
  writeJob,
} from './job-runner-fixture.js'

describe('the words between server and helper', () => {
  it('names what is below the job directory relative to it', () => {
    const job = {
      jobId: '7',
      name: 'x',
      directory: '/j/7',
      script: '/j/7/command.sh',
      workingDirectory: '/j/7',
      stdout: '/j/70/out',
      stderr: '/j/7//err',
    }
    expect(encodeStart(12, job)).toBe('12\0/j/7\0command.sh\0/j/7\0/j/70/out\0/j/7//err\0')
    expect(encodeQuestion(12)).toBe('12\0\0')
  })

  it.each([
    ['started 3 400 399', { kind: 'started', number: 3, pid: 400, leader: 399 }],
    ['ended 3 0 own', { kind: 'ended', number: 3, exitCode: 0, ranElsewhere: false }],
    ['ended 3 -9 unmarked', { kind: 'ended', number: 3, exitCode: -9, ranElsewhere: false }],
    ['ended 3 none other', { kind: 'ended', number: 3, exitCode: undefined, ranElsewhere: true }],
    ['failed 3 fork', { kind: 'failed', number: 3, problem: 'fork' }],
    ['leader 3 0', { kind: 'leader', number: 3, leader: 0 }],
    ['failed 3 moon', undefined],
    ['ended x 0 own', undefined],
    ['', undefined],
  ])('reads "%s"', (line, report) => {
    expect(parseReport(line)).toEqual(report)
  })
})

describe('the job runner', () => {
  it('reports exit codes, and signals as negative numbers', async () => {
    const runner = openRunner()
    const root = await tempDirectory()
    const bodies = ['exit 0', 'exit 3', 'exit 128', 'kill -TERM $$', 'kill -9 $$', 'exit 255']
    const jobs = await Promise.all(bodies.map((body, index) => writeJob(root, String(index), body)))
    expect(await Promise.all(jobs.map((job) => run(runner, job)))).toEqual([0, 3, 128, -15, -9, 255])
  })

  it('takes any name a file can have', async () => {
    const runner = openRunner()
    const root = await tempDirectory()
    for (const name of [
      'new\nline',
      '-n',
      ' lead and trail ',
      '*?[a]',
      'back\\slash',
      '$(date)`id`',
      'ümläut',
      '~',
    ]) {
      const job = await writeJob(root, name, 'printf "%s" "$_GALAXY_JOB_DIR"; pwd >&2; exit 5')
      expect(await run(runner, job)).toBe(5)
      expect(await readFile(job.stdout, 'utf8')).toBe(job.workingDirectory)
      expect(await readFile(job.stderr, 'utf8')).toBe(`${job.workingDirectory}\n`)
    }
  })

  it('runs a script that may be read but not executed, and empties the files of its streams', async () => {
    const runner = openRunner()
    const job = await writeJob(await tempDirectory(), 'r', 'echo new')
    await chmod(job.script, 0o400)
    await writeFile(job.stdout, 'older and longer')
    await writeFile(job.stderr, 'older')
    expect(await run(runner, job)).toBe(0)
    expect(await readFile(job.stdout, 'utf8')).toBe('new\n')
    expect(await readFile(job.stderr, 'utf8')).toBe('')
  })

  it('hands nothing of its own to the script: the same as if node had started it', async () => {
    const body = [
      'env -0 | sort -z | tr "\\0" "\\n"',
      'grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status; umask; trap; shopt; set -o; ulimit -a; jobs',
    ].join('\n')
    const runner = openRunner()
    const [ours, plain] = await Promise.all(
      ['ours', 'plain'].map(async (id) => writeJob(await tempDirectory(), id, body, false)),
    )
    if (!ours || !plain) throw new Error('two jobs')
    expect(await run(runner, ours)).toBe(0)
    const child = spawn('/bin/bash', [plain.script], {
      cwd: plain.workingDirectory,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...localJobEnvironment(), _GALAXY_JOB_DIR: plain.workingDirectory },
    })
    const expected = (await child.stdout.toArray()).join('')
    const clean = (text: string, job: Submission): string => text.replaceAll(job.directory, 'J')
    expect(clean(await readFile(ours.stdout, 'utf8'), ours)).toBe(clean(expected, plain))
    expect(expected).toContain('SigIgn')
  })

  it('hands no open file on but the streams, whatever the server has open', async () => {
    const runner = openRunner()
    const job = await writeJob(await tempDirectory(), 'f', 'ls -l /proc/$$/fd', false)
    expect(await run(runner, job)).toBe(0)
    const open = [...(await readFile(job.stdout, 'utf8')).matchAll(/ (\d+) -> (.*)/g)]
    // bash has the script open as 255.
    expect(open.map(([, fd, file]) => [fd, file])).toEqual([
      ['0', '/dev/null'],
      ['1', job.stdout],
      ['2', job.stderr],
      ['255', job.script],
    ])
  })

  it('leaves the exit status in the job directory unless the script left its return code', async () => {
    const runner = openRunner()
    const root = await tempDirectory()
    const killed = await writeJob(root, 'k', 'kill -9 $$')
    const done = await writeJob(root, 'd', `echo 4 > ../return_code; exit 6`)
    expect(await Promise.all([run(runner, killed), run(runner, done)])).toEqual([-9, 6])
    expect(await readFile(join(killed.directory, '.magnetar-exit'), 'utf8')).toBe('-9\n')
    expect(await exists(join(done.directory, '.magnetar-exit'))).toBe(false)
  })

  it('does not start a script that has begun before, nor touch the output of that run', async () => {
    const runner = openRunner()
    const job = await writeJob(await tempDirectory(), 'b', ':')
    await writeFile(join(job.directory, 'started'), ':1:1:1\n')
    await writeFile(job.stdout, 'precious')
    const script = await runner.start(job)
    expect([script.pid, await script.ended]).toEqual([undefined, undefined])
    expect(await readFile(job.stdout, 'utf8')).toBe('precious')
  })

  it('leaves no exit status when another run of the script is the one that counts', async () => {
    const runner = openRunner()
    const job = await writeJob(await tempDirectory(), 'o', 'echo ":1:1:1" > ../started', false)
    expect(await run(runner, job)).toBeUndefined()
    expect(await exists(join(job.directory, '.magnetar-exit'))).toBe(false)
  })

  it('says why a script cannot be started, to its job only', async () => {
    const { log, warnings } = collectWarnings()
    const runner = openRunner({ log })
    const root = await tempDirectory()
    const job = await writeJob(root, 'f', ':')
    const cases: [Submission, RegExp][] = [
      [{ ...job, script: join(root, 'none') }, /\(ENOENT\): the script/],
      [{ ...job, workingDirectory: job.script }, /not a directory/],
      [{ ...job, stdout: root }, /\(EISDIR\)/],
      [{ ...job, stderr: join(root, 'none', 'err') }, /\(ENOENT\)/],
    ]
    for (const [broken, reason] of cases) {
      const failure = await runner.start(broken).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(StartFailed)
      expect(String(failure)).toMatch(reason)
    }
    expect(await run(runner, job)).toBe(0)
    expect(warnings).toEqual([])
  })

  it('starts hundreds at once, and nothing waits for them in the end', async () => {
    const runner = openRunner()
    const root = await tempDirectory()
    const ids = Array.from({ length: 200 }, (_, index) => String(index))
    const jobs = await Promise.all(ids.map((id) => writeJob(root, id, `exit ${Number(id) % 100}`)))
    expect(await Promise.all(jobs.map((job) => run(runner, job)))).toEqual(ids.map((id) => Number(id) % 100))
    const helper = await onlyHelper()
    await waitFor(() => leaders(helper).length === 0, { what: 'end of the leaders' })
  })

  it('does not grow with the number of jobs', async () => {
    const runner = openRunner()
    const job = await writeJob(await tempDirectory(), 'm', ':', false)
    const residentPages = async (): Promise<number> =>
      Number((await readFile(`/proc/${await onlyHelper()}/statm`, 'utf8')).split(' ')[1])
    for (let count = 0; count < 50; count += 1) await run(runner, job)
    const before = await residentPages()
    for (let count = 0; count < 250; count += 1) await run(runner, job)
    expect((await residentPages()) - before).toBeLessThan(25)
  })
})
