import { describe, expect, it } from 'vitest'
import { CommandNotStarted, type CommandResult } from '../../../src/lib/exec.js'
import { silentLogger } from '../../../src/lib/log.js'
import { SchedulerDown } from '../../../src/schedulers/scheduler.js'
import { createAccounting } from '../../../src/schedulers/slurm/accounting.js'
import type { SlurmCommand } from '../../../src/schedulers/slurm/command.js'
import { createStateQuery } from '../../../src/schedulers/slurm/state-query.js'

const none = { code: 0, signal: null, stdout: '', stderr: '', timedOut: false, truncated: false }

/** A cluster with these jobs (`id state exit owner`), which answers as Slurm 22.05 does; notes what it was asked. */
function setUp(
  jobs: Record<string, { state: string; exit?: number; uid?: number }>,
  options: { unknownUser?: boolean; sacct?: Partial<CommandResult> } = {},
) {
  const asked: string[][] = []
  const unknownStates: string[] = []
  const run = async ({ program, args }: SlurmCommand): Promise<CommandResult> => {
    asked.push([program, ...args])
    if (program === 'sacct')
      return { ...none, ...(options.sacct ?? { code: 1, stderr: 'Slurm accounting storage is disabled' }) }
    const value = (flag: string) => (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined)
    const [uid, ids] = [value('-u'), value('-j')?.split(',')]
    if (uid !== undefined && options.unknownUser)
      return { ...none, stderr: `squeue: error: Invalid user: ${uid}\n` }
    const shown = Object.entries(jobs).filter(
      ([id, job]) => (ids?.includes(id) ?? true) && (uid === undefined || Number(uid) === (job.uid ?? 1000)),
    )
    if (shown.length === 0 && ids?.length === 1)
      return { ...none, code: 1, stderr: 'slurm_load_jobs error: Invalid job id specified\n' }
    const lines = shown.map(([id, job]) =>
      [id, id, job.state, 'None', job.exit ?? 0, `/w/${id}`, `/j/${id}/command.sh`, `n${id}`, ''].join(
        '\x1f',
      ),
    )
    return { ...none, stdout: lines.map((line) => `${line}\n`).join('') }
  }
  const accounting = createAccounting(run, silentLogger)
  const query = createStateQuery({
    run,
    accounting,
    userId: 1000,
    onUnknownState: (word) => unknownStates.push(word),
  })
  const ask = (client: object, ...ids: string[]) =>
    query.ask(client, new Map(ids.map((id) => [id, undefined])))
  const count = (program: string) => asked.filter(([name]) => name === program).length
  return { query, ask, asked, count, unknownStates }
}

const [a, b] = [{}, {}]

