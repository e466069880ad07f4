import { giveName, unlinkIfThere, writeTemporary } from '../../../lib/atomic-file.js'
import { MagnetarError } from '../../../lib/errors.js'
import type { FileChange } from '../../types.js'
import type { Ids } from '../owner.js'
import { dropAside, linkAside, putBack } from './aside.js'
import { type Attributes, attributesOf, refuseWithoutRoot, setAttributes } from './attributes.js'
import { keepBackup } from './backup.js'
import type { ApplyChange, ChangeTools, Undo } from './change-kind.js'
import { type CurrentFile, readCurrent, withFile } from './current-file.js'
import { makeDurable } from './durable.js'
import { type Place, withPlace } from './place.js'

/** Writes a whole file, or gives one that has the content already its mode and owner. */
export const applyFile: ApplyChange<FileChange> = async (change, tools) => {
  const ids = await tools.findIds(change.owner)
  return withPlace(change.path, tools, async (place) => {
    const current = readCurrent(place, place.name, change.path, tools)
    if (!current?.bytes.equals(Buffer.from(change.after))) {
      expectBefore(change, current)
      return replace(place, change, current, ids, tools)
    }
    // Another owner and another mode cannot be given in one, and in between somebody could read what they may not.
    const { uid, gid } = current.attributes
    if (ids && (ids.uid !== uid || ids.gid !== gid))
      return replace(place, { ...change, backup: false }, current, ids, tools)
    return setMode(place, change, tools)
  })
}

function expectBefore({ path, before }: FileChange, current: CurrentFile | undefined): void {
  if (before === undefined ? current === undefined : current?.bytes.equals(Buffer.from(before))) return
  if (before !== undefined && current?.bytes.toString() === before) {
    throw new MagnetarError('SETUP_CONFLICT', `${path} is not UTF-8 text, and writing it would damage it`, {
      fix: `Convert it (iconv -f LATIN1 -t UTF-8 ${path} > new), look at the result and put it in place.`,
    })
  }
  throw new MagnetarError('SETUP_CONFLICT', `${path} was changed by somebody else meanwhile`, {
    fix: 'Run the same command again: it looks at the file anew.',
  })
}

function setMode(place: Place, { path, mode }: FileChange, tools: ChangeTools): Undo | undefined {
  const set = (at: Place, wanted: number): Attributes | undefined =>
    withFile(at, at.name, path, tools, (fd) =>
      setAttributes(fd, { ...attributesOf(tools.fs.fstatSync(fd)), mode: wanted }, tools),
    )
  const before = set(place, mode)
  return before && { restore: () => withPlace(path, tools, (again) => void set(again, before.mode)) }
}

async function replace(
  place: Place,
  { path, mode, after, backup }: FileChange,
  current: CurrentFile | undefined,
  ids: Ids | undefined,
  tools: ChangeTools,
): Promise<Undo> {
  // An owner that does not matter stays who it is.
  const owner = ids ?? (current && { uid: current.attributes.uid, gid: current.attributes.gid })
  if (owner) refuseWithoutRoot(tools.uid, owner)
  const kept = backup && current ? keepBackup(place, current, tools) : undefined
  const dropBackup = (at: Place): void => {
    if (kept !== undefined) unlinkIfThere(at.at(kept), tools.fs)
  }
  let aside = false
  try {
    aside = current !== undefined && (await linkAside(place, path, tools))
    write(place, after, { ...owner, mode }, tools)
  } catch (error) {
    dropBackup(place)
    if (aside) await dropAside(path, tools)
    throw error
  }
  const restore = (): Promise<void> =>
    withPlace(path, tools, async (again) => {
      if (aside) await putBack(path, tools)
      else if (current) write(again, current.bytes, current.attributes, tools)
      else unlinkIfThere(again.at(again.name), tools.fs)
      dropBackup(again)
    })
  const discard = (budgetMs: number): Promise<boolean> => dropAside(path, tools, budgetMs)
  return makeDurable(place, aside ? { restore, discard } : { restore }, tools)
}

function write(
  place: Place,
  content: string | Uint8Array,
  attributes: Partial<Attributes> & { readonly mode: number },
  { fs }: ChangeTools,
): void {
  giveName(writeTemporary(place.directory, place.name, content, attributes, fs), fs)
}
