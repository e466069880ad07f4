import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FileState } from '../../src/setup/files/file-state.js'
import {
  type ProgramSituation,
  planSupervisorCommands,
} from '../../src/setup/services/supervisor-commands.js'
import {
  type ProgramFileState,
  planProgramFile,
  startsThisNode,
} from '../../src/setup/services/supervisor-file.js'
import { supervisorConfStep } from '../../src/setup/steps/supervisor-conf.js'
import { removeProgram, supervisorProgramStep } from '../../src/setup/steps/supervisor-program.js'
import type { Answers, Change, Facts, Manifest, SetupContext } from '../../src/setup/types.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { rootFacts } from './answer-fixtures.js'
import { contextFor } from './context-fixture.js'

const supervisor = { ...rootFacts.supervisor, configFile: '/s.conf' } as NonNullable<Facts['supervisor']>
const prefix = '/srv/pulsar'
const context = contextFor({ prefix, answers: { start: true } })
const path = '/etc/supervisor/conf.d/pulsar.conf'
const written: Change = {
  kind: 'file',
  step: 'app-yml',
  title: 't',
  counts: 'file',
  path: context.paths.appYml,
  mode: 0o600,
  owner: undefined,
  before: '',
  after: 'x',
  secretKeys: [],
  backup: false,
}
const running = { state: 'RUNNING', detail: 'pid 17, uptime 0:00:02', pid: 17 }
const asWanted: ProgramSituation = {
  program: running,
  pending: undefined,
  unread: undefined,
  broken: undefined,
  isWritten: false,
  startsByItself: true,
  earlier: [],
}

function commands(situation: Partial<ProgramSituation>, answers: Partial<Answers> = {}, facts = supervisor) {
  const wanted = { ...context, answers: { ...context.answers, ...answers } }
  const { changes, ...rest } = planSupervisorCommands('s', wanted, facts, { ...asWanted, ...situation })
  const words = (argv: readonly string[] | undefined): string | undefined => argv?.slice(3).join(' ')
  return {
    ...rest,
    run: changes.map((change) => change.kind === 'command' && words(change.argv)),
    undo: changes.map((change) => change.kind === 'command' && words(change.undo)),
    undoLast: changes.map((change) => change.kind === 'command' && words(change.undoLast)),
  }
}

describe('what Supervisor is told', () => {
  const state = (name: string) => ({ state: name, detail: '', pid: undefined })

  it.each<[string, Partial<ProgramSituation>, string[]]>([
    ['it runs as wanted', {}, []],
    ['it is starting', { program: state('STARTING') }, []],
    ['nothing is there yet', { program: undefined, isWritten: true }, ['update pulsar']],
    ['a setup was killed after the file', { program: undefined, pending: 'available' }, ['update pulsar']],
    ['a setup was killed after a change', { pending: 'changed' }, ['update pulsar']],
    ['its file changes', { isWritten: true }, ['update pulsar']],
    ['its configuration changes', { earlier: [written] }, ['restart pulsar']],
    ['it has not read something', { unread: '/srv/pulsar/etc/app.yml' }, ['restart pulsar']],
    ['both change', { isWritten: true, earlier: [written] }, ['update pulsar', 'restart pulsar']],
    ['it was stopped', { program: state('STOPPED') }, ['start pulsar']],
    ['it was stopped and changes', { program: state('STOPPED'), earlier: [written] }, ['start pulsar']],
    ['it ended', { program: state('EXITED') }, ['start pulsar']],
    ['it failed', { program: state('FATAL') }, ['start pulsar']],
    ['it fails again and again', { program: state('BACKOFF') }, ['restart pulsar']],
    [
      'an admin switched autostart off',
      { program: undefined, isWritten: true, startsByItself: false },
      ['update pulsar', 'start pulsar'],
    ],
  ])('when %s', (_what, situation, wanted) => {
    const planned = commands(situation)
    expect(planned).toMatchObject({ run: wanted, conflicts: [], notes: [] })
    // What starts something that did not run is undone before the file goes, all else after the file is back.
    const starts = wanted.map((each) => each === 'start pulsar')
    expect(planned.undo).toEqual(starts.map((start) => (start ? 'stop pulsar' : undefined)))
    expect(planned.undoLast).toEqual(wanted.map((each, at) => (starts[at] ? undefined : each)))
  })

  it.each<[string, Partial<ProgramSituation>, RegExp | undefined]>([
    ['nothing runs', { program: undefined, isWritten: true }, /not started.*at boot.*update pulsar$/],
    ['it runs as wanted', {}, undefined],
    ['it runs as before', { earlier: [written] }, /not restarted.*restart pulsar$/],
    ['its file changes', { isWritten: true }, /not restarted.*update pulsar$/],
  ])('with --no-start nothing, and what that means is told: %s', (_what, situation, note) => {
    const planned = commands(situation, { start: false })
    expect(planned).toMatchObject({ run: [], conflicts: [] })
    if (note) expect(planned.notes).toEqual([expect.stringMatching(note)])
    else expect(planned.notes).toEqual([])
  })

  it('is nothing when it does not run, but what starts it', () => {
    const stopped = { ...supervisor, running: false }
    const planned = commands({ program: undefined, isWritten: true }, {}, stopped)
    expect(planned.run).toEqual([])
    expect(planned.conflicts).toEqual([
      { path: '/s.conf', key: undefined, message: expect.stringContaining('supervisord -c /s.conf') },
    ])
    expect(commands({ program: undefined }, { start: false }, stopped).conflicts).toEqual([])
  })

  it('is nothing when it cannot read its files', () => {
    const planned = commands({ broken: 'Supervisor cannot read its configuration: line 9', isWritten: true })
    expect(planned.run).toEqual([])
    expect(planned.conflicts[0]?.message).toContain('line 9')
  })
})

