import { access, constants, open, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { createSecureContext } from 'node:tls'
import type { NodeConfig } from '../config/types.js'
import { activeKey, endedKey } from '../jobs/record.js'
import { errnoOf, MagnetarError, messageOf } from '../lib/errors.js'
import { abortAfter } from '../lib/time-limit.js'
import { probeManagers } from '../node.js'
import { openCopy } from './records-copy.js'

/** More than a store takes when it is made. */
const TRIED_BYTES = 256 * 1024
const STORE_LIMIT_MS = 30_000

/**
 * Sees whether a node would start with this configuration, as this user, in this environment, and starts none: another server may run
 * on the same directories and port. What is written is removed again.
 * @returns warnings
 * @throws MagnetarError as the start would
 */
export async function tryStart(config: NodeConfig, env: NodeJS.ProcessEnv): Promise<string[]> {
  const wanted: (readonly [option: string, directory: string | undefined | null])[] = [
    ['staging_directory', config.stagingDirectory],
    ...config.managers.map(
      ({ name, stagingDirectory }) => [`staging_directory of manager ${name}`, stagingDirectory] as const,
    ),
    ['file_cache_dir', config.fileCacheDirectory],
    ['persistence_directory', config.persistenceDirectory],
  ]
  const seen = new Set<string>()
  for (const [option, directory] of wanted) {
    if (!directory || seen.has(directory)) continue
    seen.add(directory)
    await tryDirectory(option, directory)
  }
  const warnings = await tryStore(config)
  const { sslPem } = config.server
  if (sslPem !== undefined) await tryCertificate(sslPem)
  return [...warnings, ...(await probeManagers(config, env.DRMAA_LIBRARY_PATH))]
}

/** Writes a file to it, or to what there is above it. */
async function tryDirectory(option: string, directory: string): Promise<void> {
  const place = await nearest(directory)
  const file = path.join(place, `.magnetar-try-${process.pid}`)
  try {
    const handle = await open(file, 'wx', 0o600)
    try {
      await handle.writeFile(Buffer.alloc(TRIED_BYTES, 'magnetar'))
      await handle.sync()
    } finally {
      await handle.close()
      await rm(file, { force: true })
    }
  } catch (error) {
    throw unusable(option, directory, error)
  }
}

/** Reads of a copy what a start reads: of what is damaged the store itself may be seen to be, or only what is in it. */
async function tryStore({ persistenceDirectory, managers }: NodeConfig): Promise<string[]> {
  if (persistenceDirectory === null) return []
  const directory = path.join(persistenceDirectory, 'magnetar-store')
  try {
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw unusable('persistence_directory', directory, error)
  }
  const signal = abortAfter(STORE_LIMIT_MS)
  try {
    const { store, release } = await openCopy(persistenceDirectory, signal)
    try {
      for (const { name } of managers)
        for (const key of [activeKey(name, ''), endedKey(name, '')])
          for await (const _ of store.entries(key)) signal.throwIfAborted()
    } finally {
      await release()
    }
    return []
  } catch (error) {
    const isUnseen = signal.aborted || (error instanceof MagnetarError && error.code === 'COPY_FAILED')
    if (!isUnseen) throw error
    return [`whether the job records in ${directory} can be opened was not seen: ${messageOf(error)}`]
  }
}

async function tryCertificate(file: string): Promise<void> {
  try {
    const pem = await readFile(file, 'utf8')
    createSecureContext({ cert: pem, key: pem })
  } catch (error) {
    throw new MagnetarError('CERTIFICATE_UNREADABLE', `cannot use ssl_pem ${file}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function unusable(option: string, directory: string, error: unknown): MagnetarError {
  return new MagnetarError('DIRECTORY_UNUSABLE', `${option}: cannot use ${directory}: ${messageOf(error)}`, {
    cause: error,
  })
}

async function nearest(directory: string): Promise<string> {
  const isThere = await access(directory).then(
    () => true,
    (error: unknown) => errnoOf(error) !== 'ENOENT',
  )
  return isThere || directory === path.dirname(directory) ? directory : nearest(path.dirname(directory))
}
