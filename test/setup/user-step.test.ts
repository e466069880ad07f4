import { stat } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { checkExistingUser, planNewUser } from '../../src/setup/accounts/plan-user.js'
import { type UserState, userStep } from '../../src/setup/steps/user.js'
import type { AnswerKey, Answers, Change, StepPlan } from '../../src/setup/types.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { contextFor, nodeUser } from './context-fixture.js'

/** A Debian without the user. */
const bare: UserState = {
  user: undefined,
  group: undefined,
  uidTakenBy: undefined,
  gidTakenBy: undefined,
  hasHome: false,
  hasShell: true,
  missingParents: [],
  useradd: '/usr/sbin/useradd',
  groupadd: '/usr/sbin/groupadd',
  userdel: '/usr/sbin/userdel',
  groupdel: '/usr/sbin/groupdel',
}

function context(answers: Partial<Answers> = {}, explicit: readonly AnswerKey[] = []) {
  return contextFor({
    prefix: '/srv/pulsar',
    answers: { user: 'pulsar', group: 'pulsar', ...answers },
    explicit,
  })
}

function planned(state: Partial<UserState>, answers: Partial<Answers> = {}): StepPlan {
  return planNewUser(context(answers), { ...bare, ...state })
}

function commandsOf(changes: readonly Change[]): string[] {
  return changes.flatMap((change) => (change.kind === 'command' ? [change.argv.join(' ')] : []))
}

function undoOf(changes: readonly Change[]): string[] {
  return changes.flatMap((change) => (change.kind === 'command' ? [change.undo?.join(' ') ?? ''] : []))
}

describe('a user that has to be made', () => {
  it('is made as by hand, and taken back with its home', () => {
    const { changes } = planned({})
    expect(commandsOf(changes)).toEqual(['/usr/sbin/useradd -d /home/pulsar -m -r -s /bin/bash -U pulsar'])
    expect(undoOf(changes)).toEqual(['/usr/sbin/userdel -r pulsar'])
    expect(changes.map(({ counts }) => counts)).toEqual(['user'])
  })

  it('gets the number, home and shell asked for', () => {
    const { changes } = planned({}, { uid: 4711, home: '/data/p', shell: '/bin/sh' })
    expect(commandsOf(changes)).toEqual(['/usr/sbin/useradd -d /data/p -m -r -s /bin/sh -u 4711 -U pulsar'])
  })

  it.each<[string, Partial<UserState>, Partial<Answers>, string[]]>([
    [
      'that is there',
      { group: { name: 'pulsar', gid: 500 } },
      {},
      ['/usr/sbin/useradd -d /home/pulsar -m -r -s /bin/bash -g pulsar pulsar'],
    ],
    [
      'of another name',
      {},
      { group: 'galaxy' },
      [
        '/usr/sbin/groupadd -r galaxy',
        '/usr/sbin/useradd -d /home/pulsar -m -r -s /bin/bash -g galaxy pulsar',
      ],
    ],
    [
      'with a number of its own',
      {},
      { gid: 4712 },
      [
        '/usr/sbin/groupadd -r -g 4712 pulsar',
        '/usr/sbin/useradd -d /home/pulsar -m -r -s /bin/bash -g pulsar pulsar',
      ],
    ],
  ])('gets a group %s', (_what, state, answers, commands) => {
    expect(commandsOf(planned(state, answers).changes)).toEqual(commands)
  })

  it('leaves a home that was there, also when it is taken back', () => {
    const { changes, notes } = planned({ hasHome: true })
    expect(undoOf(changes)).toEqual(['/usr/sbin/userdel pulsar'])
    expect(notes).toEqual(['/home/pulsar is there already and stays as it is'])
  })

  it('has the directories above its home made apart, so that they can be taken back', () => {
    const { changes } = planned({ missingParents: ['/data', '/data/homes'] }, { home: '/data/homes/pulsar' })
    expect(changes.map((change) => (change.kind === 'directory' ? change.path : change.kind))).toEqual([
      '/data',
      '/data/homes',
      'command',
    ])
  })

  it.each<[string, Partial<UserState>, Partial<Answers>, string]>([
    ['its number is taken', { uidTakenBy: 'ann' }, { uid: 1000 }, 'the number 1000 belongs to the user ann'],
    ['its group’s number is taken', { gidTakenBy: 'users' }, { gid: 100 }, 'belongs to the group users'],
    [
      'its group is one of the system',
      { group: { name: 'shadow', gid: 42 } },
      { group: 'shadow' },
      "the group shadow (42) is one of the system's own",
    ],
    ['there is no useradd', { useradd: undefined }, {}, 'there is no useradd here'],
  ])('is a conflict when %s', (_what, state, answers, message) => {
    const { changes, conflicts } = planned(state, answers)
    expect(changes).toEqual([])
    expect(conflicts).toMatchObject([{ message: expect.stringContaining(message), blocking: true }])
  })
})

