import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { MagnetarError } from '../../src/lib/errors.js'
import { createTaskPool, type PoolOptions } from '../../src/lib/task-pool.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const tasks = {
  add: (a: number, b: number): number => a + b,
  missing: (): never => {
    throw new MagnetarError('FILE_NOT_FOUND', 'not there', {
      cause: Object.assign(new Error('x'), { code: 'ENOENT' }),
    })
  },
  full: (): never => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
  },
  die: (): never => process.exit(3),
  hog: (): void => {},
}

/** The compiled side of the pool, with the same tasks written again in JavaScript: a worker cannot load TypeScript. */
async function pool(options: PoolOptions = {}): Promise<ReturnType<typeof createTaskPool<typeof tasks>>> {
  const directory = await tempDirectory()
  const file = path.join(directory, 'worker.mjs')
  const lib = pathToFileURL(path.resolve('dist/lib')).href
  writeFileSync(
    file,
    `import { MagnetarError } from '${lib}/errors.js'
import { serveTasks } from '${lib}/serve-tasks.js'
serveTasks({
  add: (a, b) => a + b,
  missing: () => { throw new MagnetarError('FILE_NOT_FOUND', 'not there', { cause: Object.assign(new Error('x'), { code: 'ENOENT' }) }) },
  full: () => { throw Object.assign(new Error('no space'), { code: 'ENOSPC' }) },
  die: () => process.exit(3),
  hog: () => { const all = []; for (;;) all.push(String(Math.random())) },
})`,
  )
  return createTaskPool(pathToFileURL(file), tasks, options)
}

describe('createTaskPool', () => {
  it('runs tasks in a worker and gives back what they return', async () => {
    const { add } = await pool()
    expect(await Promise.all([add(1, 2), add(3, 4)])).toEqual([3, 7])
  })

  it('keeps the code of a MagnetarError and of a system error', async () => {
    const { missing, full } = await pool()
    await expect(missing()).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', message: 'not there' })
    await expect(missing()).rejects.toBeInstanceOf(MagnetarError)
    await expect(full()).rejects.toMatchObject({ code: 'ENOSPC' })
  })

  it('rejects what a dying worker had to do, and goes on with a new one', async () => {
    const { add, die } = await pool()
    await expect(die()).rejects.toThrow()
    expect(await add(1, 1)).toBe(2)
  })

  it('lets a call that dies, or needs too much memory, concern no other when each has a thread of its own', async () => {
    const { add, die, hog } = await pool({ isolated: true, threads: 2, heapMb: 32 })
    const calls = [hog(), add(1, 2), die(), add(3, 4), hog(), add(5, 6)]
    const results = await Promise.allSettled(calls)
    expect(
      results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code)),
    ).toEqual(['ERR_WORKER_OUT_OF_MEMORY', 3, undefined, 7, 'ERR_WORKER_OUT_OF_MEMORY', 11])
  })

  it('calls the tasks in this thread when it runs from TypeScript sources', async () => {
    const inline = createTaskPool(new URL('file:///somewhere/worker.ts'), tasks)
    expect(await inline.add(1, 2)).toBe(3)
  })
})
