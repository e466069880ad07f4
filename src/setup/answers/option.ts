import type { AnswerKey, Answers, Facts } from '../types.js'
import type { AnswerType } from './option-types.js'

/**
 * An option of setup, declared once: its flags, its environment variable, its key in an answers file, the question of the wizard,
 * the completions, the man page and docs/setup-options.md come from these records.
 */
export interface SetupOption {
  readonly name: OptionName
  readonly flags: readonly Flag[]
  readonly type: AnswerType<unknown>
  /** What it is; a sentence fragment in lower case, as `--help` shows it. */
  readonly description: string
  /** One line of why one would choose what; `?` in the wizard. */
  readonly why: string
  /** Default in words, for help and docs. */
  readonly defaultText: string
  /** About this run, not about the node: not taken over from the last setup, and not in the file that the wizard saves. */
  readonly onlyThisRun?: true
  /** The last setup's answer counts only while this other one is still answered as it was then. */
  readonly follows?: OptionName
  /** What counts when nobody said anything. */
  readonly default: (known: Known) => Default | undefined | Promise<Default | undefined>
}

/** The answers, the token being given through a file, and what is not an answer but a permission. */
export type OptionName = Exclude<AnswerKey, 'token'> | 'tokenFile' | 'noTls'

export interface Flag {
  /** `--prefix` */
  readonly flag: `--${string}`
  /** Of its argument: DIR, FILE, …; undefined: it takes none, and stands for `value`. */
  readonly argument?: string
  readonly value?: string
  /** Where an option has several flags: what this one says. */
  readonly description?: string
}

export interface Default {
  readonly value: unknown
  /** Why, for people: "sinfo answers: partition debug". Only of what was found out. */
  readonly found?: string
}

/** What a default can be made from: the machine, and the answers to the options before it in the table. */
export interface Known {
  readonly facts: Facts
  readonly answers: Partial<Answers>
  readonly machine: Machine
}

/** What resolving answers asks the machine about, beyond the facts. All of it only reads. */
export interface Machine {
  lookUpUser(name: string): Promise<KnownUser | undefined>
  isPortFree(host: string, port: number): Promise<boolean>
  nextFreePort(host: string, from: number): Promise<number>
  /** Why a node had better not be set up there, as a sentence: something else is there already. */
  whyOccupied(prefix: string): Promise<string | undefined>
  /** Why it can be no directory, with or without --force; as a sentence. */
  whyNoDirectory(prefix: string): Promise<string | undefined>
  /** The first existing directory on the way to `path` may be written to by us. */
  mayCreate(path: string): Promise<boolean>
  /** Why the file cannot be read, as a sentence fragment; undefined: it can. */
  whyUnreadable(file: string): Promise<string | undefined>
  /** The port in the configuration of the node at `prefix`: if somebody listens there, it is that node. */
  configuredPort(prefix: string): Promise<number | 'unreadable' | undefined>
  /** Of this machine's interfaces. */
  readonly addresses: readonly string[]
  /** The prefix that the running program is installed in. */
  readonly ownPrefix: string | undefined
}

export interface KnownUser {
  readonly name: string
  /** Its primary group. */
  readonly group: string
  readonly home: string
  readonly shell: string
}

/** `concurrentJobs` → MAGNETAR_SETUP_CONCURRENT_JOBS */
export function variableOf(name: OptionName): string {
  return `${VARIABLE_PREFIX}${fileKeyOf(name).toUpperCase()}`
}

/** `concurrentJobs` → concurrent_jobs, the key in an answers file. */
export function fileKeyOf(name: OptionName): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

export const VARIABLE_PREFIX = 'MAGNETAR_SETUP_'
