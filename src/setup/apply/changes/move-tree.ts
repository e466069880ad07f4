import nodeFs from 'node:fs'
import { errnoOf } from '../../../lib/errors.js'
import { attributesOf, setAttributes } from './attributes.js'
import type { ChangeTools } from './change-kind.js'
import type { Place } from './place.js'

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = nodeFs.constants

/**
 * Renames a file, link or directory at the place; nothing may have the name `to`. A directory in a lower layer of an overlay (the
 * image of a container) cannot be renamed: it is made anew, and its entries moved. On failure everything is where it was.
 */
export function moveTree(place: Place, from: string, to: string, tools: ChangeTools): void {
  try {
    move(Buffer.from(place.at(from)), Buffer.from(place.at(to)), tools, false)
  } catch (error) {
    const begun = tools.fs.lstatSync(place.at(from), { throwIfNoEntry: false })?.isDirectory()
    if (begun && tools.fs.lstatSync(place.at(to), { throwIfNoEntry: false }))
      move(Buffer.from(place.at(to)), Buffer.from(place.at(from)), tools, true)
    throw error
  }
}

/** With `merge`, into a directory that is there. */
function move(from: Buffer, to: Buffer, tools: ChangeTools, merge: boolean): void {
  const { fs } = tools
  try {
    fs.renameSync(from, to)
    return
  } catch (error) {
    const errno = errnoOf(error) ?? ''
    const byEntry = errno === 'EXDEV' || (merge && (errno === 'ENOTEMPTY' || errno === 'EEXIST'))
    if (!byEntry || !fs.lstatSync(from).isDirectory()) throw error
  }
  const source = fs.openSync(from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  try {
    if (!merge || !fs.lstatSync(to, { throwIfNoEntry: false })) fs.mkdirSync(to, { mode: 0o700 })
    const target = fs.openSync(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try {
      for (const name of fs.readdirSync(`/proc/self/fd/${source}`, { encoding: 'buffer' }))
        move(within(source, name), within(target, name), tools, merge)
      setAttributes(target, attributesOf(fs.fstatSync(source)), tools)
    } finally {
      fs.closeSync(target)
    }
  } finally {
    fs.closeSync(source)
  }
  fs.rmdirSync(from)
}

function within(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name])
}
