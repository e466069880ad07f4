import path from 'node:path'
import { temporaryName } from '../../../lib/atomic-file.js'
import { MagnetarError } from '../../../lib/errors.js'
import type { TreeChange } from '../../types.js'
import type { ApplyChange, ChangeTools } from './change-kind.js'
import { makeDurable } from './durable.js'
import { mountsIn } from './mounts.js'
import { ownTree } from './own-tree.js'
import { withPlace } from './place.js'

/** Has a directory or file made under a temporary name, gives it its owner, and only then its name. */
export const applyTree: ApplyChange<TreeChange> = async (change, tools) => {
  const ids = await tools.findIds(change.owner)
  return withPlace(change.path, tools, async (place) => {
    const { fs } = tools
    if (fs.lstatSync(place.at(place.name), { throwIfNoEntry: false })) {
      throw new MagnetarError('SETUP_CONFLICT', `${change.path} was made by somebody else meanwhile`, {
        fix: 'Run the same command again: it looks at what is there anew.',
      })
    }
    const temporary = temporaryName(place.name)
    await tools.removeTree(place.at(temporary))
    try {
      // The plain path: programs that build are started with it, and have other descriptors.
      const target = path.join(path.dirname(change.path), temporary)
      await change.build(target, tools.progress, tools.signal)
      if (ids) await ownTree(place.at(temporary), ids, tools)
      await tools.flushTree(target)
      fs.renameSync(place.at(temporary), place.at(place.name))
    } catch (error) {
      await tools.removeTree(place.at(temporary))
      throw error
    }
    return makeDurable(place, { restore: () => remove(change.path, tools) }, tools)
  })
}

/** First without its name: half a tree must not be taken for a whole one. */
async function remove(tree: string, tools: ChangeTools): Promise<void> {
  await withPlace(tree, tools, async (place) => {
    const mounts = mountsIn(path.join(place.realDirectory, place.name))
    if (mounts.length > 0) throw new MagnetarError('SETUP_CONFLICT', `${mounts.join(', ')} is mounted in it`)
    const temporary = place.at(temporaryName(place.name))
    await tools.removeTree(temporary)
    tools.fs.renameSync(place.at(place.name), temporary)
    await tools.removeTree(temporary)
  })
}
