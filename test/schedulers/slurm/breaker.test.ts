import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../../src/lib/log.js'
import { SchedulerDown } from '../../../src/schedulers/scheduler.js'
import { createBreaker, NotAsked } from '../../../src/schedulers/slurm/breaker.js'

function setUp() {
  const world = { nowMs: 0, up: false, pings: 0, warnings: 0, infos: 0 }
  const breaker = createBreaker({
    log: { ...silentLogger, warn: () => world.warnings++, info: () => world.infos++ },
    ping: async () => {
      world.pings += 1
      return world.up
    },
    minPauseMs: 100,
    maxPauseMs: 400,
    now: () => world.nowMs,
  })
  const fail = () => breaker.guard(async () => Promise.reject(new SchedulerDown('no')))
  const work = () => breaker.guard(async () => 'done')
  return { world, breaker, fail, work }
}

describe('the breaker', () => {
  it('lets everything through while the controller answers', async () => {
    const { world, work } = setUp()
    expect(await work()).toBe('done')
    expect(world).toMatchObject({ pings: 0, warnings: 0, infos: 0 })
  })

  it('runs nothing but a ping, ever more rarely, once it does not', async () => {
    const { world, fail, work } = setUp()
    await expect(fail()).rejects.toThrow(SchedulerDown)
    for (let n = 0; n < 100; n++) await expect(work()).rejects.toBeInstanceOf(NotAsked)
    expect(world.pings).toBe(0)
    const pingedAt: number[] = []
    for (world.nowMs = 10; world.nowMs <= 2000; world.nowMs += 10) {
      const before = world.pings
      await expect(work()).rejects.toBeInstanceOf(NotAsked)
      if (world.pings > before) pingedAt.push(world.nowMs)
    }
    expect(pingedAt).toEqual([100, 300, 700, 1100, 1500, 1900])
    expect(world).toMatchObject({ warnings: 1, infos: 0 })
  })

  it('tries one command after a good ping, and opens for all when that succeeds', async () => {
    const { world, breaker, fail, work } = setUp()
    await expect(fail()).rejects.toThrow()
    Object.assign(world, { nowMs: 100, up: true })
    let end = (_: string) => {}
    const trial = breaker.guard(
      () =>
        new Promise<string>((resolve) => {
          end = resolve
        }),
    )
    await expect(work()).rejects.toBeInstanceOf(NotAsked)
    end('trial')
    expect(await trial).toBe('trial')
    expect(await work()).toBe('done')
    expect(world).toMatchObject({ pings: 1, warnings: 1, infos: 1 })
  })

  it('stays shut when the ping is good and the command still fails', async () => {
    const { world, fail, work } = setUp()
    await expect(fail()).rejects.toThrow()
    Object.assign(world, { nowMs: 100, up: true })
    await expect(fail()).rejects.not.toBeInstanceOf(NotAsked)
    await expect(work()).rejects.toBeInstanceOf(NotAsked)
    expect(world).toMatchObject({ warnings: 1, infos: 0 })
  })
})
