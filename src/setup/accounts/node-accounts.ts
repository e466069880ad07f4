import { lookUpGroup, lookUpUser } from '../../lib/accounts.js'
import type { Ids } from '../apply/owner.js'
import type { Owner, SetupContext } from '../types.js'

/** The accounts of a node, as far as they exist already. */
export interface NodeAccounts {
  /** Who runs the server, with its primary group. */
  readonly server: Ids | undefined
  /** The numbers of an owner; undefined: one of the two names has to be made first. */
  idsOf(owner: Owner | undefined): Ids | undefined
}

const known = new WeakMap<SetupContext, Promise<NodeAccounts>>()

/** Asked once per run: a directory service may take its time. */
export function nodeAccounts(context: SetupContext): Promise<NodeAccounts> {
  const found = known.get(context) ?? findAccounts(context)
  known.set(context, found)
  return found
}

async function findAccounts({ answers, facts, signal }: SetupContext): Promise<NodeAccounts> {
  if (!facts.account.isRoot) {
    const self = { uid: facts.account.uid, gid: process.getegid?.() ?? 0 }
    return { server: self, idsOf: () => self }
  }
  const [user, group] = await Promise.all([
    lookUpUser(answers.user, signal),
    lookUpGroup(answers.group, signal),
  ])
  const uids: Readonly<Record<string, number | undefined>> = { [answers.user]: user?.uid, root: 0 }
  const gids: Readonly<Record<string, number | undefined>> = { [answers.group]: group?.gid, root: 0 }
  return {
    server: user && { uid: user.uid, gid: user.gid },
    idsOf(owner) {
      const [uid, gid] = [uids[owner?.user ?? ''], gids[owner?.group ?? '']]
      return uid === undefined || gid === undefined ? undefined : { uid, gid }
    },
  }
}
