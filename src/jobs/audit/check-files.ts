import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import { parseRemoteStaging } from '../../staging/remote-staging.js'
import { jobDirectory } from '../directory.js'
import { readLaunchConfig } from '../disk/launch-config.js'
import { uploadTarget } from '../file-types.js'
import { nameOf } from '../move-files.js'
import type { JobRecord } from '../record.js'
import { isDone } from '../transitions.js'
import type { Life, Rule } from './types.js'

/**
 * Whether the directory of an unfinished job is there, and, as long as it has not been launched, whether its inputs are as they were
 * fetched.
 * @returns the rules that are broken, with what is wrong
 */
export async function checkFiles(
  stagingDirectory: string,
  record: JobRecord,
  life: Life | undefined,
): Promise<(readonly [Rule, string])[]> {
  // What was cancelled may have been cleaned, though its end is not recorded yet: on a full disk that can take a while.
  if (isDone(record.status)) return []
  const directory = jobDirectory(stagingDirectory, record.id).path
  if ((await sizeOf(directory)) === undefined)
    return [['directory-there', `has no job directory ${directory}`]]
  if (!life || life.foreign || life.launches > 0 || life.fetched.size === 0) return []
  const broken: (readonly [Rule, string])[] = []
  for (const { what, file, transfer } of inputsOf(directory)) {
    const bytes = life.fetched.get(transfer)
    if (bytes === undefined) continue
    const size = await sizeOf(file)
    if (size === bytes) continue
    const found = size === undefined ? 'is gone' : `has ${size} bytes`
    broken.push(['input-complete', `${what} was fetched with ${bytes} bytes, and ${found}`])
  }
  return broken
}

function inputsOf(
  directory: string,
): { readonly what: string; readonly file: string; readonly transfer: string }[] {
  try {
    const { setup } = parseRemoteStaging(readLaunchConfig(directory)?.remote_staging)
    return setup.map(({ name, type, action }) => {
      const local = uploadTarget(directory, type, name)
      const file = path.join(local.base, ...local.components)
      return { what: `${type} ${name}`, file, transfer: nameOf('in', action, local) }
    })
  } catch {
    // Its stage-in says what is wrong with it.
    return []
  }
}

/** undefined: there is nothing. Links are not followed. */
async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await lstat(file)).size
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}
