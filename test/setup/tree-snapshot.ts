import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** What a tree is: each path below `root`, with type, mode, owner, and bytes or target. Equal snapshots are equal trees. */
export function snapshot(root: string): Record<string, string> {
  const found: Record<string, string> = {}
  const visit = (path: string, name: string): void => {
    const stats = lstatSync(path)
    const attributes = `${(stats.mode & 0o7777).toString(8)} ${stats.uid}:${stats.gid}`
    if (stats.isSymbolicLink()) found[name] = `link ${stats.uid}:${stats.gid} -> ${readlinkSync(path)}`
    else if (stats.isFile())
      found[name] = `file ${attributes} ${JSON.stringify(readFileSync(path, 'latin1'))}`
    else {
      found[name] = `${stats.isDirectory() ? 'directory' : 'other'} ${attributes}`
      if (stats.isDirectory())
        for (const entry of readdirSync(path).sort()) visit(join(path, entry), `${name}/${entry}`)
    }
  }
  visit(root, '.')
  return found
}
