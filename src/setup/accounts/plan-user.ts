import type { User } from '../../lib/accounts.js'
import type { UserState } from '../steps/user.js'
import {
  type AnswerKey,
  type Change,
  type CommandChange,
  type Conflict,
  isExplicit,
  type SetupContext,
  type StepPlan,
} from '../types.js'

/** The id of the step. */
export const USER_STEP = 'user'
const TIMEOUT_MS = 60_000
/** Below it stand the groups that come with a system; 100 is `users`. */
const FIRST_FREE_GID = 100
/** What useradd and groupadd write, with the copies that they keep of what was there before. */
const DATABASES = ['passwd', 'shadow', 'group', 'gshadow', 'subuid', 'subgid'].flatMap((name) => [
  `/etc/${name}`,
  `/etc/${name}-`,
])

const REMOVE_IF_THERE = '! getent group "$1" >/dev/null || exec "$0" "$1"'

type Context = Pick<SetupContext, 'answers' | 'sources'>

/** The user as `useradd -d HOME -m -r -s SHELL NAME` makes it, and the group where it has another name or a number of its own. */
export function planNewUser({ answers }: Context, state: UserState): StepPlan {
  const { user, uid, home, shell } = answers
  const { group, useradd, userdel = 'userdel' } = state
  const groups = planGroup({ answers }, state)
  const conflicts = [...groups.conflicts, ...checkReserved(state)]
  if (state.uidTakenBy !== undefined)
    conflicts.push(
      blocking('uid', `the number ${uid} belongs to the user ${state.uidTakenBy}. Name another --uid`),
    )
  if (useradd === undefined) {
    const message = `there is no useradd here to make the user ${user}. Make it by other means, or name one that exists with --user`
    conflicts.push(blocking('user', message))
  }
  if (useradd === undefined || conflicts.length > 0) return { changes: [], conflicts, notes: [] }
  const inGroup = group !== undefined || groups.changes.length > 0 ? ['-g', answers.group] : ['-U']
  const number = uid === undefined ? [] : ['-u', String(uid)]
  const create: CommandChange = {
    kind: 'command',
    step: USER_STEP,
    title: `create the user ${user} (home ${home}, shell ${shell})`,
    counts: 'user',
    argv: [useradd, '-d', home, '-m', '-r', '-s', shell, ...number, ...inGroup, user],
    timeoutMs: TIMEOUT_MS,
    // A home that was there is not ours to remove.
    undo: [userdel, ...(state.hasHome ? [] : ['-r']), user],
    touches: [...DATABASES, home],
  }
  return {
    changes: [...groups.changes, ...planParents(state), create],
    conflicts,
    notes: newUserNotes(answers, state),
  }
}

function newUserNotes({ home, shell }: SetupContext['answers'], { hasHome, hasShell }: UserState): string[] {
  const notes = hasHome ? [`${home} is there already and stays as it is`] : []
  if (!hasShell) notes.push(`there is no ${shell} here; Slurm and su could start nothing as this user`)
  return notes
}

/** useradd would make them too, but nobody would take them away again. */
function planParents({ missingParents }: UserState): Change[] {
  return missingParents.map((path) => ({
    kind: 'directory',
    step: USER_STEP,
    title: `create ${path}`,
    counts: 'directory',
    path,
    mode: 0o755,
    owner: undefined,
  }))
}

/** useradd makes a group of the user's own name by itself, with a number of the system's choice. */
function planGroup({ answers }: Pick<Context, 'answers'>, state: UserState): StepPlan {
  const { user, group, gid } = answers
  const { groupadd, groupdel = 'groupdel' } = state
  if (state.group !== undefined || (group === user && gid === undefined && state.user === undefined))
    return { changes: [], conflicts: [], notes: [] }
  const refuse = (message: string): StepPlan => ({
    changes: [],
    conflicts: [blocking('group', message)],
    notes: [],
  })
  if (state.gidTakenBy !== undefined)
    return refuse(`the number ${gid} belongs to the group ${state.gidTakenBy}. Name another --gid`)
  if (groupadd === undefined)
    return refuse(`there is no groupadd here to make the group ${group}. Name one that exists with --group`)
  const create: CommandChange = {
    kind: 'command',
    step: USER_STEP,
    title: `create the group ${group}`,
    counts: 'other',
    argv: [groupadd, '-r', ...(gid === undefined ? [] : ['-g', String(gid)]), group],
    timeoutMs: TIMEOUT_MS,
    // userdel takes a group of the user's own name along, as long as nobody else is in it.
    undo: group === user ? ['sh', '-c', REMOVE_IF_THERE, groupdel, group] : [groupdel, group],
    touches: DATABASES,
  }
  return { changes: [create], conflicts: [], notes: [] }
}

/** Used as it is. What somebody asked for and is otherwise can only be changed by hand: files all over the machine depend on it. */
export function checkExistingUser(context: Context, state: UserState, user: User): StepPlan {
  const { answers, sources } = context
  const conflicts: Conflict[] = []
  const notes: string[] = []
  const compare = (
    key: AnswerKey,
    wanted: number | string | undefined,
    found: number | string | undefined,
    command: string,
  ): void => {
    if (wanted === undefined || found === undefined || wanted === found) return
    const whose = key === 'gid' ? `the group ${answers.group}` : `the user ${answers.user}`
    const is = `${whose} exists with ${key} ${found}`
    if (isExplicit(sources[key]))
      conflicts.push(
        conflict(
          key,
          `${is}, and ${wanted} is asked for. Leave --${key} out, or change it by hand: ${command}`,
        ),
      )
    else notes.push(`kept: ${is} (setup would have made it with ${wanted})`)
  }
  compare('uid', answers.uid, user.uid, `usermod -u ${answers.uid} ${answers.user}`)
  compare('gid', answers.gid, state.group?.gid, `groupmod -g ${answers.gid} ${answers.group}`)
  compare('home', answers.home, user.home, `usermod -d ${answers.home} -m ${answers.user}`)
  compare('shell', answers.shell, user.shell, `usermod -s ${answers.shell} ${answers.user}`)
  const groups = planGroup(context, state)
  conflicts.push(...groups.conflicts, ...checkReserved(state))
  return { changes: groups.changes, conflicts, notes }
}

/** Such a group is a right over the machine, which jobs would have with it: shadow, disk, root. */
function checkReserved({ user, group }: UserState): Conflict[] {
  if (group === undefined || group.gid >= FIRST_FREE_GID || group.gid === user?.gid) return []
  const message = `the group ${group.name} (${group.gid}) is one of the system's own, and jobs would have the rights that go with it. Name another --group`
  return [blocking('group', message)]
}

function blocking(key: string, message: string): Conflict {
  return { ...conflict(key, message), blocking: true }
}

function conflict(key: string, message: string): Conflict {
  return { path: key === 'gid' || key === 'group' ? '/etc/group' : '/etc/passwd', key, message }
}
