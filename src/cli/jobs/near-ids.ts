import { findNearest } from '../../config/nearest.js'

const MAX_NEAR = 5

/** The ids that whoever typed `id` may have meant: those that begin or end so, and the one with the fewest typing errors. */
export function nearIds(id: string, ids: readonly string[]): string[] {
  // The number of another job is no typing error of this one's: 102 is a neighbour of 103, not a way to write it.
  const nearest = findNearest(
    id,
    ids.filter((each) => digitsOf(each) === digitsOf(id)),
  )
  const parts = ids.filter((each) => id.length > 1 && isPart(id, each)).slice(0, MAX_NEAR)
  return [...new Set([...parts, ...(nearest === undefined ? [] : [nearest])])]
}

/** Of a number, half of its digits say nothing. */
function isPart(id: string, whole: string): boolean {
  return !/^\d+$/.test(whole) && (whole.startsWith(id) || whole.endsWith(id))
}

function digitsOf(id: string): string {
  return id.replace(/\D/g, '')
}
