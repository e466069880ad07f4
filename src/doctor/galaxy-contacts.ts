import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { createNodeClient, trustOptions } from '../check/node-client.js'
import { reach } from '../check/reach.js'
import { readTarget } from '../check/target.js'
import { checkTls } from '../check/tls.js'
import { CheckProblem } from '../check/types.js'
import { messageOf } from '../lib/errors.js'
import { listDirectory } from '../lib/fs.js'
import { readSmallFile } from '../lib/small-file.js'
import { readSystemAuthorities } from '../lib/system-authorities.js'
import { abortAfter } from '../lib/time-limit.js'

/** A Galaxy server, asked whether it is there. */
export interface GalaxyContact {
  /** "https://galaxy.example.org/" */
  readonly origin: string
  /** Told by the admin now; else by a job. */
  readonly isGiven: boolean
  readonly problem: { readonly message: string; readonly isTls: boolean } | undefined
  /** Its clock less ours, ms, of whole seconds; undefined: its answer has no date. */
  readonly clockOffMs: number | undefined
}

const CONNECT_MS = 3000
const ANSWER_MS = 4000
const NEWEST_JOBS = 50
const MAX_ORIGINS = 5

/** The servers that jobs are to deliver to, by the newest job directories: only scheme, host and port, as the rest holds keys. */
export async function findGalaxies(staging: readonly string[]): Promise<string[]> {
  const found: { file: string; mtimeMs: number }[] = []
  for (const directory of staging) {
    for (const name of await listDirectory(directory).catch((): string[] => [])) {
      const file = join(directory, name, 'launch_config')
      const stats = await lstat(file).catch(() => undefined)
      if (stats?.isFile()) found.push({ file, mtimeMs: stats.mtimeMs })
    }
  }
  const newest = found.sort((one, other) => other.mtimeMs - one.mtimeMs).slice(0, NEWEST_JOBS)
  const origins = await Promise.all(newest.map(({ file }) => originOf(file)))
  return [...new Set(origins.filter((each) => each !== undefined))].slice(0, MAX_ORIGINS)
}

async function originOf(file: string): Promise<string | undefined> {
  try {
    const endpoint = /"files_endpoint"\s*:\s*"(https?:[^"\\]*)/.exec(
      await readSmallFile(file, abortAfter(ANSWER_MS)),
    )?.[1]
    return endpoint === undefined ? undefined : `${new URL(endpoint).origin}/`
  } catch {
    return undefined
  }
}

/** Connects, shakes hands, asks for `/`: any answer will do. Never throws for what the other side does. */
export async function contactGalaxy(
  url: string,
  options: { readonly isGiven: boolean; readonly caFile: string | undefined; readonly signal: AbortSignal },
): Promise<GalaxyContact> {
  const { isGiven, caFile, signal } = options
  const target = readTarget(url)
  const origin = target.root.origin
  try {
    const own = caFile === undefined ? [] : [await readSmallFile(caFile, signal)]
    const authorities = [...rootCertificates, ...readSystemAuthorities(), ...own]
    await reach(target, { signal, timeoutMs: CONNECT_MS })
    if (target.tls)
      await checkTls(target, {
        trust: trustOptions({ certificate: undefined, authorities }),
        signal,
        timeoutMs: CONNECT_MS,
      })
    const client = createNodeClient({
      url: target.root.href,
      token: undefined,
      certificate: undefined,
      authorities,
      timeoutMs: ANSWER_MS,
    })
    const { headers } = await client.call('GET', '', { signal })
    const there = Date.parse(headers.date ?? '')
    const clockOffMs = Number.isNaN(there) ? undefined : there + 500 - Date.now()
    return { origin, isGiven, problem: undefined, clockOffMs }
  } catch (error) {
    signal.throwIfAborted()
    const isTls = error instanceof CheckProblem && error.kind === 'tls'
    const message = error instanceof CheckProblem ? error.advice.message : messageOf(error)
    const problem = { message, isTls }
    return { origin, isGiven, problem, clockOffMs: undefined }
  }
}
