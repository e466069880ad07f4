import { removeLines, spliceText } from '../../lib/edit/text-lines.js'
import type { MarkedLine } from './comment.js'
import type { Item } from './items.js'

/** Takes an entry on lines of its own away with its comment, and puts the lines back that were there. */
export function removeFromBlock(text: string, item: Item, marked: MarkedLine): string {
  const { start, end, instead } = marked
  const isNext =
    text.slice(end, item.start).trim() === '' && text.slice(end, item.start).split('\n').length === 2
  // Comments in between are somebody else's, and stay.
  if (!isNext) {
    const back = instead === undefined ? removeLines(text, start, end) : { start, end, text: instead }
    return spliceText(text, [back, removeLines(text, item.start, item.end)])
  }
  if (instead === undefined) return spliceText(text, [removeLines(text, start, item.end)])
  return spliceText(text, [{ start, end: item.end, text: instead }])
}
