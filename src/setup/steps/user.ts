import { stat } from 'node:fs/promises'
import {
  type Group,
  lookUpGroup,
  lookUpGroupById,
  lookUpUser,
  lookUpUserById,
  type User,
} from '../../lib/accounts.js'
import { findProgram } from '../../lib/find-program.js'
import { checkExistingUser, planNewUser, USER_STEP } from '../accounts/plan-user.js'
import { defineStep } from '../define-step.js'
import type { Change, RemoveContext, SetupContext } from '../types.js'

export interface UserState {
  readonly user: User | undefined
  readonly group: Group | undefined
  /** Who has the numbers that are asked for. */
  readonly uidTakenBy: string | undefined
  readonly gidTakenBy: string | undefined
  readonly hasHome: boolean
  readonly hasShell: boolean
  /** Directories above the home that are not there, the highest first. */
  readonly missingParents: readonly string[]
  /** Absolute; undefined: there is no such program. */
  readonly useradd: string | undefined
  readonly groupadd: string | undefined
  readonly userdel: string | undefined
  readonly groupdel: string | undefined
}

const TIMEOUT_MS = 60_000

/** The account that the server and its jobs run as. One that exists is used as it is. */
export const userStep = defineStep<UserState | undefined>({
  id: USER_STEP,
  title: 'user and group',
  inspect: async (context) => (context.facts.account.isRoot ? inspectUser(context) : undefined),
  plan(context, state) {
    const { account } = context.facts
    if (state === undefined) return { notes: [`not root: no user is made, the node runs as ${account.user}`] }
    return state.user ? checkExistingUser(context, state, state.user) : planNewUser(context, state)
  },
  remove: removeUser,
})

async function inspectUser({ answers, signal }: SetupContext): Promise<UserState> {
  const { uid, gid, home } = answers
  const [user, group, userOfId, groupOfId, hasHome, hasShell, useradd, groupadd, userdel, groupdel] =
    await Promise.all([
      lookUpUser(answers.user, signal),
      lookUpGroup(answers.group, signal),
      uid === undefined ? undefined : lookUpUserById(uid, signal),
      gid === undefined ? undefined : lookUpGroupById(gid, signal),
      isThere(home),
      isThere(answers.shell),
      ...['useradd', 'groupadd', 'userdel', 'groupdel'].map((name) => findProgram(name)),
    ])
  return {
    user,
    group,
    uidTakenBy: userOfId?.name === answers.user ? undefined : userOfId?.name,
    gidTakenBy: groupOfId?.name === answers.group ? undefined : groupOfId?.name,
    hasHome,
    hasShell,
    missingParents: await missingParents(home),
    useradd,
    groupadd,
    userdel,
    groupdel,
  }
}

async function missingParents(path: string): Promise<string[]> {
  const parent = path.slice(0, path.lastIndexOf('/'))
  if (parent === '' || (await isThere(parent))) return []
  return [...(await missingParents(parent)), parent]
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** Only one that setup made, and with `purge`. A home that belongs to somebody else stays: userdel would refuse and fail. */
async function removeUser({ facts, manifest, purge, signal }: RemoveContext): Promise<Change[]> {
  const name = manifest?.answers.user
  if (!purge || !manifest?.madeUser || !facts.account.isRoot || typeof name !== 'string') return []
  const user = await lookUpUser(name, signal)
  if (!user) return []
  const home = await stat(user.home).catch(() => undefined)
  const withHome = home?.uid === user.uid
  const userdel = (await findProgram('userdel')) ?? 'userdel'
  return [
    {
      kind: 'command',
      step: USER_STEP,
      title: `remove the user ${name}${withHome ? ` and ${user.home}` : ''}`,
      counts: 'user',
      argv: [userdel, ...(withHome ? ['-r'] : []), name],
      timeoutMs: TIMEOUT_MS,
      undo: undefined,
      touches: [...(withHome ? [user.home] : [])],
    },
  ]
}
