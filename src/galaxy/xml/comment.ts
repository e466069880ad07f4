import { type Marker, readMarker, renderMarker } from '../marker.js'
import type { XmlComment, XmlElement, XmlNode } from './tree.js'

const INSTEAD = 'instead of '

/** A comment that says what we did; `instead`: the text that it stands in the place of. */
export function renderComment(marker: Marker, instead?: string): string {
  const remark = instead === undefined ? undefined : INSTEAD + instead
  return `<!-- ${encode(renderMarker({ ...marker, remark }))} -->`
}

/** Two hyphens may not stand in a comment; a percent sign shows where one was written in another way. */
function encode(text: string): string {
  return text.replaceAll('%', '%25').replace(/-(?=-)|-$/g, '%2D')
}

function decode(text: string): string {
  return text.replaceAll('%2D', '-').replaceAll('%25', '%')
}

export interface MarkedComment {
  readonly comment: XmlComment
  readonly marker: Marker
  /** undefined: there was nothing. */
  readonly instead: string | undefined
}

export function readComment(node: XmlNode): MarkedComment | undefined {
  // The blanks that stand around the text are not part of it, those that it ends in are.
  const text = node.kind === 'comment' ? decode(node.text.replace(/^ | $/g, '')) : ''
  const marker = readMarker(text)
  if (node.kind !== 'comment' || !marker) return undefined
  const instead = marker.remark?.startsWith(INSTEAD) ? marker.remark.slice(INSTEAD.length) : undefined
  return { comment: node, marker, instead }
}

/** The marker of a child: the nearest of the comments before it, with no other element in between, if it names the child. */
export function markerOf(
  parent: XmlElement,
  child: XmlElement,
  what: Marker['what'],
  id: string,
): MarkedComment | undefined {
  for (const node of parent.children.slice(0, parent.children.indexOf(child)).toReversed()) {
    if (node.kind === 'element') return undefined
    const found = readComment(node)
    if (found) return found.marker.what === what && found.marker.id === id ? found : undefined
  }
  return undefined
}

/** All comments of ours below an element. */
export function listComments(element: XmlElement): MarkedComment[] {
  return element.children.flatMap((child) => {
    const found = readComment(child)
    if (found) return [found]
    return child.kind === 'element' ? listComments(child) : []
  })
}
