import fs from 'node:fs'
import path from 'node:path'
import { ClassicLevel } from 'classic-level'
import { syncDirectory, temporaryName } from '../lib/atomic-file.js'
import { errnoOf } from '../lib/errors.js'
import { makePrivateDirectory } from '../lib/private-file.js'

/**
 * Makes an empty LevelDB where there is none, so that it is there as a whole or not at all: LevelDB gives a new one its name (CURRENT)
 * before it has synced what that leads to, and one of which only a part had reached the disk when the power went could never be opened
 * again. What is there is left as it is. @throws the system's error; LevelDB's
 */
export async function makeLevelStore(directory: string): Promise<void> {
  // An empty directory or a link to one was put there by somebody, and stays.
  if (fs.lstatSync(directory, { throwIfNoEntry: false })) return
  const parent = path.dirname(directory)
  const temporary = path.join(parent, temporaryName(path.basename(directory)))
  fs.rmSync(temporary, { recursive: true, force: true })
  makePrivateDirectory(temporary)
  const db = new ClassicLevel<string, unknown>(temporary)
  await db.open()
  await db.close()
  for (const name of fs.readdirSync(temporary)) syncFile(path.join(temporary, name))
  syncDirectory(temporary)
  try {
    fs.renameSync(temporary, directory)
  } catch (error) {
    // Another server has been faster.
    if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'EEXIST') throw error
    fs.rmSync(temporary, { recursive: true, force: true })
  }
}

function syncFile(file: string): void {
  const fd = fs.openSync(file, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}
