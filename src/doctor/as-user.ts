import type { DoctorFacts } from './types.js'

type Who = Pick<DoctorFacts, 'user' | 'account'>

/**
 * The command line that runs `argv` as the user of the node, with all groups that the user has; undefined: this account may not. What
 * lies in directories of that user is only looked at and changed so, root or not: a job could put a link there.
 */
export function asNodeUser({ user, account }: Who, argv: readonly string[]): string[] | undefined {
  if (user === undefined) return undefined
  if (account.uid === user.uid) return [...argv]
  if (!account.isRoot) return undefined
  const groups = /^\d+$/.test(user.name) ? '--clear-groups' : '--init-groups'
  return ['setpriv', '--reuid', String(user.uid), '--regid', String(user.gid), groups, '--', ...argv]
}

/** Why something was not looked at. */
export function notTheUser({ user }: Who): string {
  return user === undefined
    ? 'left out: nothing tells whose the node is'
    : `left out: only root and ${user.name} can see it`
}
