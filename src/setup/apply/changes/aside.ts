import { errnoOf } from '../../../lib/errors.js'
import type { ChangeTools } from './change-kind.js'
import { asideName } from './names.js'
import { type Place, withPlace } from './place.js'

/** Answers of file systems that have no hard links, or no more of them for this file. */
const NO_LINKS = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK'])

/** Whether a hard link could not be made because this file system does not have them. */
export function hasNoLinks(error: unknown): boolean {
  return NO_LINKS.has(errnoOf(error) ?? '')
}

/**
 * Gives a file or link a second name, under which it stays as it is (also its times and access lists) when another takes the first:
 * putting it back is one rename, which a full disk allows too. False where there are no hard links, and for a path that this run has
 * changed before.
 */
export async function linkAside(place: Place, file: string, tools: ChangeTools): Promise<boolean> {
  if (tools.asides.has(file)) return false
  const aside = place.at(asideName(place.name))
  await tools.removeTree(aside)
  try {
    tools.fs.linkSync(place.at(place.name), aside)
  } catch (error) {
    if (hasNoLinks(error)) return false
    throw error
  }
  tools.asides.add(file)
  return true
}

/** Gives what is aside its name again, in place of what has it now. */
export function putBack(file: string, tools: ChangeTools): Promise<void> {
  return withPlace(file, tools, (place) => {
    tools.fs.renameSync(place.at(asideName(place.name)), place.at(place.name))
  })
}

/** Removes what is aside, under the name that linkAside gave it or another; false when the time was not enough for all of it. */
export async function dropAside(
  file: string,
  tools: ChangeTools,
  budgetMs = Number.POSITIVE_INFINITY,
  nameOf = asideName,
): Promise<boolean> {
  try {
    return await withPlace(file, tools, (place) => tools.removeTree(place.at(nameOf(place.name)), budgetMs))
  } catch (error) {
    // A later change has taken the whole directory away.
    if (errnoOf(error) === 'ENOENT') return true
    throw error
  }
}
