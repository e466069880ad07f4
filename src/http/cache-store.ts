import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { disk } from '../jobs/disk/disk.js'
import type { OpenFile } from '../lib/confined-file.js'
import { errnoOf, MagnetarError } from '../lib/errors.js'
import { createKeyedLock } from '../lib/keyed-lock.js'

const statAsync = promisify(fs.stat) as (path: string) => Promise<fs.Stats>
const unlinkAsync = promisify(fs.unlink)
const realpathAsync = promisify(fs.realpath.native) as (path: string) => Promise<string>

/** A claim whose upload is not under way in this process counts no longer than this: its client is taken for dead. */
const CLAIM_EXPIRES_MS = 10 * 60 * 1000
const TOKEN = /^[0-9a-f]{64}$/

/**
 * The directory of cached files: `<token>` is a complete file, `<token>.claim` (empty, durable) says that somebody promised to
 * upload it at the time of the file. The claim goes with the upload, whether that succeeds or fails.
 */
export interface FileCache {
  /** True when the caller shall upload the file: it is not there and nobody else has a claim that counts. */
  claim(token: string): Promise<boolean>
  isReady(token: string): Promise<boolean>
  /** Runs `receive`, which stores the file under the path it is given. */
  insert(
    token: string,
    receive: (base: string, components: readonly string[]) => Promise<void>,
  ): Promise<void>
  /** The caller closes it. @throws BAD_REQUEST for what is no token, FILE_NOT_FOUND */
  open(token: string): Promise<OpenFile>
}

export function createFileCache(directory: string): FileCache {
  const lock = createKeyedLock()
  const uploads = new Map<string, number>()
  let base: Promise<string> | undefined

  const root = (): Promise<string> => {
    // An administrator may well have put a link there. Asked again after a failure.
    base ??= realpathAsync(directory).catch((error: unknown) => {
      base = undefined
      throw error
    })
    return base
  }

  const isReady = async (token: string): Promise<boolean> =>
    (await statIfThere(path.join(await root(), token)))?.isFile() ?? false

  const claim = async (token: string): Promise<boolean> => {
    if (uploads.has(token) || (await isReady(token))) return false
    const name = claimOf(token)
    const claimed = await statIfThere(path.join(await root(), name))
    if (claimed && Date.now() - claimed.mtimeMs < CLAIM_EXPIRES_MS) return false
    await disk.storeFile(await root(), [name], new Uint8Array(), { mode: 0o600, sync: true })
    return true
  }

  const insert: FileCache['insert'] = async (token, receive) => {
    uploads.set(token, (uploads.get(token) ?? 0) + 1)
    try {
      await receive(await root(), [token])
    } finally {
      const left = (uploads.get(token) ?? 1) - 1
      if (left > 0) uploads.set(token, left)
      else uploads.delete(token)
      // Also after a failure: the next client that asks may then try at once.
      await lock.run(token, () => removeIfThere(directory, claimOf(token)))
    }
  }

  return {
    claim: (token) => lock.run(token, () => claim(token)),
    isReady,
    insert,
    async open(token) {
      if (!TOKEN.test(token))
        throw new MagnetarError('BAD_REQUEST', 'parameter cache_token is not a token of the file cache')
      return disk.openForRead(await root(), [token])
    },
  }
}

function claimOf(token: string): string {
  return `${token}.claim`
}

async function statIfThere(file: string): Promise<fs.Stats | undefined> {
  try {
    return await statAsync(file)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function removeIfThere(directory: string, name: string): Promise<void> {
  try {
    await unlinkAsync(path.join(directory, name))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}
