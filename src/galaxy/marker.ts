/**
 * The comments by which `magnetar galaxy connect` finds again what it wrote, and disconnect what it has to take away or to put back. They stand
 * in the file itself, so that they survive copies, templates and other editors, and tell people what happened.
 */
export interface Marker {
  readonly what: 'runner' | 'destination' | 'tool' | 'default' | 'section'
  /** Of the runner, destination or tool; the name of the section; what the default is. */
  readonly id: string
  /** Whose tool it is; undefined for what several destinations share. */
  readonly destination?: string | undefined
  /** How it stands there, or what was there before; each format has its own way to write this. */
  readonly remark?: string | undefined
}

const WORDS =
  /^magnetar connect(?: ([\w.-]+))?: (runner|destination|tool|default|section) (\S+?)(?:, (.+))?$/s

/** The text of the comment, without the signs of a comment. */
export function renderMarker({ what, id, destination, remark }: Marker): string {
  const whose = destination === undefined ? '' : ` ${destination}`
  return `magnetar connect${whose}: ${what} ${id}${remark === undefined ? '' : `, ${remark}`}`
}

/** What the text of a comment says; undefined for any other comment. */
export function readMarker(text: string): Marker | undefined {
  const [, destination, what, id, remark] = WORDS.exec(text.trim()) ?? []
  if (what === undefined || id === undefined) return undefined
  return { what: what as Marker['what'], id, destination, remark }
}

export function isSameMarker(a: Marker, b: Marker): boolean {
  return a.what === b.what && a.id === b.id && a.destination === b.destination
}
