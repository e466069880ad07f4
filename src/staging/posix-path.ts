/**
 * Python's os.path on POSIX, where it differs from node:path: what is joined is not tidied up, and two leading slashes stay two.
 * Relative paths are taken from the root: those that Galaxy sends are absolute, and the server's own directory means nothing to it.
 */

export function joinPath(base: string, name: string): string {
  if (name.startsWith('/') || base === '') return name
  return base.endsWith('/') ? base + name : `${base}/${name}`
}

/** What is after the last slash: nothing for "a/". */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** What is before the last slash, without the slashes at its end. */
export function dirName(path: string): string {
  const head = path.slice(0, path.lastIndexOf('/') + 1)
  const trimmed = head.replace(/\/+$/, '')
  return trimmed === '' ? head : trimmed
}

/** os.path.abspath */
export function absolutePath(path: string): string {
  const slashes = path.startsWith('//') && !path.startsWith('///') ? '//' : '/'
  return slashes + componentsOf(path).join('/')
}

/** os.path.relpath */
export function relativePath(path: string, start: string): string {
  const to = componentsOf(path)
  const from = componentsOf(start)
  let common = 0
  while (common < from.length && from[common] === to[common]) common++
  return [...from.slice(common).map(() => '..'), ...to.slice(common)].join('/') || '.'
}

/** The components of an absolute path, without those that lead nowhere; ".." at the top does. */
function componentsOf(path: string): string[] {
  const components: string[] = []
  for (const component of path.split('/')) {
    if (component === '..') components.pop()
    else if (component !== '' && component !== '.') components.push(component)
  }
  return components
}
