import { describe, expect, it } from 'vitest'
import { defineExamination } from '../../src/doctor/define-examination.js'
import { runDoctor } from '../../src/doctor/run-doctor.js'
import type { DoctorFacts, Finding } from '../../src/doctor/types.js'

const facts = {} as DoctorFacts
const examination = (id: string, examine: (signal: AbortSignal) => Promise<readonly Finding<string>[]>) =>
  defineExamination({
    id,
    title: id,
    group: 'Node',
    timeoutMs: 50,
    findings: {},
    examine: (_facts, signal) => examine(signal) as Promise<readonly Finding<never>[]>,
  })
const fine = (id: string) => examination(id, async () => [{ id, state: 'ok', message: 'fine' }])
const run = (...examinations: ReturnType<typeof fine>[]) =>
  runDoctor(examinations, facts, new AbortController().signal)

describe('the runner of examinations', () => {
  it('goes on when one hangs, and says which', async () => {
    const { results } = await run(
      examination('deaf', () => new Promise(() => {})),
      examination(
        'obedient',
        (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      ),
      fine('other'),
    )
    expect(results.map(({ findings }) => findings.map(({ id, state }) => [id, state]))).toEqual([
      [['no-answer', 'fail']],
      [['no-answer', 'fail']],
      [['other', 'ok']],
    ])
    expect(results[0]?.findings[0]?.message).toContain('deaf: no answer within 0.05 s')
  })

  it('makes a finding of what one of them throws', async () => {
    const { results } = await run(
      examination('bad', async () => Promise.reject(new Error('EIO'))),
      fine('other'),
    )
    expect(results[0]?.findings).toMatchObject([
      { id: 'examination-failed', state: 'warn', message: 'could not be examined: EIO' },
    ])
    expect(results[1]?.findings).toMatchObject([{ state: 'ok' }])
  })

  it('tells them in the order of the registry, whichever ends first', async () => {
    const told: string[] = []
    let release: () => void = () => {}
    const later = new Promise<void>((resolve) => {
      release = resolve
    })
    const slow = { ...examination('slow', async () => later.then(() => [])), timeoutMs: 10_000 }
    const quick = examination('quick', async () => {
      release()
      return []
    })
    await runDoctor([slow, quick], facts, new AbortController().signal, (each) =>
      told.push(each.examination.id),
    )
    expect(told).toEqual(['slow', 'quick'])
  })

  it('ends with the reason of a signal', async () => {
    const controller = new AbortController()
    const hang = { ...examination('deaf', () => new Promise(() => {})), timeoutMs: 60_000 }
    const running = runDoctor([hang], facts, controller.signal)
    controller.abort(new Error('interrupted'))
    await expect(running).rejects.toThrow('interrupted')
  })
})
