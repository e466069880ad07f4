import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createCondaManager } from '../../../src/dependencies/conda/manage.js'
import { lockPrefix } from '../../../src/dependencies/conda/prefix-lock.js'
import { readSettings } from '../../../src/dependencies/conda/settings.js'
import { silentLogger } from '../../../src/lib/log.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { waitFor } from '../../helpers/wait-for.js'

const { signal } = new AbortController()

/** Another process, which holds the lock of the prefix until its input ends. */
async function holdLock(prefix: string) {
  await mkdir(join(prefix, '.magnetar'), { recursive: true })
  const script = 'exec 3>>"$0/.magnetar/lock"; flock -x 3; echo held; read line'
  const child = spawn('sh', ['-c', script, prefix, 'https://host/t/sesame/x'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  return { pid: child.pid, release: () => child.stdin.end() }
}

describe('the lock of a Conda that another process holds', () => {
  it('is waited for, and the log names who holds it', async () => {
    const prefix = join(await tempDirectory(), '_conda')
    const holder = await holdLock(prefix)
    const said: string[] = []
    const log = { ...silentLogger, info: (text: object | string) => void said.push(String(text)) }
    const waiting = lockPrefix(prefix, '__a@1', log, signal, 1)
    try {
      await waitFor(() => said.length > 0, { what: 'a word in the log' })
    } finally {
      holder.release()
    }
    await (await waiting)?.release()
    expect(said).toHaveLength(1)
    expect(said[0]).toContain(
      `waits for the lock ${prefix}/.magnetar/lock, held by process ${holder.pid} (sh -c`,
    )
    expect(said[0]).not.toContain('sesame')
  })

  it('is named when nothing can be removed', async () => {
    const prefix = join(await tempDirectory(), '_conda')
    const holder = await holdLock(prefix)
    const context = { baseDirectory: prefix, nodeOption: () => undefined, cwd: prefix, env: process.env }
    const manager = createCondaManager(readSettings({ type: 'conda', options: { prefix } }, context))
    try {
      await expect(manager.remove(['__a@1'], signal)).rejects.toMatchObject({
        code: 'CONDA_FAILED',
        message: expect.stringContaining(`by process ${holder.pid} (sh -c`),
      })
    } finally {
      holder.release()
    }
  })
})