describe('asking Slurm for the states of jobs', () => {
  it('asks once for all managers that ask at the same time', async () => {
    const { ask, asked } = setUp({ '1': { state: 'RUNNING' }, '2': { state: 'PENDING' } })
    const [first, second] = await Promise.all([ask(a, '1'), ask(b, '2')])
    expect(first).toEqual(new Map([['1', { state: 'running' }]]))
    expect(second).toEqual(new Map([['2', { state: 'queued' }]]))
    expect(asked).toHaveLength(1)
    expect(asked[0]?.slice(-2)).toEqual(['-j', '1,2'])
  })

  it('asks along for the jobs of a manager whose tick falls a moment later', async () => {
    const { ask, count } = setUp({
      '1': { state: 'RUNNING' },
      '2': { state: 'PENDING' },
      '3': { state: 'PENDING' },
    })
    await Promise.all([ask(a, '1'), ask(b, '2')])
    await ask(a, '1')
    await ask(b, '2')
    expect(count('squeue')).toBe(1)
    // A job that the answer is not about needs another one.
    expect(await ask(b, '2', '3')).toEqual(
      new Map([
        ['2', { state: 'queued' }],
        ['3', { state: 'queued' }],
      ]),
    )
    expect(count('squeue')).toBe(2)
  })

  it('never has two queries under way', async () => {
    const { ask, asked } = setUp({ '1': { state: 'RUNNING' }, '2': { state: 'RUNNING' } })
    const first = ask(a, '1')
    await new Promise((resolve) => setTimeout(resolve, 4))
    await Promise.all([first, ask(b, '2'), ask(b, '2')])
    expect(asked.length).toBeLessThanOrEqual(2)
  })

  it('takes a job for gone only when it is not among those of other users either', async () => {
    const { ask, asked } = setUp({ '1': { state: 'RUNNING' }, '2': { state: 'RUNNING', uid: 0 } })
    expect(await ask(a, '1', '2', '3')).toEqual(
      new Map([
        ['1', { state: 'running' }],
        ['2', { state: 'running' }],
        ['3', { state: 'gone', forgotten: true }],
      ]),
    )
    expect(asked.slice(0, 2).map((args) => args.includes('-u'))).toEqual([true, false])
    expect(asked[1]?.slice(-2)).toEqual(['-j', '2,3'])
  })

  it('does not ask again for what is gone, nor a kind of accounting that is not there', async () => {
    const { ask, count } = setUp({ '1': { state: 'RUNNING' } })
    expect((await ask(a, '8')).get('8')).toEqual({ state: 'gone', forgotten: true })
    // Plain and with the completion log.
    expect([count('squeue'), count('sacct')]).toEqual([2, 2])
    await ask(a, '8', '9')
    expect([count('squeue'), count('sacct')]).toEqual([4, 2])
  })

  it('asks at once for an id that Slurm gives a second time, after it was gone', async () => {
    const jobs: Record<string, { state: string }> = { '1': { state: 'RUNNING' } }
    const { ask, query } = setUp(jobs)
    await ask(a, '8')
    jobs['8'] = { state: 'PENDING' }
    query.isNew('8')
    expect((await ask(a, '8')).get('8')).toEqual({ state: 'queued' })
  })

  it('asks sacct how a job ended that squeue has forgotten', async () => {
    const { ask } = setUp({}, { sacct: { stdout: '8\x1fTIMEOUT\x1f0:0\x1fn8\n9\x1fRUNNING\x1f0:0\x1fn9\n' } })
    const reports = await ask(a, '8', '9')
    expect(reports.get('8')?.failure).toContain('TIMEOUT')
    expect(reports.get('9')).toEqual({ state: 'gone', forgotten: true })
  })

  it('does without the user where that has no name', async () => {
    const { ask, asked } = setUp({ '1': { state: 'RUNNING' } }, { unknownUser: true })
    expect((await ask(a, '1')).get('1')).toEqual({ state: 'running' })
    await ask(b, '1', '5')
    expect(asked.filter((args) => args.includes('-u'))).toHaveLength(1)
  })

  it('does not list ids beyond what a command line holds', async () => {
    const jobs = Object.fromEntries(
      Array.from({ length: 3000 }, (_, n) => [String(n + 1), { state: 'RUNNING' }]),
    )
    const { ask, asked } = setUp(jobs)
    expect((await ask(a, ...Object.keys(jobs))).size).toBe(3000)
    expect(asked).toHaveLength(1)
    expect(asked[0]).not.toContain('-j')
  })

  it('leaves out a job in an unknown state, and one whose id means another job is gone', async () => {
    const { ask, query, unknownStates } = setUp({ '1': { state: 'DANCING' }, '2': { state: 'RUNNING' } })
    expect(await ask(a, '1')).toEqual(new Map())
    expect(unknownStates).toEqual(['DANCING'])
    const other = await query.ask(b, new Map([['2', { name: 'x', workingDirectory: '/w/2' }]]))
    expect(other.get('2')).toEqual({ state: 'gone', forgotten: true })
  })

  it('tells each manager of its own job when both have the same id, as Slurm gave it twice', async () => {
    const { query } = setUp({ '2': { state: 'COMPLETED' } })
    const [lost, own] = await Promise.all([
      query.ask(a, new Map([['2', { name: 'n1', workingDirectory: '/w/1', script: '/j/1/command.sh' }]])),
      query.ask(b, new Map([['2', { name: 'n2', workingDirectory: '/w/2', script: '/j/2/command.sh' }]])),
    ])
    expect(lost.get('2')).toEqual({ state: 'gone', forgotten: true })
    expect(own.get('2')).toMatchObject({ state: 'ended', exitCode: 0 })
  })

  it('takes nothing from an answer that was under way when Slurm gave the id a second time', async () => {
    let isKnown = false
    const line = ['8', '8', 'PENDING', 'None', '0', '/w', '/x', 'n', ''].join('\x1f')
    const unknown = { ...none, code: 1, stderr: 'slurm_load_jobs error: Invalid job id specified\n' }
    const query = createStateQuery({
      run: async () => (isKnown ? { ...none, stdout: line } : unknown),
      accounting: {
        async lookUp() {
          isKnown = true
          query.isNew('8')
          return []
        },
      },
      userId: undefined,
      onUnknownState: () => {},
    })
    const wanted = new Map([['8', undefined]])
    expect(await query.ask(a, wanted)).toEqual(new Map())
    expect((await query.ask(a, wanted)).get('8')).toEqual({ state: 'queued' })
  })

  it('knows a job by its script that a Python server submitted from elsewhere', async () => {
    const { query } = setUp({ '2': { state: 'RUNNING' } })
    const identity = { name: 'n2', workingDirectory: '/elsewhere', script: '/j/2/command.sh' }
    expect((await query.ask(a, new Map([['2', identity]]))).get('2')).toEqual({ state: 'running' })
  })

  it('never gives Slurm an id that is none', async () => {
    const { ask, asked } = setUp({})
    expect(await ask(a, '--help', '1,2', '')).toEqual(
      new Map(['--help', '1,2', ''].map((id) => [id, { state: 'gone' }])),
    )
    expect(asked).toEqual([])
  })

  it('says that Slurm is down to all who wait, and asks anew afterwards', async () => {
    let down = true
    const query = createStateQuery({
      run: async () => {
        if (down) throw new SchedulerDown('no')
        return { ...none, stdout: ['1', '1', 'RUNNING', 'None', '0', '/w', '/x', 'n', ''].join('\x1f') }
      },
      accounting: { lookUp: async () => [] },
      userId: undefined,
      onUnknownState: () => {},
    })
    const wanted = new Map([['1', undefined]])
    const results = await Promise.allSettled([query.ask(a, wanted), query.ask(b, wanted)])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    down = false
    expect((await query.ask(a, wanted)).get('1')).toEqual({ state: 'running' })
  })
})

describe('accounting', () => {
  it('does without sacct where it is not installed', async () => {
    let runs = 0
    const accounting = createAccounting(async () => {
      runs += 1
      throw new CommandNotStarted('sacct', 'ENOENT', 'no sacct')
    }, silentLogger)
    expect(await accounting.lookUp(['1'])).toEqual([])
    expect(await accounting.lookUp(['2'])).toEqual([])
    expect(runs).toBe(2)
  })
})
