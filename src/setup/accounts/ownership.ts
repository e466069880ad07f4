import type { Answers, Facts, Manifest, Owner } from '../types.js'

/** Whose the parts of a node are. undefined without root: everything belongs to whoever runs setup, and nothing is given away. */
export interface Ownership {
  /** The prefix itself, bin, lib. */
  readonly code: Owner | undefined
  readonly config: Owner | undefined
  /** var and all below it: the server writes there. */
  readonly data: Owner | undefined
  /** What only the server may read: app.yml with the token, the TLS key. */
  readonly secretMode: number
}

/** With separated privileges a job, which runs as the user, can change neither the server nor what it starts with. */
export function ownershipOf(
  { user, group, separatePrivileges }: Pick<Answers, 'user' | 'group' | 'separatePrivileges'>,
  { isRoot }: Pick<Facts['account'], 'isRoot'>,
): Ownership {
  if (!isRoot) return { code: undefined, config: undefined, data: undefined, secretMode: 0o600 }
  const node = { user, group }
  if (!separatePrivileges) return { code: node, config: node, data: node, secretMode: 0o600 }
  return {
    code: { user: 'root', group: 'root' },
    config: { user: 'root', group },
    data: node,
    secretMode: 0o640,
  }
}

/** The last setup gave everything these owners, so what differs now was changed by hand. */
export function ownersAreFromLastSetup(answers: Answers, manifest: Manifest | undefined): boolean {
  const last = manifest?.answers
  return (
    last !== undefined &&
    last.user === answers.user &&
    last.group === answers.group &&
    last.separatePrivileges === answers.separatePrivileges
  )
}

/** Mode (permission bits), owner and group of something on the disk. */
export interface Access {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export interface WantedAccess {
  readonly mode: number
  /** Numbers of the wanted owner; undefined: the account has to be made first. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined
  /** false without root: the owner stays whoever it is. */
  readonly mayChangeOwner: boolean
  /** Who runs the server; undefined: has to be made first. */
  readonly server: { readonly uid: number; readonly gid: number } | undefined
  /** What the server needs of it: read 4, write 2, search 1. */
  readonly needs: number
  /** Nobody else may read it. */
  readonly secret: boolean
  /** Another owner than the wanted one was set by hand, after the last setup. */
  readonly ownerIsByHand: boolean
}

export interface AccessMerge {
  readonly mode: number
  /** The wanted owner instead of the one it has. */
  readonly changeOwner: boolean
  /** Something is not as wanted, and is left so. */
  readonly kept: boolean
}

/**
 * What mode and owner to leave on something that is there. An admin's own choice stays (0750 for 0755, root as owner) as long as the
 * server can work with it and it is open to nobody whom it must be closed to.
 */
export function mergeAccess(found: Access, wanted: WantedAccess): AccessMerge {
  const { ids, server } = wanted
  const otherOwner = ids === undefined || found.uid !== ids.uid || found.gid !== ids.gid
  const usableAsIs = server !== undefined && allows(found, server, wanted.needs)
  const changeOwner = wanted.mayChangeOwner && otherOwner && !(wanted.ownerIsByHand && usableAsIs)
  const owner = changeOwner ? ids : found
  const usable =
    owner === undefined || server === undefined
      ? (found.mode & 0o700) === (wanted.mode & 0o700)
      : allows({ ...owner, mode: found.mode }, server, wanted.needs)
  const mode = usable && !isTooOpen(found.mode, wanted.secret) ? found.mode : wanted.mode
  return {
    mode,
    changeOwner,
    kept: mode !== wanted.mode || (wanted.mayChangeOwner && otherOwner && !changeOwner),
  }
}

const STICKY = 0o1000

function isTooOpen(mode: number, secret: boolean): boolean {
  return secret ? (mode & 0o007) !== 0 : (mode & 0o002) !== 0 && (mode & STICKY) === 0
}

/** Whether an account gets the rights it needs; groups beyond its primary one are not looked at. */
function allows(found: Access, account: { uid: number; gid: number }, needs: number): boolean {
  const shift = found.uid === account.uid ? 6 : found.gid === account.gid ? 3 : 0
  return ((found.mode >> shift) & needs) === needs
}

/** "0755" */
export function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
