import { temporaryName, unlinkIfThere } from '../../../lib/atomic-file.js'
import { MagnetarError } from '../../../lib/errors.js'
import type { LinkChange } from '../../types.js'
import type { Ids } from '../owner.js'
import { dropAside, linkAside, putBack } from './aside.js'
import { refuseWithoutRoot } from './attributes.js'
import type { ApplyChange, ChangeTools } from './change-kind.js'
import { makeDurable } from './durable.js'
import { type Place, withPlace } from './place.js'

/** Makes a symbolic link or points one elsewhere, in one rename. */
export const applyLink: ApplyChange<LinkChange> = async (change, tools) => {
  const ids = await tools.findIds(change.owner)
  return withPlace(change.path, tools, async (place) => {
    const current = readLink(place, change.path, tools)
    // An owner that does not matter stays who it is.
    const owner = ids ?? current?.owner
    const isSame = current?.owner.uid === owner?.uid && current?.owner.gid === owner?.gid
    if (current?.target === change.target && isSame) return undefined
    if (owner) refuseWithoutRoot(tools.uid, owner)
    const aside = current !== undefined && (await linkAside(place, change.path, tools))
    try {
      make(place, { target: change.target, owner }, tools)
    } catch (error) {
      if (aside) await dropAside(change.path, tools)
      throw error
    }
    const restore = (): Promise<void> =>
      withPlace(change.path, tools, (again) => {
        if (aside) return putBack(change.path, tools)
        if (current) make(again, current, tools)
        else unlinkIfThere(again.at(again.name), tools.fs)
      })
    const discard = (budgetMs: number): Promise<boolean> => dropAside(change.path, tools, budgetMs)
    return makeDurable(place, aside ? { restore, discard } : { restore }, tools)
  })
}

interface Link {
  readonly target: string
  readonly owner: Ids | undefined
}

/** undefined: nothing is there. */
function readLink(place: Place, file: string, { fs }: ChangeTools): (Link & { owner: Ids }) | undefined {
  const stats = fs.lstatSync(place.at(place.name), { throwIfNoEntry: false })
  if (!stats) return undefined
  if (!stats.isSymbolicLink()) {
    throw new MagnetarError('SETUP_CONFLICT', `${file} is in the way: it is no symbolic link`, {
      fix: `Move it away: mv ${file} ${file}.bak`,
    })
  }
  return { target: fs.readlinkSync(place.at(place.name)), owner: { uid: stats.uid, gid: stats.gid } }
}

function make(place: Place, { target, owner }: Link, { fs, uid }: ChangeTools): void {
  const temporary = place.at(temporaryName(place.name))
  unlinkIfThere(temporary, fs)
  fs.symlinkSync(target, temporary)
  try {
    if (owner && uid === 0) fs.lchownSync(temporary, owner.uid, owner.gid)
    fs.renameSync(temporary, place.at(place.name))
  } catch (error) {
    unlinkIfThere(temporary, fs)
    throw error
  }
}
