/** A Node.js program: asked what it is, by running it. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { messageOf } from '../../lib/errors.js'
import { CommandNotStarted, runCommand } from '../../lib/exec.js'
import { isAtLeast, OLDEST_VERSION } from './pinned.js'
import { runtimeUnavailable } from './unavailable.js'

export interface NodeProgram {
  /** The binary itself, where the path asked is a link or a version manager's script. */
  readonly binary: string
  /** Without the v. */
  readonly version: string
  readonly arch: string
  /** It is only a starter of a libnode.so of the system's. */
  readonly shared: boolean
}

const QUESTION =
  'JSON.stringify([process.execPath, process.versions.node, process.platform, process.arch, Boolean(process.config.variables.node_shared)])'
const TIMEOUT_MS = 20_000

/**
 * Runs the Node.js at `path` to learn what it is.
 * @throws RUNTIME_UNAVAILABLE when it does not run, is for another machine, or is too old; the signal's reason
 */
export async function askNode(path: string, signal: AbortSignal): Promise<NodeProgram> {
  // What the admin's shell sets for Node must not change what is asked.
  const { NODE_OPTIONS: _options, ...env } = process.env
  const answer = await runCommand(path, ['-p', QUESTION], { timeoutMs: TIMEOUT_MS, signal, env }).catch(
    (error: unknown) => {
      if (error instanceof CommandNotStarted) throw runtimeUnavailable(messageOf(error), error)
      throw error
    },
  )
  if (answer.timedOut) throw runtimeUnavailable(`${path} did not answer within ${TIMEOUT_MS / 1000} s`)
  const found = answer.code === 0 ? parse(answer.stdout) : undefined
  if (!found) {
    const words = (answer.stderr.trim() || answer.stdout.trim()).split('\n')[0] ?? ''
    const how = answer.signal === null ? `exit code ${answer.code}` : answer.signal
    throw runtimeUnavailable(`${path} does not run as a Node.js (${how}${words === '' ? '' : `: ${words}`})`)
  }
  if (found.platform !== process.platform || found.arch !== process.arch) {
    const own = `${process.platform}-${process.arch}`
    throw runtimeUnavailable(`${path} is for ${found.platform}-${found.arch}, and this machine is ${own}`)
  }
  if (!isAtLeast(found.version, OLDEST_VERSION)) {
    throw runtimeUnavailable(
      `${path} is Node.js ${found.version}, and Magnetar needs ${OLDEST_VERSION} or newer`,
    )
  }
  return found
}

function parse(text: string): (NodeProgram & { readonly platform: string }) | undefined {
  try {
    const [binary, version, platform, arch, shared] = JSON.parse(text) as unknown[]
    return [binary, version, platform, arch].every((value) => typeof value === 'string' && value !== '')
      ? {
          binary: String(binary),
          version: String(version),
          platform: String(platform),
          arch: String(arch),
          shared: shared === true,
        }
      : undefined
  } catch {
    return undefined
  }
}

/** Of a file, as registries write it: `sha512-BASE64`. */
export async function integrityOf(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha512')
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash, { signal })
  return `sha512-${hash.digest('base64')}`
}
