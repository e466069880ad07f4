import { spawnSync } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { nodePaths } from '../../src/setup/paths.js'
import type { UnitStatus } from '../../src/setup/services/systemd.js'
import { inspectUnitNeeds, variantFor } from '../../src/setup/services/systemd-unit-needs.js'
import {
  readUnitTemplates,
  renderUnit,
  type UnitTemplates,
  type UnitWish,
} from '../../src/setup/services/systemd-unit-text.js'
import { planUnit, type SystemdUnitState } from '../../src/setup/steps/systemd-unit.js'
import type { Answers, Change, Manifest, SetupContext } from '../../src/setup/types.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { contextFor, nodeUser } from './context-fixture.js'

const signal = new AbortController().signal
let templates: UnitTemplates

beforeAll(async () => {
  templates = await readUnitTemplates(resolve('.'), signal)
})

const wish = (more: Partial<UnitWish> = {}, prefix = '/srv/pulsar'): UnitWish => ({
  paths: nodePaths(prefix, undefined),
  ...nodeUser,
  variant: 'cluster',
  writable: [],
  port: 8913,
  usesSlurm: true,
  systemdVersion: '252',
  ...more,
})

/** The lines of a unit that say something. */
const settings = (more: Partial<UnitWish> = {}, prefix?: string): string[] =>
  renderUnit(templates, wish(more, prefix))
    .split('\n')
    .filter((line) => /^\w+=/.test(line))

function missingAnalyze(): string | undefined {
  const tried = spawnSync('systemd-analyze', ['--version'])
  return tried.status === 0 ? undefined : 'no systemd-analyze here; install systemd'
}

describe('the systemd unit', () => {
  it('has no placeholder left, whatever is asked for', () => {
    for (const variant of ['cluster', 'local'] as const)
      for (const port of [8913, 443])
        expect(renderUnit(templates, wish({ variant, port }))).not.toMatch(/@[A-Z_]+@/)
  })

  it('starts the server as its user, stops it alone, and does not start it again with a wrong configuration', () => {
    expect(settings()).toEqual(
      expect.arrayContaining([
        'Type=notify',
        'NotifyAccess=all',
        'User=daemon',
        'Group=daemon',
        'WorkingDirectory=/srv/pulsar/etc',
        'ExecStart=/srv/pulsar/bin/pulsar --mode uwsgi --config /srv/pulsar/etc',
        'Restart=on-failure',
        'RestartPreventExitStatus=78',
        'KillMode=process',
        'WantedBy=multi-user.target',
      ]),
    )
  })

  it('does not wait for a message that an older systemd would lose', () => {
    expect(settings({ systemdVersion: '239' })).toContain('Type=simple')
    expect(settings({ systemdVersion: '239' }).join()).not.toContain('NotifyAccess')
  })

  it.each([
    [8913, 'CapabilityBoundingSet=', false],
    [443, 'CapabilityBoundingSet=CAP_NET_BIND_SERVICE', true],
  ])('gives the one capability that port %i needs', (port, bounding, ambient) => {
    expect(settings({ port })).toContain(bounding)
    expect(settings({ port }).includes('AmbientCapabilities=CAP_NET_BIND_SERVICE')).toBe(ambient)
    expect(settings({ port, variant: 'local' }).includes('AmbientCapabilities=CAP_NET_BIND_SERVICE')).toBe(
      ambient,
    )
  })

  it('lets a confined server write to its own directories only, and to those of its configuration', () => {
    expect(settings()).toContain('ReadWritePaths=/srv/pulsar/var')
    expect(settings({ writable: ['/scratch/my jobs'] })).toContain(
      'ReadWritePaths=/srv/pulsar/var "-/scratch/my jobs"',
    )
  })

  it('leaves jobs on this machine what tools need', () => {
    const local = settings({ variant: 'local', usesSlurm: false })
    for (const word of [
      'PrivateTmp',
      'PrivateDevices',
      'ProtectHome',
      'NoNewPrivileges',
      'SystemCallFilter',
      'RestrictNamespaces',
    ])
      expect(local.join('\n')).not.toContain(word)
    // A job that is out of memory ends alone.
    expect(local).toContain('OOMPolicy=continue')
  })

  it('never takes from Node.js or from running jobs what they need', () => {
    for (const variant of ['cluster', 'local'] as const) {
      const lines = settings({ variant }).join('\n')
      expect(lines).not.toContain('MemoryDenyWriteExecute')
      expect(lines).not.toContain('RemoveIPC')
    }
  })
})

