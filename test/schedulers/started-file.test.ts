import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../../src/lib/exec.js'
import { bootId } from '../../src/schedulers/process-table.js'
import { parseStarted, STARTED_FRAGMENT } from '../../src/schedulers/started-file.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const boot = '1b4e28ba-2fa1-41d2-883f-0016d3cca427'

describe('parseStarted', () => {
  it.each([
    [
      `123:45:6789:${boot}\n`,
      { schedulerJobId: '123', process: { pid: 45, startTime: '6789', bootId: boot } },
    ],
    [
      `:45:6789:${boot}`,
      { schedulerJobId: undefined, process: { pid: 45, startTime: '6789', bootId: boot } },
    ],
    ['', undefined],
    ['123:45:67', undefined],
    ['123:45:6789:', undefined],
  ])('reads %j', (text, expected) => {
    expect(parseStarted(text)).toEqual(expected)
  })
})

async function run(directory: string, env: Record<string, string> = {}) {
  const script = join(directory, "it's (a) script) x.sh")
  await writeFile(script, `${STARTED_FRAGMENT(directory)}\necho body $$\nread -r -a s < /proc/$$/stat\n`, {
    mode: 0o700,
  })
  return runCommand('/bin/bash', [script], { timeoutMs: 10_000, env: { PATH: '/nonexistent', ...env } })
}

describe('the fragment of the job script', () => {
  it('writes who runs the script, with builtins only, and runs it once', async () => {
    const directory = join(await tempDirectory(), `odd "$dir' \`x\``)
    await mkdir(directory)
    const first = await run(directory, { SLURM_JOB_ID: '77' })
    const started = parseStarted(await readFile(join(directory, 'started'), 'utf8'))
    expect(first).toMatchObject({ code: 0, stderr: '', stdout: `body ${started?.process.pid}\n` })
    expect(started).toMatchObject({ schedulerJobId: '77', process: { bootId: bootId() } })
    expect(Number(started?.process.startTime)).toBeGreaterThan(0)
    expect(await run(directory, { SLURM_JOB_ID: '78' })).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(await run(directory)).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  it('lets the same Slurm job run again after a requeue, and no other', async () => {
    const directory = await tempDirectory()
    await run(directory, { SLURM_JOB_ID: '77' })
    expect((await run(directory, { SLURM_JOB_ID: '78', SLURM_RESTART_COUNT: '1' })).stdout).toBe('')
    expect((await run(directory, { SLURM_JOB_ID: '77', SLURM_RESTART_COUNT: '0' })).stdout).toBe('')
    expect((await run(directory, { SLURM_JOB_ID: '77', SLURM_RESTART_COUNT: '1' })).stdout).toMatch(/^body/)
  })

  it('lets one of many that start at once run', async () => {
    const directory = await tempDirectory()
    const runs = await Promise.all(Array.from({ length: 8 }, () => run(directory)))
    expect(runs.filter(({ stdout }) => stdout !== '')).toHaveLength(1)
    expect(runs.map(({ code }) => code)).toEqual(Array(8).fill(0))
  })

  it('does not run the job, and says so, when the file cannot be made', async () => {
    const directory = await tempDirectory()
    const script = `${STARTED_FRAGMENT(join(directory, 'missing'))}\necho body\n`
    const result = await runCommand('/bin/bash', ['-c', script], { timeoutMs: 10_000 })
    expect(result).toMatchObject({ code: 73, stdout: '' })
    expect(result.stderr).toMatch(/^cannot create .*missing\/started: the job was not run\n$/)
  })
})
