import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodePaths } from '../../src/setup/paths.js'
import { explainUnit, serviceStatusOf } from '../../src/setup/services/control-systemd.js'
import { needsRestart } from '../../src/setup/services/restart-causes.js'
import { recentComplaints } from '../../src/setup/services/server-log.js'
import { findUnread, newerThanServer } from '../../src/setup/services/stale-server.js'
import { parsePending, parseStatus } from '../../src/setup/services/supervisor.js'
import { parseUnit } from '../../src/setup/services/systemd.js'
import type { Change } from '../../src/setup/types.js'
import { parseReason } from '../../src/setup/verify/slurm-reason.js'
import { tempDirectory } from '../helpers/temp-directory.js'

describe('what supervisorctl says', () => {
  // Each as Supervisor 4.2.5 printed it.
  it.each([
    ['pulsar                           STARTING  \n', { state: 'STARTING', detail: '', pid: undefined }],
    [
      'pulsar                           RUNNING   pid 1873, uptime 0:00:02\n',
      { state: 'RUNNING', detail: 'pid 1873, uptime 0:00:02', pid: 1873 },
    ],
    [
      "pulsar                           BACKOFF   can't find command '/bin/sleepx'\n",
      { state: 'BACKOFF', detail: "can't find command '/bin/sleepx'", pid: undefined },
    ],
    ['pulsar: ERROR (no such process)\n', undefined],
    ['pulsar: ERROR (no such group)\n', undefined],
    ['unix:///var/run/supervisor.sock no such file\n', 'no answer'],
    ['unix:///var/run/supervisor.sock refused connection\n', 'no answer'],
    ['', 'no answer'],
    ['pulsar-two                       RUNNING   pid 17, uptime 0:00:02\n', 'no answer'],
  ])('about a program: %j', (output, wanted) => {
    expect(parseStatus(output, 'pulsar')).toEqual(wanted)
  })

  it.each([
    ['pulsar: available\n', 'available'],
    ['other: available\npulsar: changed\n', 'changed'],
    ['pulsar: disappeared\n', 'disappeared'],
    ['No config updates to processes\n', undefined],
    ['pulsar-two: changed\n', undefined],
  ])('about what an update would do: %j', (output, wanted) => {
    expect(parsePending(output, 'pulsar')).toBe(wanted)
  })
})

describe('what systemctl show says', () => {
  const show = (more: Readonly<Record<string, string>>): string =>
    Object.entries({
      LoadState: 'loaded',
      ActiveState: 'active',
      SubState: 'running',
      Result: 'success',
      ExecMainStatus: '0',
      UnitFileState: 'enabled',
      NeedDaemonReload: 'no',
      MainPID: '88',
      ...more,
    })
      .map(([name, value]) => `${name}=${value}\n`)
      .join('')

  it.each([
    ['it runs', {}, 'running', 'active: running'],
    ['it starts', { ActiveState: 'activating', SubState: 'start' }, 'running', 'activating: start'],
    ['it was stopped', { ActiveState: 'inactive', SubState: 'dead' }, 'stopped', 'inactive: dead'],
    [
      'its configuration is wrong',
      { ActiveState: 'failed', SubState: 'failed', Result: 'exit-code', ExecMainStatus: '78' },
      'failed',
      'failed: exit code 78',
    ],
    [
      'it waits for its next try',
      { ActiveState: 'activating', SubState: 'auto-restart', Result: 'signal', ExecMainStatus: '9' },
      'failed',
      'activating: ended by signal 9',
    ],
    [
      'there is none',
      { LoadState: 'not-found', ActiveState: 'inactive' },
      'unknown',
      'the unit is not-found',
    ],
  ])('%s', (_what, properties, status, words) => {
    const unit = parseUnit(show(properties))
    expect(serviceStatusOf(unit)).toBe(status)
    expect(explainUnit(unit)).toBe(words)
  })

  it('has pid, state of the file and whether it was read', () => {
    expect(parseUnit(show({ NeedDaemonReload: 'yes' }))).toMatchObject({
      pid: 88,
      enabled: 'enabled',
      needsReload: true,
    })
    expect(parseUnit('')).toMatchObject({ pid: 0, needsReload: false })
  })
})

describe('why a job waits', () => {
  const line = (...fields: string[]): string => `${fields.join('\x1f')}\n`
  const others = line('7', 'debug', 'Priority', '/srv/pulsar/var/jobs/check-10/working')

  it.each([
    ['Resources', false, 'the cluster is busy'],
    ['Priority', false, 'other jobs go first'],
    ['PartitionDown', true, 'will not run: the partition is down'],
    ['AssocMaxJobsLimit', false, 'scontrol show job 8'],
    ['ReqNodeNotAvail, UnavailableNodes:n1', false, '(ReqNodeNotAvail, UnavailableNodes:n1)'],
  ])('%s', (reason, hopeless, words) => {
    const output = others + line('8', 'debug', reason, '/srv/pulsar/var/jobs/check-1/working')
    const found = parseReason(output, 'check-1')
    expect(found?.hopeless).toBe(hopeless)
    expect(found?.text).toContain('Slurm job 8 waits in partition debug')
    expect(found?.text).toContain(words)
  })

  it('is not known of one that is not in the queue', () => {
    expect(parseReason(others, 'check-1')).toBeUndefined()
  })
})

