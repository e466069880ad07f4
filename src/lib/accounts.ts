import { readFile } from 'node:fs/promises'
import { MagnetarError } from './errors.js'
import { CommandNotStarted, runCommand } from './exec.js'

export interface User {
  readonly name: string
  readonly uid: number
  /** Of the primary group. */
  readonly gid: number
  readonly home: string
  readonly shell: string
}

export interface Group {
  readonly name: string
  readonly gid: number
}

/** Where accounts are looked up; tests name others. */
export interface AccountSources {
  /** Asks all that the machine knows (files, LDAP, sssd). */
  readonly getent: string
  /** Read where there is no getent. */
  readonly passwd: string
  readonly group: string
}

const SYSTEM: AccountSources = { getent: 'getent', passwd: '/etc/passwd', group: '/etc/group' }
/** A directory service that is down lets getent wait for long. */
const TIMEOUT_MS = 15_000
const UNKNOWN = 2

/**
 * The user of that name; undefined: there is none.
 * @throws MagnetarError SETUP_FAILED when the machine cannot say; the signal's reason
 */
export async function lookUpUser(
  name: string,
  signal: AbortSignal,
  sources = SYSTEM,
): Promise<User | undefined> {
  return toUser(await lookUp('passwd', name, signal, sources))
}

/** The user with that number. Errors as lookUpUser. */
export async function lookUpUserById(
  uid: number,
  signal: AbortSignal,
  sources = SYSTEM,
): Promise<User | undefined> {
  return toUser(await lookUp('passwd', uid, signal, sources))
}

/** The group of that name. Errors as lookUpUser. */
export async function lookUpGroup(
  name: string,
  signal: AbortSignal,
  sources = SYSTEM,
): Promise<Group | undefined> {
  return toGroup(await lookUp('group', name, signal, sources))
}

/** The group with that number. Errors as lookUpUser. */
export async function lookUpGroupById(
  gid: number,
  signal: AbortSignal,
  sources = SYSTEM,
): Promise<Group | undefined> {
  return toGroup(await lookUp('group', gid, signal, sources))
}

function toUser(fields: string[] | undefined): User | undefined {
  if (!fields) return undefined
  const [name = '', , uid, gid, , home = '', shell = ''] = fields
  return { name, uid: Number(uid), gid: Number(gid), home, shell }
}

function toGroup(fields: string[] | undefined): Group | undefined {
  return fields && { name: fields[0] ?? '', gid: Number(fields[2]) }
}

/** The fields of the line of `passwd` or `group` with that name or number. */
async function lookUp(
  database: 'passwd' | 'group',
  key: string | number,
  signal: AbortSignal,
  sources: AccountSources,
): Promise<string[] | undefined> {
  // Neither can be a name, and getent would take the first for an option.
  if (typeof key === 'string' && (key.startsWith('-') || key === '')) return undefined
  const answer = await askGetent(database, key, signal, sources)
  const text = answer ?? (await readFile(sources[database], { encoding: 'utf8', signal }))
  const isMeant = (fields: string[]): boolean => {
    if (fields.length < 4) return false
    if (typeof key === 'number') return fields[2] === String(key)
    // A directory service may answer with another spelling of the name; digits, getent takes for a number too.
    return fields[0] === key || (answer !== undefined && !/^\d+$/.test(key))
  }
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .find(isMeant)
}

/** What getent says; nothing when there is no such account, undefined when there is no getent. */
async function askGetent(
  database: 'passwd' | 'group',
  key: string | number,
  signal: AbortSignal,
  { getent }: AccountSources,
): Promise<string | undefined> {
  const command = `${getent} ${database} ${key}`
  try {
    const result = await runCommand(getent, [database, String(key)], { timeoutMs: TIMEOUT_MS, signal })
    if (result.code === 0) return result.stdout
    if (result.code === UNKNOWN) return ''
    const why = result.timedOut
      ? `no answer within ${TIMEOUT_MS / 1000} s`
      : result.stderr.trim() || `exit code ${result.code}`
    throw new MagnetarError('SETUP_FAILED', `cannot look up accounts: ${command}: ${why}`, {
      fix: `Run "${command}" and correct what it reports; /etc/nsswitch.conf says who is asked.`,
    })
  } catch (error) {
    if (error instanceof CommandNotStarted && error.errno === 'ENOENT') return undefined
    throw error
  }
}
