/** A Node.js program: asked what it is, by running it. */
import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
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
  // What the admin's shell sets for Node must not change what is asked; certificates, twice the time of a start, are not needed.
  const { NODE_OPTIONS: _options, NODE_EXTRA_CA_CERTS: _authorities, ...env } = process.env
  const found = await realpath(path).catch(() => path)
  const runAs = process.getuid?.() === 0 ? await whoCouldReplace(found) : undefined
  const options = { timeoutMs: TIMEOUT_MS, signal, env, cwd: '/', ...(runAs ? { runAs } : {}) }
  const answer = await runCommand(found, ['-p', QUESTION], options).catch((error: unknown) => {
    if (error instanceof CommandNotStarted) throw runtimeUnavailable(messageOf(error), error)
    throw error
  })
  if (answer.timedOut) throw runtimeUnavailable(`${path} did not answer within ${TIMEOUT_MS / 1000} s`)
  const program = answer.code === 0 ? parse(answer.stdout) : undefined
  if (!program) {
    const words = (answer.stderr.trim() || answer.stdout.trim()).split('\n')[0] ?? ''
    const how = answer.signal === null ? `exit code ${answer.code}` : answer.signal
    throw runtimeUnavailable(`${path} does not run as a Node.js (${how}${words === '' ? '' : `: ${words}`})`)
  }
  if (program.platform !== process.platform || program.arch !== process.arch) {
    const own = `${process.platform}-${process.arch}`
    throw runtimeUnavailable(`${path} is for ${program.platform}-${program.arch}, and this machine is ${own}`)
  }
  if (!isAtLeast(program.version, OLDEST_VERSION)) {
    throw runtimeUnavailable(
      `${path} is Node.js ${program.version}, and Magnetar needs ${OLDEST_VERSION} or newer`,
    )
  }
  return program
}

/**
 * A program that somebody else than root could put another in the place of, the user of a node for one, is run with his rights and not
 * with root's. undefined: only root could.
 */
async function whoCouldReplace(file: string): Promise<{ uid: number; gid: number } | undefined> {
  for (let path = file; ; path = dirname(path)) {
    const found = await stat(path).catch(() => undefined)
    if (found && found.uid !== 0) return { uid: found.uid, gid: found.gid }
    if (path === dirname(path)) return undefined
  }
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
