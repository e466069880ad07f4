import { createHash } from 'node:crypto'
import { lstat, realpath } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import path from 'node:path'
import { errnoOf, MagnetarError, messageOf } from '../lib/errors.js'

/**
 * One setup, upgrade or uninstall of a node at a time. The lock is a name in the kernel (an abstract unix socket), which only one
 * process can have. Compared with a lock file: it ends with the process, however that ends, so there is no dead holder to find out
 * about, no pid that another process has by now, nothing left after a power cut; it needs no directory that root and the node's user
 * can both write to, and works before the prefix exists. Whoever is refused asks the holder for its pid.
 * What it does not do: containers with a network of their own do not see each other's; and any user of the host can take the name,
 * which keeps setup from running until that process ends, and no more.
 */

/** Node 20 fills the name up to the whole of sun_path, Node 24 does not: only a name of that length is the same for both. */
const NAME_LENGTH = 108
const ANSWER_TIMEOUT_MS = 2000
/** A holder may end just as it is asked. */
const ATTEMPTS = 5

/**
 * Takes the lock of the node at `prefix`, which need not exist; resolves with what gives it back.
 * @throws MagnetarError SETUP_BUSY with the pid of the holder, SETUP_FAILED where there is no such lock; the signal's reason
 */
export async function lockNode(prefix: string, signal: AbortSignal): Promise<() => Promise<void>> {
  const name = await lockName(prefix)
  let holder: string | undefined
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    signal.throwIfAborted()
    const server = await listen(name).catch((error: unknown) => {
      const message = `cannot lock the node at ${prefix}: ${messageOf(error)}`
      throw new MagnetarError('SETUP_FAILED', message, {
        fix: 'A security profile of this process may forbid unix sockets; run it without, or outside of the container.',
        cause: error,
      })
    })
    if (server) return () => close(server)
    const answer = await askHolder(name, signal)
    if (answer.isThere) throw busy(prefix, answer.pid)
    holder = answer.pid
  }
  throw busy(prefix, holder)
}

function busy(prefix: string, pid: string | undefined): MagnetarError {
  const who = pid === undefined ? 'another process, which does not say its id' : `process ${pid}`
  return new MagnetarError('SETUP_BUSY', `the node at ${prefix} is being changed by ${who}`, {
    fix:
      pid === undefined
        ? 'Wait until it ends; "ss -xlp | grep magnetar-setup" shows it.'
        : `Wait until it ends; "ps -fp ${pid}" shows it.`,
  })
}

/** The same for every spelling of the prefix; another one in a container or chroot, whose /srv/pulsar is not this one. */
async function lockName(prefix: string): Promise<string> {
  const { dev, ino } = await lstat('/', { bigint: true })
  const hash = createHash('sha256')
    .update(`${dev}:${ino}:${await realPathOf(prefix)}`)
    .digest('hex')
  return `\0magnetar-setup-${hash}`.padEnd(NAME_LENGTH, '-')
}

/** The real path of what exists of it, and the rest. */
async function realPathOf(file: string): Promise<string> {
  try {
    return await realpath(file)
  } catch {
    const parent = path.dirname(file)
    return parent === file ? file : path.join(await realPathOf(parent), path.basename(file))
  }
}

/** undefined: somebody else has the name. */
function listen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      // Whoever asks may be gone before the answer.
      socket.on('error', () => {})
      socket.end(`${process.pid}\n`)
    })
    server.once('error', (error) => {
      if (errnoOf(error) === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen({ path: name, exclusive: true }, () => {
      // The lock alone does not keep the process running.
      server.unref()
      resolve(server)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}

function askHolder(
  name: string,
  signal: AbortSignal,
): Promise<{ isThere: boolean; pid: string | undefined }> {
  return new Promise((resolve, reject) => {
    const socket = connect(name)
    let text = ''
    const done = (isThere: boolean): void => {
      socket.destroy()
      signal.removeEventListener('abort', abort)
      resolve({ isThere, pid: /^(\d{1,10})\n/.exec(text)?.[1] })
    }
    const abort = (): void => {
      socket.destroy()
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.length > 32) done(true)
    })
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => done(true))
    socket.once('end', () => done(true))
    socket.once('error', (error) => done(errnoOf(error) !== 'ECONNREFUSED'))
  })
}
