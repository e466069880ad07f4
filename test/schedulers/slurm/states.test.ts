import { describe, expect, it } from 'vitest'
import { parseSacct } from '../../../src/schedulers/slurm/sacct.js'
import { buildSqueue, parseSqueue, type SlurmRecord } from '../../../src/schedulers/slurm/squeue.js'
import { combineReports, reportOf, SLURM_STATES, stateWord } from '../../../src/schedulers/slurm/states.js'

const ok = { code: 0, signal: null, stdout: '', stderr: '', timedOut: false, truncated: false }

/** squeue's output with ^ for the separator. */
function records(text: string): readonly SlurmRecord[] {
  return parseSqueue({ ...ok, stdout: text.replaceAll('^', '\x1f') }) ?? []
}

function report(text: string) {
  return reportOf(
    records(text)[0] ?? {
      id: '',
      baseId: '',
      state: '',
      reason: '',
      exitStatus: undefined,
      workingDirectory: '',
      name: '',
    },
  )
}

describe('squeue', () => {
  it('asks for all states of the listed jobs, of one user', () => {
    const { args } = buildSqueue({ ids: ['1', '22'], userId: 1000 })
    expect(args.slice(0, 5)).toEqual(['-h', '-a', '-t', 'all', '-O'])
    expect(args[5]).toBe(
      ['JobID', 'JobArrayID', 'State', 'Reason', 'exit_code', 'WorkDir', 'Command', 'Name']
        .map((f) => `${f}:\x1f`)
        .join(','),
    )
    expect(args.slice(6)).toEqual(['-u', '1000', '-j', '1,22'])
    expect(buildSqueue({ ids: undefined, userId: undefined }).args).toHaveLength(6)
  })

  // Recorded from 22.05.8: two ids of an array, a heterogeneous job, a pending rest of an array, a name with blank and bar.
  it('reads names, reasons and paths with any character, arrays and heterogeneous jobs', () => {
    const text = `8^5_1^FAILED^NonZeroExitCode^768^/tmp/sl^/x/a.sh^a.sh^
13^12+1^PENDING^None^0^/tmp/sl^/x/b.sh^b.sh^
14^14_[1-3%1]^PENDING^(Nodes required for job are DOWN, DRAINED)^0^/tmp/s l^/x y/c.sh^na me|x^
`
    expect(records(text)).toEqual([
      {
        id: '8',
        baseId: '5',
        state: 'FAILED',
        reason: 'NonZeroExitCode',
        exitStatus: { code: 3, signal: 0 },
        workingDirectory: '/tmp/sl',
        script: '/x/a.sh',
        name: 'a.sh',
      },
      {
        id: '13',
        baseId: '12',
        state: 'PENDING',
        reason: 'None',
        exitStatus: { code: 0, signal: 0 },
        workingDirectory: '/tmp/sl',
        script: '/x/b.sh',
        name: 'b.sh',
      },
      {
        id: '14',
        baseId: '14',
        state: 'PENDING',
        reason: '(Nodes required for job are DOWN, DRAINED)',
        exitStatus: { code: 0, signal: 0 },
        workingDirectory: '/tmp/s l',
        script: '/x y/c.sh',
        name: 'na me|x',
      },
    ])
  })

  it('takes one unknown id for an empty answer, and any other failure for none', () => {
    const failed = { ...ok, code: 1 }
    expect(parseSqueue({ ...failed, stderr: 'slurm_load_jobs error: Invalid job id specified\n' })).toEqual(
      [],
    )
    expect(parseSqueue({ ...failed, stderr: 'squeue: error: Invalid job id: abc\n' })).toBeUndefined()
    expect(parseSqueue(ok)).toEqual([])
  })
})

