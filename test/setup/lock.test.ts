import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { lockNode } from '../../src/setup/lock.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { bundleProgram } from './bundle-program.js'

const { signal } = new AbortController()

/** Another process that has the lock, and keeps it until it is killed. */
async function startHolder(
  prefix: string,
): Promise<{ pid: number; kill(how: NodeJS.Signals): Promise<void> }> {
  const module = await bundleProgram('src/setup/lock.ts')
  const program = `
    import { lockNode } from ${JSON.stringify(module)}
    await lockNode(process.argv[1], new AbortController().signal)
    console.log('locked')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, prefix], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  expect(String((await once(child.stdout, 'data'))[0])).toBe('locked\n')
  return {
    pid: child.pid ?? -1,
    async kill(how) {
      const ended = once(child, 'exit')
      child.kill(how)
      if (how === 'SIGKILL') await ended
    },
  }
}

describe('lockNode', () => {
  it('lets one have a node at a time, leaves nothing behind, and needs no prefix', async () => {
    const directory = await tempDirectory()
    const prefix = join(directory, 'srv', 'pulsar')
    const release = await lockNode(prefix, signal)
    await expect(lockNode(prefix, signal)).rejects.toMatchObject({
      code: 'SETUP_BUSY',
      message: `the node at ${prefix} is being changed by process ${process.pid}`,
      fix: expect.stringContaining(`ps -fp ${process.pid}`),
    })
    await (await lockNode(join(directory, 'srv', 'other'), signal))()
    await release()
    await (await lockNode(prefix, signal))()
    expect(readdirSync(directory)).toEqual([])
  })

  it('knows the node by every path to it, also when the prefix has been made meanwhile', async () => {
    const directory = await tempDirectory()
    const prefix = join(directory, 'real', 'pulsar')
    const release = await lockNode(prefix, signal)
    mkdirSync(prefix, { recursive: true })
    symlinkSync('real', join(directory, 'link'))
    for (const other of [prefix, join(directory, 'link', 'pulsar'), `${prefix}/../pulsar`])
      await expect(lockNode(other, signal)).rejects.toMatchObject({ code: 'SETUP_BUSY' })
    await release()
  })

  it('names another process, and has the lock as soon as that is gone, however it ends', async () => {
    const prefix = join(await tempDirectory(), 'pulsar')
    const holder = await startHolder(prefix)
    await expect(lockNode(prefix, signal)).rejects.toMatchObject({
      message: expect.stringContaining(`process ${holder.pid}`),
    })
    await holder.kill('SIGKILL')
    await (await lockNode(prefix, signal))()
  })

  it('refuses also when the holder is stopped and cannot say who it is', async () => {
    const prefix = join(await tempDirectory(), 'pulsar')
    const holder = await startHolder(prefix)
    await holder.kill('SIGSTOP')
    await expect(lockNode(prefix, signal)).rejects.toMatchObject({
      code: 'SETUP_BUSY',
      message: expect.stringContaining('another process, which does not say its id'),
    })
    const aborted = lockNode(prefix, AbortSignal.timeout(50))
    await expect(aborted).rejects.toMatchObject({ name: 'TimeoutError' })
    await holder.kill('SIGKILL')
    await (await lockNode(prefix, signal))()
  })
})