describe('the log of the server', () => {
  it('tells the warnings and errors of the last minute', async () => {
    const file = join(await tempDirectory(), 'uwsgi.log')
    const now = Date.parse('2026-01-01T12:00:00Z')
    const entry = (level: string, secondsAgo: number, msg: string): string =>
      JSON.stringify({ level, time: new Date(now - secondsAgo * 1000).toISOString(), pid: 1, msg })
    const lines = [
      'no JSON',
      entry('error', 120, 'old'),
      entry('info', 1, 'ready'),
      entry('warn', 30, 'Slurm does not answer'),
      entry('error', 1, 'cannot submit'),
      '{"level":"err',
    ]
    await writeFile(file, `${'x'.repeat(100_000)}\n${lines.join('\n')}`)
    expect(await recentComplaints(file, now)).toEqual(['warn: Slurm does not answer', 'error: cannot submit'])
    expect(await recentComplaints(`${file}.none`)).toEqual([])
  })
})

describe('a restart', () => {
  const paths = nodePaths('/srv/pulsar', undefined)
  const file = (path: string): Change => ({
    kind: 'file',
    step: 's',
    title: 't',
    counts: 'file',
    path,
    mode: 0o644,
    owner: undefined,
    before: undefined,
    after: '',
    secretKeys: [],
    backup: false,
  })
  const link: Change = {
    kind: 'link',
    step: 's',
    title: 't',
    counts: 'other',
    path: paths.current,
    target: 'releases/2',
    owner: undefined,
  }
  const remove: Change = {
    kind: 'remove',
    step: 's',
    title: 't',
    counts: 'release',
    path: `${paths.releases}/1`,
  }

  it.each<[string, Change, boolean]>([
    ['app.yml', file(paths.appYml), true],
    ['server.ini', file(paths.serverIni), true],
    ['local_env.sh', file(paths.localEnv), true],
    ['the certificate', file(paths.tlsPem), true],
    ['another release', link, true],
    ['another build of the same release', { ...link, path: `${paths.releases}/1` }, true],
    ['an old release that goes', remove, false],
    ['etc/supervisor.conf', file(paths.supervisorConf), false],
    ['a launcher', file(`${paths.bin}/pulsar`), false],
  ])('is needed for %s: %s', (_what, change, wanted) => {
    expect(needsRestart(paths, change)).toBe(wanted)
  })

  it('is needed for a file that is newer than the server', async () => {
    const node = nodePaths(join(await tempDirectory(), 'node'), undefined)
    for (const directory of [node.etc, join(node.releases, '1')]) mkdirSync(directory, { recursive: true })
    writeFileSync(node.appYml, '')
    symlinkSync('releases/1', node.current)
    const past = new Date('2020-01-01')
    const before = (): void => {
      for (const path of [node.appYml, join(node.releases, '1')]) utimesSync(path, past, past)
    }
    before()
    // The link itself is as new as this test, which is newer than its own process.
    const { signal } = new AbortController()
    expect(await newerThanServer(node, process.pid, signal)).toBe(node.current)
    const noLink = { ...node, current: join(dirname(node.current), 'none') }
    expect(await newerThanServer(noLink, process.pid, signal)).toBeUndefined()
    writeFileSync(node.appYml, 'x')
    expect(await newerThanServer(noLink, process.pid, signal)).toBe(node.appYml)
    // A clock that was wrong once must not mean a restart for ever.
    const future = new Date(Date.now() + 3600_000)
    utimesSync(node.appYml, future, future)
    expect(await newerThanServer(noLink, process.pid, signal)).toBeUndefined()
    expect(await newerThanServer(node, 2 ** 22 + 1, signal)).toBeUndefined()
  })

  it('is not made into a configuration that the server could not read', async () => {
    const node = nodePaths(join(await tempDirectory(), 'node'), undefined)
    for (const directory of [node.etc, join(node.releases, '1')]) mkdirSync(directory, { recursive: true })
    symlinkSync('releases/1', node.current)
    writeFileSync(node.appYml, 'manager:\n  type: slurm\n')
    const { signal } = new AbortController()
    expect(await findUnread(node, process.pid, signal)).toEqual({ file: node.appYml, notes: [] })
    writeFileSync(node.appYml, 'manager:\n  type: slrum\n')
    expect(await findUnread(node, process.pid, signal)).toEqual({
      file: undefined,
      notes: [expect.stringMatching(/^not restarted: .*app\.yml was changed.*slurm/s)],
    })
    expect(await findUnread(node, undefined, signal)).toEqual({ file: undefined, notes: [] })
  })
})