describe('what a job is', () => {
  it.each([
    ['1^1^COMPLETED^None^0^/w^n^', { state: 'ended', exitCode: 0 }],
    ['1^1^FAILED^NonZeroExitCode^768^/w^n^', { state: 'ended', exitCode: 3 }],
    // 23.02 and later print code:signal in some places.
    ['1^1^FAILED^NonZeroExitCode^3:0^/w^n^', { state: 'ended', exitCode: 3 }],
    ['1^1^RUNNING^None^0^/w^n^', { state: 'running' }],
    ['1^1^COMPLETING^None^0^/w^n^', { state: 'running' }],
    ['1^1^PENDING^JobHeldUser^0^/w^n^', { state: 'queued' }],
    ['1^1^PENDING^DependencyNeverSatisfied^0^/w^n^', { state: 'queued' }],
    ['1^1^CONFIGURING^None^0^/w^n^', { state: 'queued' }],
    ['1^1^SUSPENDED^None^0^/w^n^', { state: 'queued' }],
    ['1^1^REQUEUE_HOLD^job_requeued_in_held_state^0^/w^n^', { state: 'queued' }],
  ])('%s', (text, expected) => {
    expect(report(text)).toEqual(expected)
  })

  it.each([
    ['1^1^TIMEOUT^TimeLimit^0^/w^n^', 'Slurm ended the job: TIMEOUT (walltime limit reached)'],
    [
      '1^1^OUT_OF_MEMORY^OutOfMemory^125^/w^n^',
      'Slurm ended the job: OUT_OF_MEMORY (it used more memory than it asked for), reason OutOfMemory',
    ],
    [
      '1^1^NODE_FAIL^NodeDown^15^/w^n^',
      'Slurm ended the job: NODE_FAIL (a node of the job failed or was taken down), reason NodeDown',
    ],
    [
      '1^1^CANCELLED^None^15^/w^n^',
      'Slurm ended the job: CANCELLED (cancelled with scancel, or by a node that could not start it, as with a full spool directory, or by Slurm itself when its controller came back without its newest state)',
    ],
    [
      '1^1^PREEMPTED^None^0^/w^n^',
      'Slurm ended the job: PREEMPTED (a job of higher priority took its place)',
    ],
    ['1^1^BOOT_FAIL^None^0^/w^n^', 'Slurm ended the job: BOOT_FAIL (the node could not be booted for it)'],
    ['1^1^DEADLINE^DeadLine^0^/w^n^', 'Slurm ended the job: DEADLINE (its deadline passed), reason DeadLine'],
    [
      '1^1^FAILED^JobLaunchFailure^9^/w^n^',
      'Slurm ended the job: FAILED, reason JobLaunchFailure: killed by signal 9; often memory',
    ],
    [
      '1^1^FAILED^RaisedSignal:9(Killed)^9^/w^n^',
      'Slurm ended the job: FAILED, reason RaisedSignal:9(Killed): killed by signal 9; often memory',
    ],
    [
      '1^1^FAILED^JobLaunchFailure^4021^/w^n^',
      'Slurm could not start the job: FAILED, reason JobLaunchFailure (0:53)',
    ],
    ['1^1^FAILED^BadConstraints^1^/w^n^', 'Slurm ended the job: FAILED, reason BadConstraints'],
  ])('%s is ended by the node', (text, words) => {
    const ended = report(text)
    expect(ended?.state).toBe('ended')
    expect(ended?.failure?.slice(0, words.length)).toBe(words)
  })

  it('has no exit code of 0 when the node ended it: nobody may read success', () => {
    for (const word of [
      'TIMEOUT',
      'CANCELLED',
      'NODE_FAIL',
      'PREEMPTED',
      'DEADLINE',
      'BOOT_FAIL',
      'OUT_OF_MEMORY',
    ]) {
      expect(report(`1^1^${word}^None^0^/w^n^`)).toEqual({
        state: 'ended',
        failure: expect.stringContaining(word),
      })
    }
  })

  it('is nothing that can be concluded for a word which no table has', () => {
    expect(report('1^1^DANCING^None^0^/w^n^')).toBeUndefined()
  })

  it('knows every state by its long word and its own short code', () => {
    const codes = Object.values(SLURM_STATES).flatMap(({ code }) => code ?? [])
    expect(new Set(codes).size).toBe(codes.length)
    for (const [word, { code }] of Object.entries(SLURM_STATES)) {
      expect([stateWord(word), stateWord(code ?? word)]).toEqual([word, word])
    }
    expect(Object.keys(SLURM_STATES)).toEqual(
      expect.arrayContaining(
        'BOOT_FAIL CANCELLED COMPLETED CONFIGURING COMPLETING DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PENDING PREEMPTED RUNNING RESV_DEL_HOLD REQUEUE_FED REQUEUE_HOLD REQUEUED RESIZING REVOKED SIGNALING SPECIAL_EXIT STAGE_OUT STOPPED SUSPENDED TIMEOUT'.split(
          ' ',
        ),
      ),
    )
    expect(['OUT_OF_ME+', 'OUT_OF+', 'CANCELLED by 1000', 'CANCELLED+'].map(stateWord)).toEqual([
      'OUT_OF_MEMORY',
      'OUT_OF_MEMORY',
      'CANCELLED',
      'CANCELLED',
    ])
    expect(stateWord('RE+')).toBeUndefined()
  })
})

