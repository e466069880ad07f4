import path from 'node:path'
import type { ActionSpec } from '../action.js'
import { TransferError } from '../transfer-error.js'

/** The other end of an rsync or scp, checked: nothing in it can become an option or a command. */
export interface SshPeer {
  readonly user: string
  /** Without brackets. */
  readonly host: string
  /** undefined: as ssh has it configured, else 22. */
  readonly port: number | undefined
  /** The private key, as ssh wants it in a file. */
  readonly key: string
  /** Absolute path of a file there. */
  readonly path: string
}

const USER = /^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,255}\$?$/
const HOST_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$/
const IPV6 = /^[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?$/
const KEY = /(-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----)([\s\S]*)(-----END \2PRIVATE KEY-----)/

/** @throws TransferError that names what is missing or cannot be used */
export function readPeer(action: ActionSpec): SshPeer {
  const { action_type: type, ssh_user: user = '', ssh_host: given = '' } = action
  const wrong = (what: string): TransferError => new TransferError(`${type}: ${what}`, { transient: false })
  const host = given.replace(/^\[(.*)\]$/, '$1')
  if (!USER.test(user)) throw wrong(`ssh_user is ${show(user)}, which is no user name`)
  if (!HOST_NAME.test(host) && !IPV6.test(host))
    throw wrong(`ssh_host is ${show(given)}, which is no host name or address`)
  const port = readPort(action.ssh_port)
  if (port === null) throw wrong(`ssh_port is ${show(String(action.ssh_port))}, which is no port`)
  const key = readKey(action.ssh_key)
  // Never with what was given instead.
  if (key === undefined)
    throw wrong(
      'ssh_key is no private key that ssh can read; it must be the text of the file, from -----BEGIN to -----END',
    )
  if (!isFilePath(action.path))
    throw wrong(`the path on ${host} is ${show(action.path ?? '')}, which is no absolute path of a file`)
  return { user, host, port, key, path: action.path }
}

/** The host as it stands before the colon of `host:path`. */
export function hostInAddress({ host }: SshPeer): string {
  return host.includes(':') ? `[${host}]` : host
}

/** How the file is called in messages. */
export function addressOf(peer: SshPeer): string {
  return `${hostInAddress(peer)}:${peer.path}`
}

/** null: it is none. */
function readPort(given: string | number | undefined): number | undefined | null {
  if (given === undefined || given === '') return undefined
  const port = /^\d{1,5}$/.test(String(given)) ? Number(given) : 0
  return port > 0 && port < 65536 ? port : null
}

/** XML and YAML make spaces and carriage returns of line ends and indents; ssh takes none of them. */
function readKey(given: string | undefined): string | undefined {
  const [, begin, , body = '', end] = KEY.exec(given ?? '') ?? []
  if (begin === undefined || end === undefined) return undefined
  // An old key has headers, which are set off by an empty line.
  const lines = body.includes(':') ? body.trim().split('\n') : body.trim().split(/\s+/)
  return `${[begin, ...lines.map((line) => line.trim()), end].join('\n')}\n`
}

function isFilePath(given: string | undefined): given is string {
  if (!given?.startsWith('/') || given.includes('\0') || given.endsWith('/')) return false
  return !['.', '..'].includes(path.posix.basename(given))
}

function show(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}
