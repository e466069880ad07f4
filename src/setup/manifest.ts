import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import { errnoOf, MagnetarError, messageOf } from '../lib/errors.js'
import type { Manifest, NodePaths } from './types.js'

const VERSION = 1

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hex')

const schema = z.object({
  version: z.literal(VERSION),
  answers: z.record(z.string(), z.unknown()),
  files: z.record(
    z.string().startsWith('/', 'expected an absolute path'),
    z.object({ whole: digest.optional(), keys: z.record(z.string(), digest).optional() }),
  ),
  madeUser: z.boolean(),
})

/**
 * What the last setup of the node left about itself; undefined: there was none.
 * @throws MagnetarError SETUP_CONFLICT when it is damaged or of a newer release, NOT_PERMITTED when it cannot be read
 */
export async function readManifest(paths: Pick<NodePaths, 'manifest'>): Promise<Manifest | undefined> {
  const text = await readManifestText(paths.manifest)
  return text === undefined ? undefined : parseManifest(text, paths.manifest)
}

/**
 * The text of the manifest; undefined: there is none. Root believes only what root wrote: the directory belongs to the node's user, and
 * what stands here says, for one, which user may be removed. Errors: SETUP_CONFLICT, NOT_PERMITTED, or the system's.
 */
export async function readManifestText(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const { uid } = await handle.stat()
      if (process.getuid?.() === 0 && uid !== 0) throw notOfRoot(file, uid)
      return await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
    if (errno === 'ELOOP') throw broken(file, 'it is a symbolic link')
    if (errno !== 'EACCES') throw error
    throw new MagnetarError('NOT_PERMITTED', `${file}, which tells what setup did here, cannot be read`, {
      cause: error,
    })
  }
}

function notOfRoot(file: string, uid: number): MagnetarError {
  return new MagnetarError(
    'SETUP_CONFLICT',
    `${file} belongs to the user with the number ${uid}, so root did not write it, and it is not believed`,
    {
      fix: `A node that was set up without root is changed as that user. Else look at the file, and if it is right: chown root:root ${file}`,
    },
  )
}

/** Errors as readManifest. */
export function parseManifest(text: string, file: string): Manifest {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw broken(file, messageOf(error))
  }
  const version = z.object({ version: z.number() }).safeParse(value)
  if (version.success && version.data.version > VERSION) {
    throw new MagnetarError('SETUP_CONFLICT', `${file} was written by a newer release of Magnetar`, {
      fix: `Use that release: run the magnetar in the bin directory of the node.`,
    })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw broken(file, issue ? `${issue.path.join('.')}: ${issue.message}` : 'it has another form')
  }
  // zod gives undefined for what is missing, which the exact type tells from missing.
  return parsed.data as Manifest
}

function broken(file: string, why: string): MagnetarError {
  return new MagnetarError('SETUP_CONFLICT', `${file} is damaged (${why}); it tells what setup wrote`, {
    fix: `Restore it from a backup, or move it away (mv ${file} ${file}.damaged): setup then takes every file for edited by hand.`,
  })
}

/** The text of the file: the same for the same content, whatever order it was put together in. */
export function renderManifest(manifest: Manifest): string {
  const sorted = (_key: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value
  return `${JSON.stringify(manifest, sorted, 2)}\n`
}