describe('systemd-analyze', needs(missingAnalyze()), () => {
  /** A unit file of its own name, with programs and accounts that this machine has. */
  async function unitFile(more: Partial<UnitWish> = {}, name = 'node'): Promise<string> {
    const directory = await tempDirectory()
    const prefix = join(directory, name)
    const paths = nodePaths(prefix, undefined)
    await mkdir(paths.bin, { recursive: true })
    await mkdir(paths.etc)
    await symlink('/bin/true', join(paths.bin, 'pulsar'))
    const file = join(directory, 'pulsar.service')
    await writeFile(file, renderUnit(templates, wish(more, prefix)))
    return file
  }

  it.each<[string, Partial<UnitWish>, string?]>([
    ['of a cluster', {}],
    ['of a cluster, with a low port', { port: 443 }],
    ['of a cluster, with other directories', { writable: ['/scratch/a b', '/scratch/%x'] }],
    ['of this machine', { variant: 'local', usesSlurm: false }],
    ['with an old systemd', { systemdVersion: '239' }],
    ['in a directory with an odd name', {}, 'a b%c$d'],
  ])('finds nothing to say about the unit %s', async (_what, more, name) => {
    const file = await unitFile(more, name)
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  it.each([
    ['cluster', /1\.8 OK/],
    ['local', /8\.2 EXPOSED/],
  ] as const)('rates the exposure of the variant %s as docs/services.md says', async (variant, score) => {
    const file = await unitFile({ variant })
    const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', file], {
      encoding: 'utf8',
    })
    const rating = /Overall exposure level for .*: ([\d.]+ \w+)/.exec(stdout)?.[1]
    expect(rating).toMatch(score)
    const page = await readFile('docs/services.md', 'utf8')
    expect(page).toContain(`| ${variant} | ${rating} |`)
  })
})

