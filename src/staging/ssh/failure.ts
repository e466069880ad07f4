import type { CommandResult } from '../../lib/exec.js'
import { TransferError } from '../transfer-error.js'

/** What cannot get better by itself. */
const PERMANENT =
  /Permission denied|Operation not permitted|Host key verification failed|Unable to negotiate|no matching|Too many authentication failures|invalid format|No user exists|Bad configuration|No such file|Not a directory|Is a directory|not a regular file|directory has vanished|file has vanished|File name too long|Read-only file system|not found|sftp connections only|protocol version mismatch|Unsupported|unknown option|illegal option/i

/** What may: the network, a server that is busy or restarts, a full disk. SFTP has no word of its own for that: "Failure". */
const TRANSIENT =
  /No space left|quota exceeded|Input\/output error|Stale (NFS )?file handle|Connection (refused|reset|closed|timed out|aborted)|connection unexpectedly closed|lost connection|Network is unreachable|No route to host|Could not resolve|Temporary failure|Broken pipe|timed out|timeout|Too many open files|Cannot allocate memory|Resource temporarily|incomplete|failed verification|: Failure$/im

/** rsync(1), EXIT VALUES: what is said of the connection, the other process, or a disk. */
const TRANSIENT_RSYNC_CODES: ReadonlySet<number> = new Set([10, 11, 12, 14, 15, 16, 19, 20, 22, 30, 35])
/** ssh itself failed, not what it ran. */
const SSH_CODE = 255

const MAX_SHOWN = 400

/** The TransferError for a program that did not end well. */
export function programFailure(
  result: CommandResult,
  subject: {
    readonly program: 'rsync' | 'scp' | 'ssh'
    /** "rsync from host:/path". */
    readonly doing: string
    /** Left out before words are looked for: a file may be called anything. */
    readonly names: readonly string[]
  },
): TransferError {
  const { program, doing, names } = subject
  if (result.timedOut) return new TransferError(`${doing} did not end in time`, { transient: true })
  if (result.code === null)
    return new TransferError(`${doing} was ended by ${result.signal}`, { transient: true })
  const plain = (text: string): string => names.reduce((rest, name) => rest.replaceAll(name, ''), text)
  const words = plain(result.stderr)
  const said = tellingLine(result.stderr, plain)
  const message = `${doing} failed: ${said || 'it did not say why'} (exit code ${result.code})`
  return new TransferError(withFix(message, words, program), {
    transient: isTransient(program, result.code, words),
  })
}

function isTransient(program: 'rsync' | 'scp' | 'ssh', code: number, words: string): boolean {
  if (PERMANENT.test(words)) return false
  if (TRANSIENT.test(words) || code === SSH_CODE) return true
  return program === 'rsync' && TRANSIENT_RSYNC_CODES.has(code)
}

function withFix(message: string, words: string, program: string): string {
  if (/Permission denied \(.*publickey/.test(words))
    return `${message}; the public half of ssh_key must be in the ~/.ssh/authorized_keys of that user there`
  if (/rsync: (command )?not found|rsync: No such file/i.test(words))
    return `${message}; rsync must be installed there too`
  if (/invalid format|incorrect passphrase/i.test(words))
    return `${message}; ${program} needs a private key without a passphrase`
  return message
}

/** rsync's last words, which stand below every reason; and what scp and rsync say of an ssh that ended. */
const CONSEQUENCE =
  /^rsync error:|^rsync: connection unexpectedly closed|^(scp: )?Connection closed$|^lost connection$/

/** The first line with a known reason, else the last that says something. */
function tellingLine(stderr: string, plain: (text: string) => string): string {
  const lines = stderr
    .split(/[\r\n]+/)
    .map((line) => line.replace(/[\x00-\x1f\x7f]/g, ' ').trim())
    .filter((line) => line !== '')
  const telling = lines.filter((line) => !CONSEQUENCE.test(line))
  const known = telling.find((line) => PERMANENT.test(plain(line)) || TRANSIENT.test(plain(line)))
  const line = known ?? telling.at(-1) ?? lines.at(-1) ?? ''
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line
}
