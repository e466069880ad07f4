import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'

const file = pathToFileURL(resolve('bin/run-and-exit.js')).href

/** A program that runs `body`, an async function's, and whose output nobody has read yet. */
function start(body: string, stdout: 'pipe' | number = 'pipe') {
  const script = `import { runAndExit } from ${JSON.stringify(file)}\nawait runAndExit(async () => { ${body} })`
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', stdout, 'pipe', 'ipc'],
    timeout: 30_000,
  })
}

describe('runAndExit', () => {
  it('ends with the exit code, after a slow reader has got all', async () => {
    const bytes = 8 << 20
    const child = start(`process.stdout.write('x'.repeat(${bytes})); process.send('written'); return 3`)
    const closed = once(child, 'close')
    await once(child, 'message')
    let read = 0
    child.stdout?.on('data', (chunk: Buffer) => {
      read += chunk.length
    })
    expect(await closed).toEqual([3, null])
    expect(read).toBe(bytes)
  })

  it('lets the work go on when the reader has left, and calls that no error', async () => {
    const child = start(
      `process.send('up'); await new Promise((r) => process.once('message', r));
       for (let i = 0; i < 9; i++) { process.stdout.write('x\\n'); await new Promise(setImmediate) }
       process.send('worked'); return 0`,
    )
    const closed = once(child, 'close')
    await once(child, 'message')
    child.stdout?.destroy()
    child.send('go')
    expect((await once(child, 'message'))[0]).toBe('worked')
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk
    })
    expect(await closed).toEqual([0, null])
    expect(said).toBe('')
  })

  it('does not call output written that was not', async () => {
    const child = start(`process.stdout.write('x'); return 0`, openSync('/dev/full', 'w'))
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk
    })
    expect(await once(child, 'close')).toEqual([1, null])
    expect(said).toMatch(/^magnetar: the output could not be written: ENOSPC/)
  })
})
