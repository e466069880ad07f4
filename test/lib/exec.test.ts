import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CommandNotStarted, runCommand } from '../../src/lib/exec.js'
import { readProcess } from '../../src/schedulers/process-table.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

const timeoutMs = 20_000

function sh(script: string, options: Partial<Parameters<typeof runCommand>[2]> = {}) {
  return runCommand('/bin/sh', ['-c', script], { timeoutMs, ...options })
}

describe('runCommand', () => {
  it('keeps both ends of a long output where that is asked for', async () => {
    const ends = { maxOutputBytes: 8, keep: 'ends' } as const
    expect(await sh('printf 12345678', ends)).toMatchObject({ stdout: '12345678', truncated: false })
    expect(await sh('printf 123456789', ends)).toMatchObject({
      stdout: '1234\n[1 bytes are left out]\n6789',
      truncated: true,
    })
    const long = await sh('seq 1 300000; printf "the end" >&2', { ...ends, maxOutputBytes: 1001 })
    expect(long.stdout).toMatch(/^1\n2\n3\n[\s\S]*\n\[\d+ bytes are left out\]\n[\s\S]*\n299999\n300000\n$/)
    expect(long.stdout.replace(/\n\[\d+ bytes are left out\]\n/, '')).toHaveLength(1001)
    expect(long.stderr).toBe('the end')
  })

  it('gives both streams and the exit code, which is no error', async () => {
    expect(await sh('echo out; echo err >&2; exit 3')).toEqual({
      code: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
      timedOut: false,
      truncated: false,
    })
  })

  it('passes directory, environment and input, and reads nothing when there is no input', async () => {
    const cwd = await tempDirectory()
    const result = await sh('pwd; echo $A; cat', {
      cwd,
      env: { A: 'b', PATH: process.env.PATH },
      input: 'in',
    })
    expect(result.stdout).toBe(`${cwd}\nb\nin`)
    expect((await sh('cat')).stdout).toBe('')
  })

  it('keeps a bounded part of the output and says so', async () => {
    const result = await sh('echo 123456789', { maxOutputBytes: 4 })
    expect(result).toMatchObject({ code: 0, stdout: '1234', truncated: true })
    expect(await sh('printf 1234', { maxOutputBytes: 4 })).toMatchObject({ stdout: '1234', truncated: false })
  })

  it('ends the whole process group when the time is up, also what ignores SIGTERM', async () => {
    const directory = await tempDirectory()
    const file = join(directory, 'pid')
    const script = `sh -c 'trap "" TERM; echo $$ > ${file}; while :; do sleep 0.05; done' & wait`
    const running = sh(script, { timeoutMs: 300, killGraceMs: 50 })
    const pid = await waitFor(async () => Number(await readFile(file, 'utf8').catch(() => '')) || undefined, {
      what: 'pid',
    })
    expect(await running).toMatchObject({ timedOut: true, code: null })
    await waitFor(() => readProcess(pid) === undefined, { what: 'end of the child' })
  })

  it('does not wait for a process that left the group and holds the streams', async () => {
    const result = await sh('setsid sleep 5 & wait', { timeoutMs: 50, killGraceMs: 10 })
    expect(result.timedOut).toBe(true)
  })

  it('ends the command when it is aborted, and rejects with the reason', async () => {
    const controller = new AbortController()
    const running = sh('kill -STOP $$', { signal: controller.signal, killGraceMs: 10 })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(running).rejects.toBe(reason)
    await expect(sh('true', { signal: controller.signal })).rejects.toBe(reason)
  })

  it('tells a missing program from a missing directory', async () => {
    const program = await runCommand('magnetar-no-such-program', [], { timeoutMs }).catch(
      (error: unknown) => error,
    )
    expect(program).toBeInstanceOf(CommandNotStarted)
    expect(program).toMatchObject({ errno: 'ENOENT', command: 'magnetar-no-such-program' })
    const directory = await sh('true', { cwd: '/no/such/directory' }).catch((error: unknown) => error)
    expect(directory).toMatchObject({
      errno: 'ENOTDIR',
      message: expect.stringContaining('/no/such/directory'),
    })
  })

  it('reports an argument list that is too long', async () => {
    const long = 'x'.repeat(3_000_000)
    const failed = await runCommand('/bin/true', [long], { timeoutMs }).catch((error: unknown) => error)
    expect(failed).toMatchObject({ name: 'CommandNotStarted', errno: 'E2BIG' })
  })
})
