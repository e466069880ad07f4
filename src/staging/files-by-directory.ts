/**
 * Files at any depth below each of some directories, in their order. Directories that hold none are left out. Only those asked for
 * are remembered: a tool can nest its files as deeply as it likes.
 */
export function filesByDirectory(
  names: readonly string[],
  directories: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const name of names) {
    for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) {
      const directory = name.slice(0, at)
      if (!directories.has(directory)) continue
      const files = found.get(directory)
      if (files) files.push(name)
      else found.set(directory, [name])
    }
  }
  return found
}
