import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { mkdir, open, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { readProcess } from '../../../src/schedulers/process-table.js'
import { disk } from '../../../src/staging/http/disk.js'
import { readPartNote, writePartNote } from '../../../src/staging/part-note.js'
import { openKeyFile } from '../../../src/staging/ssh/key-file.js'
import {
  checkPart,
  childPathOf,
  openFreshPart,
  openResumedPart,
} from '../../../src/staging/ssh/local-part.js'
import { watchGrowth } from '../../../src/staging/ssh/watch-growth.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools, openBelow } from '../../helpers/transfer-tools.js'
import { waitFor, waitForEvent } from '../../helpers/wait-for.js'

describe('the file of a key', () => {
  it('can be read by a child, has no name, and is gone when it is closed', () => {
    const key = openKeyFile('the key\n')
    expect(execFileSync('cat', [key.path], { encoding: 'utf8' })).toBe('the key\n')
    const stats = fs.statSync(key.path)
    expect(stats).toMatchObject({ nlink: 0, uid: process.getuid?.() })
    expect(stats.mode & 0o777).toBe(0o600)
    key.close()
    expect(fs.existsSync(key.path)).toBe(false)
  })
})

describe('a part for rsync', () => {
  const place = async () => {
    const base = path.join(await tempDirectory(), 'inputs')
    await mkdir(base)
    return { base, to: { base, components: ['d', 'f'] }, tools: createTransferTools() }
  }

  it('keeps what a child wrote to it for the next attempt', async () => {
    const { base, to, tools } = await place()
    const first = await openResumedPart(to, tools)
    expect(first.size).toBe(0)
    execFileSync('sh', ['-c', 'printf abc > "$1"', 'sh', childPathOf(first)])
    expect(await checkPart(first, 3, 'x')).toBe(3)
    await disk.closePartFile(first)
    const second = await openResumedPart(to, tools.again())
    expect(second.size).toBe(3)
    expect(await readdir(path.join(base, 'd'))).toHaveLength(1)
    await disk.closePartFile(second)
    expect(openBelow(base)).toEqual([])
  })

  it('takes over the bytes of another process, whose rsync may still be writing', async () => {
    const { base, to, tools } = await place()
    await mkdir(path.join(base, 'd'))
    const name = 'f'.repeat(24)
    await writeFile(path.join(base, 'd', `.magnetar-upload-part-${name}`), 'abc')
    const orphan = await open(path.join(base, 'd', `.magnetar-upload-part-${name}`), 'a')
    await writePartNote(tools, 'rsync', name)
    const part = await openResumedPart(to, tools)
    await orphan.write('from the orphan')
    await orphan.close()
    expect(part.size).toBe(3)
    expect(await readFile(childPathOf(part), 'utf8')).toBe('abc')
    expect(readPartNote(tools, 'rsync')).not.toBe(name)
    expect(await readdir(path.join(base, 'd'))).toHaveLength(1)
    await disk.discardNewFile(part)
    expect(openBelow(base)).toEqual([])
  })

  it('of scp begins anew and leaves nothing of the last', async () => {
    const { base, to, tools } = await place()
    const first = await openFreshPart(to, tools)
    await writeFile(childPathOf(first), 'abc')
    await disk.closePartFile(first)
    const second = await openFreshPart(to, tools.again())
    expect(second.size).toBe(0)
    expect(await readdir(path.join(base, 'd'))).toHaveLength(1)
    await disk.discardNewFile(second)
    expect(await readdir(path.join(base, 'd'))).toEqual([])
  })

  it('is believed only when it is the file that we hold, with all its bytes', async () => {
    const { to, tools } = await place()
    const part = await openResumedPart(to, tools)
    await writeFile(childPathOf(part), 'abc')
    await expect(checkPart(part, 4, 'rsync')).rejects.toMatchObject({
      transient: true,
      message: 'rsync ended with 3 of 4 bytes',
    })
    fs.renameSync(childPathOf(part), `${childPathOf(part)}-moved`)
    await writeFile(childPathOf(part), 'abc')
    await expect(checkPart(part, 3, 'rsync')).rejects.toMatchObject({
      transient: true,
      message: expect.stringContaining('something else took the place'),
    })
    await disk.closePartFile(part)
  })

  it.each([
    'scp 00',
    'rsync ../../x',
    'rsync',
    'copy ffffffffffffffff',
    '{}',
  ])('does not trust the note %j', (note) => {
    expect(readPartNote(createTransferTools(undefined, note), 'rsync')).toBeUndefined()
  })

  it('goes on without a note that cannot be kept', async () => {
    const tools = createTransferTools()
    const memory = { get: () => undefined, set: () => Promise.reject(new Error('store closed')) }
    await writePartNote({ ...tools, memory }, 'rsync', 'f'.repeat(24))
    expect(tools.log.lines).toEqual([expect.stringContaining('store closed')])
  })
})

describe('the growth of a file', () => {
  const watched = async (stallMs?: number) => {
    const file = await open(path.join(await tempDirectory(), 'f'), 'w+')
    onTestFinished(() => file.close())
    await file.write('abc')
    const reported: number[] = []
    const cancel = new AbortController()
    let report = (_bytes: number): void => {}
    const grown = new Promise<number>((resolve) => {
      report = resolve
    })
    const watch = watchGrowth(file.fd, 3, {
      signal: cancel.signal,
      doing: 'scp from h:/f',
      lookEveryMs: 1,
      ...(stallMs === undefined ? {} : { stallMs }),
      progress: (bytes) => {
        reported.push(bytes)
        report(bytes)
      },
    })
    onTestFinished(() => watch.stop())
    return { file, watch, cancel, grown, reported }
  }

  it('is reported from where it was', async () => {
    const { file, watch, grown } = await watched()
    await file.write('defgh')
    expect(await grown).toBe(5)
    expect(watch.reported()).toBe(5)
    expect(watch.signal.aborted).toBe(false)
  })

  it('that ends for too long aborts, as something that may pass', async () => {
    const { watch } = await watched(0)
    if (!watch.signal.aborted)
      await new Promise((resolve) => watch.signal.addEventListener('abort', resolve, { once: true }))
    expect(watch.signal.reason).toMatchObject({
      name: 'TransferError',
      transient: true,
      message: 'scp from h:/f: nothing has arrived for 0 minutes',
    })
  })

  it('passes on a cancel', async () => {
    const { watch, cancel } = await watched()
    cancel.abort(new Error('cancelled'))
    expect(watch.signal.reason).toMatchObject({ message: 'cancelled' })
  })
})

describe('running a program', () => {
  /** A directory of programs that is all there is on PATH. */
  async function onlyPrograms(programs: Record<string, string>): Promise<string> {
    const directory = await tempDirectory()
    for (const [name, script] of Object.entries(programs)) {
      if (script.startsWith('/')) await symlink(script, path.join(directory, name))
      else {
        await writeFile(path.join(directory, name), `#!/bin/sh\n${script}\n`)
        fs.chmodSync(path.join(directory, name), 0o755)
      }
    }
    const before = process.env.PATH
    process.env.PATH = directory
    onTestFinished(() => {
      process.env.PATH = before
    })
    return directory
  }

  /** As in a server that has just started: what is known of this machine's programs is forgotten. */
  async function run(
    program: 'rsync' | 'scp' | 'ssh',
    signal = new AbortController().signal,
  ): Promise<string> {
    vi.resetModules()
    const { runProgram } = await import('../../../src/staging/ssh/run-program.js')
    return runProgram({
      program,
      args: ['a'],
      doing: `${program} to h`,
      names: [],
      timeoutMs: 20_000,
      signal,
    })
  }

  it('says for good that one is not installed, and what to do', async () => {
    const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((each) => fs.existsSync(each))
    for (const programs of [{}, setpriv ? { setpriv, true: '/bin/true' } : {}]) {
      await onlyPrograms(programs)
      await expect(run('rsync')).rejects.toMatchObject({
        name: 'TransferError',
        transient: false,
        message: 'there is no rsync on this node: install the package rsync',
      })
      await expect(run('scp')).rejects.toMatchObject({ message: expect.stringContaining('openssh-client') })
    }
  })

  it('gives it plain English and no options by environment', async () => {
    await onlyPrograms({
      rsync: 'echo "$LC_ALL ${RSYNC_RSH-none} $1"',
      setpriv: 'shift 3; exec "$@"',
      true: '/bin/true',
    })
    process.env.RSYNC_RSH = 'bad'
    onTestFinished(() => {
      delete process.env.RSYNC_RSH
    })
    expect(await run('rsync')).toBe('C none a\n')
  })

  it('ends it, and all that it started, with the signal', async () => {
    const directory = await onlyPrograms({
      ssh: `sleep 1000 & echo $! > "$0.pid.new"; mv "$0.pid.new" "$0.pid"; wait`,
      setpriv: 'shift 3; exec "$@"',
      sleep: '/bin/sleep',
      mv: '/bin/mv',
    })
    const cancel = new AbortController()
    const ready = fs.watch(directory)
    onTestFinished(() => ready.close())
    const running = run('ssh', cancel.signal)
    const failed = expect(running).rejects.toThrow('cancelled')
    const pidFile = path.join(directory, 'ssh.pid')
    while (!fs.existsSync(pidFile)) await waitForEvent(ready, 'change', { what: 'a started program' })
    const pid = Number(await readFile(pidFile, 'utf8'))
    cancel.abort(new Error('cancelled'))
    await failed
    await waitFor(() => readProcess(pid) === undefined, { what: 'end of what it started' })
  })
})