describe('a user that exists', () => {
  const user = { name: 'pulsar', uid: 999, gid: 995, home: '/home/pulsar', shell: '/bin/false' }
  const state = { ...bare, user, group: { name: 'pulsar', gid: 995 } }

  it('is used as it is', () => {
    expect(checkExistingUser(context({ shell: '/bin/false' }), state, user)).toEqual({
      changes: [],
      conflicts: [],
      notes: [],
    })
  })

  it('is told about where setup would have made it otherwise', () => {
    expect(checkExistingUser(context(), state, user).notes).toEqual([
      'kept: the user pulsar exists with shell /bin/false (setup would have made it with /bin/bash)',
    ])
  })

  it.each<[AnswerKey, Partial<Answers>, string]>([
    ['uid', { uid: 1 }, 'usermod -u 1 pulsar'],
    ['gid', { gid: 1 }, 'groupmod -g 1 pulsar'],
    ['home', { home: '/h' }, 'usermod -d /h -m pulsar'],
    ['shell', { shell: '/bin/bash' }, 'usermod -s /bin/bash pulsar'],
  ])('is a conflict with another %s that is asked for', (key, answers, command) => {
    const asked = context({ shell: '/bin/false', ...answers }, [key])
    const { changes, conflicts } = checkExistingUser(asked, state, user)
    expect(changes).toEqual([])
    expect(conflicts).toMatchObject([{ key, message: expect.stringContaining(command) }])
  })

  it('may have a system group of its own, but gets no other one', () => {
    const daemon = { ...user, gid: 1 }
    const of = (name: string, gid: number) =>
      checkExistingUser(
        context({ shell: '/bin/false' }),
        { ...state, user: daemon, group: { name, gid } },
        daemon,
      )
    expect(of('daemon', 1).conflicts).toEqual([])
    expect(of('disk', 6).conflicts).toMatchObject([{ key: 'group', blocking: true }])
    expect(of('users', 100).conflicts).toEqual([])
  })

  it('may get a group beside its own, made for the files', () => {
    const asked = context({ group: 'galaxy', shell: '/bin/false' })
    const { changes } = checkExistingUser(asked, { ...state, group: undefined }, user)
    expect(commandsOf(changes)).toEqual(['/usr/sbin/groupadd -r galaxy'])
  })
})

describe('the step of the user', () => {
  it('looks the accounts of this machine up', async () => {
    const existing = contextFor({ prefix: '/srv/pulsar', answers: nodeUser })
    const { changes, conflicts } = await userStep.plan(existing, [])
    expect({ changes, conflicts }).toEqual({ changes: [], conflicts: [] })
    const home = `${await tempDirectory()}/a/pulsar`
    const missing = context({ user: 'magnetar-none', group: 'magnetar-none', home })
    const planned = await userStep.plan(missing, [])
    expect(planned.changes.map(({ kind }) => kind)).toEqual(['directory', 'command'])
    await expect(stat(home)).rejects.toThrow('ENOENT')
  })

  it('does nothing without root, and says so', async () => {
    const { changes, notes } = await userStep.plan(contextFor({ prefix: '/tmp/x', root: false }), [])
    expect({ changes, notes }).toEqual({
      changes: [],
      notes: ['not root: no user is made, the node runs as ann'],
    })
  })

  it.each<[string, boolean, boolean, number]>([
    ['only with purge', false, true, 0],
    ['only one that setup made', true, false, 0],
    ['one that setup made, with purge', true, true, 1],
  ])('removes %s', async (_what, purge, madeUser, count) => {
    const { paths, facts, signal } = context()
    // Looked up, not removed: nothing is applied here.
    const manifest = { version: 1, answers: { user: nodeUser.user }, files: {}, madeUser } as const
    const changes = (await userStep.remove?.({ paths, facts, signal, purge, manifest })) ?? []
    expect(changes).toHaveLength(count)
    expect(commandsOf(changes).every((command) => /userdel (-r )?daemon$/.test(command))).toBe(true)
  })
})