describe('the program file', () => {
  const absent: FileState = { kind: 'absent' }
  const file = (text: string, link = false): FileState => ({
    kind: 'file',
    text,
    mode: 0o644,
    uid: 0,
    gid: 0,
    link,
  })
  const nothing: ProgramFileState = {
    file: absent,
    reference: absent,
    isDirectoryMissing: false,
    program: undefined,
    pending: undefined,
  }
  const plan = (state: Partial<ProgramFileState>, more: Partial<SetupContext> = {}) =>
    planProgramFile('s', { ...context, ...more }, supervisor, { ...nothing, ...state }, [])

  function textOf(changes: readonly Change[]): string {
    const [change] = changes.slice(-1)
    return change?.kind === 'file' ? change.after : ''
  }

  function manifestOf(text: string): Manifest {
    const { files } = plan({ file: file(text) })
    return { version: 1, answers: {}, files, madeUser: false }
  }

  const fresh = textOf(plan({}).changes)

  it('has the section of the exercise, is root’s and can be read by all', () => {
    const { changes, files } = plan({})
    expect(changes).toMatchObject([
      { kind: 'file', path, mode: 0o644, owner: { user: 'root', group: 'root' }, before: undefined },
    ])
    expect(fresh).toContain('[program:pulsar]\n')
    expect(fresh).toContain(
      "command         = /srv/pulsar/bin/pulsar --mode 'uwsgi' --config '/srv/pulsar/etc'\n",
    )
    expect(fresh).toContain(
      'environment     = VIRTUAL_ENV="/srv/pulsar",PATH="/srv/pulsar/bin:%(ENV_PATH)s"\n',
    )
    expect(fresh).toContain('stopsignal      = INT\n')
    expect(Object.keys(files)).toEqual([path])
    expect(plan({ file: file(fresh) }).changes).toEqual([])
  })

  it('begins as the same text as etc/supervisor.conf', async () => {
    const node = join(await tempDirectory(), 'node')
    const { changes } = await supervisorConfStep.plan(contextFor({ prefix: node }), [])
    expect(textOf(changes).replaceAll(node, prefix)).toBe(fresh)
  })

  it('is not taken from etc/supervisor.conf, where a job of the node´s user could write', () => {
    const evil = `${fresh}[program:evil]\nuser = root\ncommand = /tmp/evil\n`
    const { changes, notes } = plan({ reference: file(evil) })
    expect(textOf(changes)).toBe(fresh)
    expect(notes.join()).toContain('which is not copied from the first')
  })

  it('keeps what was edited by hand, and changes what setup wrote', () => {
    const edited = `${fresh}stopwaitsecs = 20\n`
    const manifest = manifestOf(fresh)
    const answers = { ...context.answers, user: 'other' }
    const { changes } = plan({ file: file(edited) }, { manifest, answers })
    expect(textOf(changes)).toBe(edited.replace('= daemon', '= other'))
    const touched = fresh.replace('= INT', '= TERM')
    expect(plan({ file: file(touched) }, { manifest })).toMatchObject({
      changes: [],
      notes: [expect.stringContaining('stopsignal')],
    })
  })

  it('of another Pulsar is left alone, and replaced with force, with a backup', () => {
    const foreign = fresh.replaceAll(prefix, '/opt/pulsar')
    const refused = plan({ file: file(foreign) })
    expect(refused.changes).toEqual([])
    expect(refused.conflicts).toMatchObject([
      { path, message: expect.stringContaining('--instance'), blocking: true },
    ])
    const forced = plan({ file: file(foreign) }, { force: true })
    expect(forced.conflicts).toEqual([])
    expect(forced.changes).toMatchObject([{ before: foreign, after: fresh, backup: true }])
  })

  it('is not written when Supervisor has a program of that name from another file', () => {
    const { changes, conflicts } = plan({ program: running })
    expect(changes).toEqual([])
    expect(conflicts).toMatchObject([{ blocking: true }])
    // But after a removal that was killed before Supervisor was told.
    expect(plan({ program: running, pending: 'disappeared' }).changes).toHaveLength(1)
  })

  it('is not written through a link', () => {
    expect(plan({ file: file(`${fresh};`, true) })).toMatchObject({
      changes: [],
      conflicts: [{ path, message: expect.stringContaining('symbolic link') }],
    })
  })

  it('comes after its directory', () => {
    expect(plan({ isDirectoryMissing: true }).changes).toMatchObject([
      { kind: 'directory', path: '/etc/supervisor/conf.d', mode: 0o755 },
      { kind: 'file', path },
    ])
  })

  it.each([
    ['', true],
    ['autostart = true\n', true],
    ['autostart = False\n', false],
    ['autostart=off\n', false],
  ])('tells whether it starts by itself: %j', (line, wanted) => {
    expect(plan({ file: file(fresh + line) }).startsByItself).toBe(wanted)
  })
})