describe('the step of the systemd unit', () => {
  const path = '/etc/systemd/system/pulsar.service'
  const link = '/etc/systemd/system/multi-user.target.wants/pulsar.service'
  const facts = { systemd: { version: '252', running: true } }
  const base = contextFor({ prefix: '/srv/pulsar', facts, answers: { service: 'systemd', start: true } })
  const stopped: UnitStatus = {
    load: 'not-found',
    active: 'inactive',
    sub: 'dead',
    result: 'success',
    exitStatus: '0',
    enabled: '',
    needsReload: false,
    pid: 0,
  }
  const running: UnitStatus = { ...stopped, load: 'loaded', active: 'active', sub: 'running', pid: 17 }
  const unread = (file: string) => ({ file, notes: [] })
  const empty = (): SystemdUnitState => ({
    file: { kind: 'absent' },
    link: undefined,
    isWantsThere: true,
    templates,
    needs: { runsJobsHere: false, writable: [] },
    unit: stopped,
    unread: { file: undefined, notes: [] },
  })
  const plan = (
    state: Partial<SystemdUnitState>,
    more: Partial<SetupContext> = {},
    earlier: readonly Change[] = [],
  ) => planUnit({ ...base, ...more }, { ...empty(), ...state }, earlier)
  const answer = (answers: Partial<Answers>): Partial<SetupContext> => ({
    answers: { ...base.answers, ...answers },
  })
  const told = (planned: ReturnType<typeof plan>): string[] =>
    (planned.changes ?? []).map((change) =>
      change.kind === 'command' ? change.argv.slice(1).join(' ') : change.path,
    )
  const text = (): string => {
    const [change] = plan({}).changes ?? []
    return change?.kind === 'file' ? change.after : ''
  }
  const manifest = (): Manifest => ({ version: 1, answers: {}, files: plan({}).files ?? {}, madeUser: false })
  /** As a setup left it. */
  const settled = (): Partial<SystemdUnitState> => ({
    file: { kind: 'file', text: text(), mode: 0o644, uid: 0, gid: 0, link: false },
    link: path,
    unit: running,
  })

  it('writes, enables and starts it', () => {
    const planned = plan({ isWantsThere: false })
    expect(told(planned)).toEqual([
      path,
      '/etc/systemd/system/multi-user.target.wants',
      link,
      'daemon-reload',
      'start pulsar.service',
    ])
    expect(planned.changes?.[0]).toMatchObject({ mode: 0o644, owner: { user: 'root', group: 'root' } })
  })

  it('leaves it alone when it is so', () => {
    expect(plan(settled())).toMatchObject({ changes: [], conflicts: [], notes: [] })
  })

  it('restarts it for what it reads, and starts it when it was stopped or has failed', () => {
    const earlier: Change[] = [
      {
        kind: 'link',
        step: 's',
        title: 't',
        counts: 'other',
        path: base.paths.current,
        target: 'x',
        owner: undefined,
      },
    ]
    expect(told(plan(settled(), {}, earlier))).toEqual(['restart pulsar.service'])
    expect(told(plan({ ...settled(), unread: unread(base.paths.appYml) }))).toEqual([
      'restart pulsar.service',
    ])
    for (const active of ['inactive', 'failed'])
      expect(told(plan({ ...settled(), unit: { ...running, active } }))).toEqual(['start pulsar.service'])
    expect(told(plan({ ...settled(), unit: { ...running, needsReload: true } }))).toEqual(['daemon-reload'])
  })

  it('changes it with the configuration: other managers, other directories', () => {
    const local = plan(
      { ...settled(), needs: { runsJobsHere: true, writable: ['/scratch'] } },
      { manifest: manifest() },
    )
    expect(told(local)).toEqual([path, 'daemon-reload', 'restart pulsar.service'])
  })

  it('with --no-start and without a running systemd leaves it to the boot, and says so', () => {
    const later = plan({}, answer({ start: false }))
    expect(told(later)).toEqual([path, link, 'daemon-reload'])
    expect(later.notes).toEqual([expect.stringMatching(/not started \(--no-start\).*systemctl start pulsar/)])
    const image = plan({ unit: undefined })
    expect(told(image)).toEqual([path, link])
    expect(image.notes).toEqual([expect.stringContaining('when the system boots')])
    const kept = plan({ ...settled(), unread: unread(base.paths.appYml) }, answer({ start: false }))
    expect(told(kept)).toEqual([])
    expect(kept.notes).toEqual([expect.stringContaining('not restarted')])
  })

  it('keeps a unit that was edited by hand, as long as setup has nothing new to write', () => {
    const file = {
      kind: 'file',
      text: `${text()}# mine\n`,
      mode: 0o644,
      uid: 0,
      gid: 0,
      link: false,
    } as const
    const more = { manifest: manifest() }
    expect(plan({ ...settled(), file }, more)).toMatchObject({
      changes: [],
      conflicts: [],
      notes: [expect.stringContaining('edited by hand')],
    })
    const changed = plan({ ...settled(), file }, { ...more, ...answer({ user: 'other' }) })
    expect(changed).toMatchObject({ conflicts: [{ path }] })
    expect(changed.conflicts?.[0]?.blocking).toBeUndefined()
    expect(changed.changes ?? []).toEqual([])
    const forced = plan({ ...settled(), file }, { ...more, ...answer({ user: 'other' }), force: true })
    expect(forced.changes?.[0]).toMatchObject({ path, backup: true })
  })

  it('neither enables nor starts a unit of that name that is not this node’s', () => {
    const file = {
      kind: 'file',
      text: '[Service]\nExecStart=/opt/pulsar\n',
      mode: 0o644,
      uid: 0,
      gid: 0,
      link: false,
    } as const
    const planned = plan({ file })
    expect(planned.changes ?? []).toEqual([])
    expect(planned.conflicts).toMatchObject([{ path, blocking: true }])
    const masked = plan({ file: { kind: 'unusable', why: 'is not a regular file' } })
    expect(masked.changes ?? []).toEqual([])
    expect(masked.conflicts).toMatchObject([{ path }])
  })

  it('does not enable again what was disabled by hand', () => {
    const planned = plan({ ...settled(), link: undefined }, { manifest: manifest() })
    expect(planned).toMatchObject({ changes: [], notes: [expect.stringContaining('disabled by hand')] })
    const forced = plan({ ...settled(), link: undefined }, { manifest: manifest(), force: true })
    expect(told(forced)).toEqual([link, 'daemon-reload'])
  })

  it('is for root and for systems with systemd', () => {
    const account = { ...base.facts.account, isRoot: false }
    const user = plan({}, { facts: { ...base.facts, account } })
    expect(user.conflicts?.[0]?.message).toContain('only root')
    const none = plan({}, { facts: { ...base.facts, systemd: undefined } })
    expect(none.conflicts?.[0]?.message).toContain('no systemd here')
    expect([...(user.changes ?? []), ...(none.changes ?? [])]).toEqual([])
  })

  it('undoes a start before the file goes, and restarts with the files as they were', () => {
    const commands = (planned: ReturnType<typeof plan>) =>
      (planned.changes ?? []).flatMap((change) =>
        change.kind === 'command' ? [[change.undo, change.undoLast]] : [],
      )
    const reload = ['systemctl', 'daemon-reload']
    expect(commands(plan({}))).toEqual([
      [undefined, reload],
      [['systemctl', 'stop', 'pulsar.service'], undefined],
    ])
    expect(commands(plan({ ...settled(), unread: unread('x') }))).toEqual([
      [undefined, ['systemctl', 'restart', 'pulsar.service']],
    ])
  })
})

