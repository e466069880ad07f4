import { describe, expect, it } from 'vitest'
import type { ManagerConfig } from '../../src/config/types.js'
import { judgeClock } from '../../src/doctor/examinations/clock.js'
import { judgeSpace } from '../../src/doctor/examinations/disk.js'
import { judgeJobs } from '../../src/doctor/examinations/jobs.js'
import { judgeManager } from '../../src/doctor/examinations/partitions.js'
import type { JobDirectoryState } from '../../src/doctor/job-directories.js'
import { noteOnVersion } from '../../src/doctor/slurm-versions.js'
import { showRoom } from '../../src/lib/disk-space.js'

const GIB = 1024 ** 3
const MIB = 1024 ** 2

describe('space', () => {
  const judge = (space: Partial<Parameters<typeof judgeSpace>[1]>) =>
    judgeSpace('/jobs', {
      freeBytes: 50 * GIB,
      totalBytes: 100 * GIB,
      freeInodes: 1e6,
      totalInodes: 2e6,
      ...space,
    }).map(({ id, state }) => `${state} ${id}`)
  it.each([
    ['half free', {}, []],
    ['little left of a large disk', { freeBytes: GIB }, ['warn disk-low']],
    ['nothing left', { freeBytes: 0 }, ['fail disk-full']],
    ['a small file system that is mostly free', { freeBytes: 7 * MIB, totalBytes: 8 * MIB }, []],
    [
      'much left of a huge disk, though a small share',
      { freeBytes: 500 * GIB, totalBytes: 100_000 * GIB },
      [],
    ],
    ['few inodes', { freeInodes: 10_000 }, ['warn inodes-low']],
    ['no inodes', { freeInodes: 3 }, ['fail inodes-full']],
    ['a file system that does not count inodes', { freeInodes: 0, totalInodes: 0 }, []],
  ])('%s', (_what, space, expected) => expect(judge(space)).toEqual(expected))

  it('is told in units of people', () => {
    expect([0, 99 * MIB, 1.5 * GIB, 2048 * GIB].map(showRoom)).toEqual([
      '0 MiB',
      '99 MiB',
      '1.5 GiB',
      '2.0 TiB',
    ])
  })
})

it.each([
  [0, []],
  [-29_000, []],
  [31_000, ['clock-drifts: it is 31 s behind that of x']],
  [-299_000, ['clock-drifts: it is 5 minutes ahead of that of x']],
  [600_000, ['clock-off: it is 10 minutes behind that of x']],
])('a clock that is %d ms off', (offMs, expected) => {
  expect(judgeClock('x', offMs, 'mend').map(({ id, message }) => `${id}: ${message}`)).toEqual(expected)
})

describe('partitions', () => {
  const up = { name: 'short', isDefault: true, availability: 'up', nodes: 2, usable: 1 }
  const long = { ...up, name: 'long', isDefault: false }
  const judge = (manager: Partial<ManagerConfig>, known = [up, long], isOnly = true) =>
    judgeManager(
      { name: '_default_', jobParameters: {}, nativeSpecification: undefined, ...manager } as ManagerConfig,
      known,
      {
        configDirectory: '/etc/node',
        isOnly,
      },
    )
  it.each([
    [{}, []],
    [{ jobParameters: { partition: 'long' } }, []],
    [{ jobParameters: { partition: 'short,long' } }, []],
    [{ jobParameters: { partition: 'nosuch' } }, ['partition-unknown']],
    [{ nativeSpecification: '--mem=1G -p nosuch' }, ['partition-unknown']],
    [{ nativeSpecification: '--partition=long', jobParameters: { partition: 'nosuch' } }, []],
  ])('%j', (manager, ids) => expect(judge(manager).map(({ id }) => id)).toEqual(ids))

  it('names the command of the place where it stands', () => {
    const commands = [
      judge({ jobParameters: { partition: 'x' } }),
      judge({ jobParameters: { partition: 'x' }, name: 'big' }, [up], false),
      judge({ nativeSpecification: '-p x --mem=1G' }),
    ].map(([finding]) => finding?.fix?.command)
    expect(commands).toEqual([
      'magnetar config set --config /etc/node manager.job_partition short',
      'magnetar config set --config /etc/node managers.big.job_partition short',
      "magnetar config set --config /etc/node manager.native_specification -- '-p short --mem=1G'",
    ])
  })

  it('that are down, without nodes, or not there by default', () => {
    expect(judge({}, [{ ...up, availability: 'drain' }])[0]?.id).toBe('partition-down')
    expect(judge({}, [{ ...up, usable: 0 }])[0]?.id).toBe('partition-empty')
    expect(judge({}, [long])[0]).toMatchObject({ id: 'partition-none', state: 'warn' })
  })
})