describe('the program of Supervisor', () => {
  it('cannot be, without Supervisor', async () => {
    const facts = { supervisor: undefined }
    const wanted = contextFor({ prefix, facts })
    const { conflicts, changes } = await supervisorProgramStep.plan(wanted, [])
    expect(changes).toEqual([])
    expect(conflicts[0]?.message).toContain('apt install supervisor')
    const none = contextFor({ prefix, facts, answers: { service: 'none' } })
    expect(await supervisorProgramStep.plan(none, [])).toMatchObject({ changes: [], conflicts: [] })
  })

  const isRoot = process.getuid?.() === 0 ? 'root may write everywhere' : undefined
  it('is refused early to whoever may not write its file', needs(isRoot), async () => {
    const facts = { supervisor: { ...supervisor, running: false, programsDirectory: '/etc' } }
    const wanted = contextFor({ prefix, facts })
    await expect(supervisorProgramStep.plan(wanted, [])).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
  })

  async function removal(text: string, manifest: Manifest | undefined, adopt: boolean) {
    const programsDirectory = join(await tempDirectory(), 'conf.d')
    await mkdir(programsDirectory)
    const program = join(programsDirectory, 'pulsar.conf')
    await writeFile(program, text)
    const facts = { ...rootFacts, supervisor: { ...supervisor, running: false, programsDirectory } }
    const known = manifest && {
      ...manifest,
      files: { [program]: manifest.files[path] ?? {} },
    }
    const { paths, signal } = context
    const changes = await removeProgram(
      { paths, manifest: known, facts, signal },
      adopt ? startsThisNode : () => false,
    )
    expect(await readFile(program, 'utf8')).toBe(text)
    return changes.map(
      (change) =>
        change.kind !== 'command' && `${change.kind} ${change.path.slice(programsDirectory.length + 1)}`,
    )
  }

  const state = { file: { kind: 'absent' }, reference: { kind: 'absent' } } as const
  const { changes, files } = planProgramFile(
    's',
    context,
    supervisor,
    { ...state, isDirectoryMissing: false, program: undefined, pending: undefined },
    [],
  )
  const [change] = changes
  const text = change?.kind === 'file' ? change.after : ''
  const manifest: Manifest = { version: 1, answers: {}, files, madeUser: false }

  it('goes when setup wrote it, and is kept beside when it was edited', async () => {
    expect(await removal(text, manifest, false)).toEqual(['remove pulsar.conf'])
    expect(await removal(`${text};\n`, manifest, false)).toEqual([
      'file pulsar.conf.bak',
      'remove pulsar.conf',
    ])
  })

  it('that an admin installed by hand is left by setup, and goes with the node', async () => {
    expect(await removal(text, undefined, false)).toEqual([])
    expect(await removal(text, undefined, true)).toEqual(['remove pulsar.conf'])
    expect(await removal(text.replaceAll(prefix, '/opt/pulsar'), undefined, true)).toEqual([])
  })
})