describe('the sandbox', () => {
  const context = contextFor({ prefix: '/srv/pulsar', answers: { manager: 'slurm' } })
  const appYml = (after: string): Change => ({
    kind: 'file',
    step: 'app-yml',
    title: 't',
    counts: 'file',
    path: context.paths.appYml,
    mode: 0o600,
    owner: undefined,
    before: undefined,
    after,
    secretKeys: [],
    backup: false,
  })
  const unknown = { runsJobsHere: undefined, writable: [] }

  it.each([
    ['manager:\n  type: queued_cli\n', 'cluster'],
    ['manager:\n  type: queued_python\n', 'local'],
    ['staging_directory: x\n', 'local'],
    ['managers:\n  _default_:\n    type: slurm\n  here:\n    type: unqueued\n', 'local'],
    ['managers:\n  a:\n    type: slurm\n  b:\n    type: queued_drmaa\n', 'cluster'],
  ])('is that of app.yml as it will be: %j', (text, variant) => {
    expect(variantFor(context, unknown, [appYml(text)])).toBe(variant)
  })

  it('is that of the configuration that is there, else that of the answers', () => {
    expect(variantFor(context, { runsJobsHere: true, writable: [] }, [])).toBe('local')
    expect(variantFor(context, unknown, [])).toBe('cluster')
    const local = { ...context, answers: { ...context.answers, manager: 'local' } as const }
    expect(variantFor(local, unknown, [])).toBe('local')
  })

  it('opens the directories that hand edits put outside of var', async () => {
    const paths = nodePaths(await tempDirectory(), undefined)
    await mkdir(paths.etc)
    expect(await inspectUnitNeeds(paths, signal)).toEqual(unknown)
    await writeFile(
      paths.appYml,
      `staging_directory: /scratch/jobs\npersistence_directory: ${paths.active}\nmanager:\n  type: slurm\n`,
    )
    await writeFile(paths.serverIni, '[uwsgi]\nlogto = /logs/pulsar.log\n')
    expect(await inspectUnitNeeds(paths, signal)).toEqual({
      runsJobsHere: false,
      writable: ['/logs', '/scratch/jobs'],
    })
    await writeFile(paths.appYml, 'staging_directory: [\n')
    expect(await inspectUnitNeeds(paths, signal)).toEqual(unknown)
  })
})