describe('several records of one submit', () => {
  it.each([
    [[{ state: 'ended', exitCode: 0 }, { state: 'running' }], { state: 'running' }],
    [[{ state: 'ended', exitCode: 0 }, { state: 'queued' }], { state: 'queued' }],
    [
      [
        { state: 'ended', exitCode: 0 },
        { state: 'ended', exitCode: 4 },
      ],
      { state: 'ended', exitCode: 4 },
    ],
    [
      [
        { state: 'ended', exitCode: 4 },
        { state: 'ended', failure: 'x' },
      ],
      { state: 'ended', failure: 'x' },
    ],
    [[], undefined],
  ] as const)('%j', (reports, expected) => {
    expect(combineReports(reports)).toEqual(expected)
  })
})

describe('sacct', () => {
  const line = (text: string) => ({ ...ok, stdout: text.replaceAll('^', '\x1f') })

  it.each([
    ['1397^FAILED^6:0^x^y\n', { state: 'ended', exitCode: 6 }],
    [
      '7^CANCELLED by 1000^0:0^x\n',
      {
        state: 'ended',
        failure:
          'Slurm ended the job: CANCELLED (cancelled with scancel, or by a node that could not start it, as with a full spool directory, or by Slurm itself when its controller came back without its newest state) by uid 1000',
      },
    ],
    [
      '7^TIMEOUT^0:0^x\n',
      { state: 'ended', failure: 'Slurm ended the job: TIMEOUT (walltime limit reached)' },
    ],
    [
      '7^OUT_OF_MEMORY^0:125^x\n',
      {
        state: 'ended',
        exitCode: -125,
        failure: 'Slurm ended the job: OUT_OF_MEMORY (it used more memory than it asked for)',
      },
    ],
  ])('%j', (text, expected) => {
    const parsed = parseSacct(line(text))
    if (!Array.isArray(parsed)) throw new Error('no records')
    expect(reportOf(parsed[0])).toEqual(expected)
  })

  it('leaves out steps and lines without a state', () => {
    expect(parseSacct(line('5.batch^COMPLETED^0:0^batch\n2^^0:0^me|x\n'))).toEqual([])
  })

  it('says when a site has none, and not when it fails for once', () => {
    expect(parseSacct({ ...ok, code: 1, stderr: 'Slurm accounting storage is disabled\n' })).toBe(
      'unavailable',
    )
    expect(
      parseSacct({ ...ok, code: 1, stderr: 'sacct: error: slurmdbd: Connection refused' }),
    ).toBeUndefined()
  })
})