describe('job directories', () => {
  const nowMs = Date.now()
  const user = { name: 'pulsar', uid: 4711, gid: 4712 }
  const account = { uid: 0, user: 'root', group: 'root', home: '/root', isRoot: true }
  const state = (given: Partial<JobDirectoryState>): JobDirectoryState => ({
    path: '/jobs/1',
    uid: user.uid,
    mtimeMs: nowMs,
    isJob: true,
    endedMs: undefined,
    pid: undefined,
    ...given,
  })
  const place = { user, account, configDirectory: '/etc/node', server: undefined, unknown: [] }
  const judge = (...found: JobDirectoryState[]) => judgeJobs(found, place, nowMs)
  const gone = 2 ** 22 + 1

  it('as they should be', () => {
    const alive = { pid: process.pid, sinceMs: nowMs - 1e6 }
    const justEnded = { pid: gone, sinceMs: nowMs - 1000 }
    expect(
      judge(state({}), state({ pid: alive }), state({ pid: justEnded }), state({ endedMs: nowMs - 1e6 })),
    ).toEqual([])
  })

  it('of another user: told with the command for all of them', () => {
    const [finding] = judge(state({ uid: 0 }), state({}), state({ uid: 7, path: '/jobs/it is' }))
    expect(finding).toMatchObject({
      id: 'job-directory-foreign',
      state: 'fail',
      fix: { command: "chown -R pulsar:4712 /jobs/1 '/jobs/it is'" },
    })
    expect(finding?.fix?.mends).toBeUndefined()
  })

  it('with a pid file of a process that is gone: removed as the user, and only where it is the user’s job', () => {
    const pid = { pid: gone, sinceMs: nowMs - 120_000 }
    const [finding] = judge(state({ pid }), state({ pid, path: '/jobs/2', isJob: false }))
    expect(finding?.fix?.command).toBe('rm -f /jobs/1/pid /jobs/2/pid')
    expect(finding?.fix?.mends?.map(({ argv }) => argv.join(' '))).toEqual([
      'setpriv --reuid 4711 --regid 4712 --init-groups -- rm -f -- /jobs/1/pid',
    ])
  })

  it('that Galaxy forgot', () => {
    expect(judge(state({ endedMs: nowMs - 31 * 86_400_000 }))[0]).toMatchObject({
      id: 'job-directories-old',
      state: 'warn',
      fix: { text: 'When the server runs:' },
    })
  })

  it('that wait while nothing is started', () => {
    const server = { list: [], expired: [], stalled: [{ manager: 'm', why: 'Process 7 hangs.' }] }
    expect(judgeJobs([], { ...place, server }, Date.now())).toMatchObject([
      { id: 'jobs-not-started', message: 'manager m starts no jobs. Process 7 hangs.' },
    ])
  })

  it('that the server has no record of: nothing is said of expiring them', () => {
    const server = { list: [], expired: ['/jobs/1'], stalled: [] }
    const old = { endedMs: nowMs - 31 * 86_400_000 }
    const found = [state(old), state({ ...old, path: '/jobs/2' }), state({ ...old, path: '/jobs/3' })]
    const findings = judgeJobs(found, { ...place, server, unknown: ['/jobs/2'] }, nowMs)
    expect(findings).toMatchObject([
      {
        id: 'job-directories-old',
        message: '1 of 3 job directories are of jobs that ended more than 30 days ago',
        fix: { command: 'magnetar jobs expire --older-than 30d --config /etc/node' },
      },
      { id: 'job-directories-unknown', fix: { command: 'rm -rf /jobs/2' } },
    ])
    expect(findings[0]?.fix?.text).toBeUndefined()
  })

  it.each([
    ['postprocessing', 2 * 86_400_000, false, 'job 5 is postprocessing for 2 days: no answer'],
    ['postprocessing', 3_600_000, false, undefined],
    ['running', 90 * 86_400_000, false, undefined],
    ['cancelled', 3_600_000, true, 'job 5 is still being stopped: no answer'],
    ['cancelled', 60_000, true, undefined],
  ] as const)('of a job that is %s for %d ms (stopping: %s)', (status, ms, stopping, message) => {
    const job = { id: '5', manager: '_default_', toolId: '', toolVersion: '', submittedAtMs: 0, status }
    const more = stopping ? { stopping } : {}
    const list = [{ ...job, sinceMs: nowMs - ms, reason: 'no answer', ...more }]
    const [finding] = judgeJobs([], { ...place, server: { list, expired: [], stalled: [] } }, nowMs)
    expect(finding?.message).toBe(message)
    if (message !== undefined) expect(finding?.fix?.command).toBe('magnetar jobs show 5 --config /etc/node')
  })
})

it('a version that SchedMD no longer mends has a note, whichever came later does not', () => {
  const at = new Date('2026-01-15')
  expect(['22.05.8', '24.05.1', '24.11.0', '99.01.0'].map((each) => noteOnVersion(each, at))).toEqual([
    'SchedMD no longer mends 22.05, only distributions do',
    'SchedMD no longer mends 24.05, only distributions do',
    undefined,
    undefined,
  ])
})
