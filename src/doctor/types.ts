/**
 * The words of doctor. Facts are what is known before anything is examined; an examination looks at one thing and tells findings; a
 * mend is the part of a fix that doctor itself may do. Nothing here prints, and no examination changes anything.
 */
import type { ManagerConfig, NodeConfig } from '../config/types.js'
import type { ControlPlace } from '../control/socket-path.js'
import type { JobSummary } from '../control/types.js'
import type { MagnetarError } from '../lib/errors.js'
import type { SlurmHealth } from '../schedulers/slurm/health-probe.js'
import type { Facts, Manifest, NodePaths } from '../setup/types.js'
import type { GalaxyContact } from './galaxy-contacts.js'

export type FindingState = 'ok' | 'warn' | 'fail' | 'left-out'

export type Group = 'Node' | 'Machine' | 'Slurm' | 'Tools' | 'Galaxy' | 'Jobs'

/** What doctor does with --fix: one command, which changes only what the node or setup made. */
export interface Mend {
  /** In the imperative: "remove /srv/pulsar/var/jobs/12/pid". */
  readonly title: string
  readonly argv: readonly string[]
}

export interface Fix {
  /** Sentence; what to decide before typing, or what no command does. */
  readonly text?: string
  /** One line that works when typed, as root unless it is the node's own. */
  readonly command?: string
  readonly mends?: readonly Mend[]
}

export interface Finding<Id extends string = string> {
  /** One of the examination's findings; its own id when nothing is wrong. */
  readonly id: Id
  readonly state: FindingState
  /** One line: what was found. */
  readonly message: string
  /** Of what fails or warns. */
  readonly fix?: Fix
}

/** A row of docs/doctor.md. */
export interface FindingMeaning {
  readonly state: 'warn' | 'fail'
  readonly meaning: string
  readonly fix: string
}

export interface Examination {
  /** kebab-case, unique: "job-directories". */
  readonly id: string
  readonly title: string
  readonly group: Group
  readonly timeoutMs: number
  readonly findings: Readonly<Record<string, FindingMeaning>>
  /** At least one finding. May throw: that is a finding too. */
  examine(facts: DoctorFacts, signal: AbortSignal): Promise<readonly Finding[]>
}

export interface NodeUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** A directory that the server writes to. */
export interface NodeDirectory {
  readonly path: string
  /** "job directories" */
  readonly what: string
  /** The one file in it that is written; where that is there and can be, the directory need not. */
  readonly file?: string
}

/** Where the server listens by its configuration. */
export interface Listen {
  readonly host: string
  readonly port: number
  readonly sslPem: string | undefined
}

/** What the running server knows of its jobs. */
export interface ServerJobs {
  /** All that are not over. */
  readonly list: readonly JobSummary[]
  /** Why nothing is started, by each manager of local jobs that has come to a stop. */
  readonly stalled: readonly { readonly manager: string; readonly why: string }[]
  /** Of those that are over for so long that doctor speaks of it: their directories. */
  readonly expired: readonly string[]
  /** Whether it has a record of the job, over or not. */
  has(id: string): Promise<boolean>
}

/** What came of opening the records of jobs: with `lost` directories of jobs that no record is of. */
export type RecordsLook =
  | { readonly state: 'none' | 'in-use' }
  | { readonly state: 'readable'; readonly lost: number }
  | { readonly state: 'unreadable'; readonly error: MagnetarError }

export type LookAtRecords = (config: NodeConfig, signal: AbortSignal) => Promise<RecordsLook>

export interface DoctorFacts {
  readonly configDirectory: string
  readonly env: NodeJS.ProcessEnv
  /** undefined: it is wrong or cannot be read, which `configError` says; what setup wrote then tells what there is. */
  readonly config: NodeConfig | undefined
  readonly configError: MagnetarError | undefined
  /** Of a node that setup made. */
  readonly manifest: Manifest | undefined
  readonly manifestError: MagnetarError | undefined
  readonly paths: NodePaths | undefined
  readonly account: Facts['account']
  readonly supervisor: Facts['supervisor']
  readonly systemd: Facts['systemd']
  /** Whose the server is; undefined: nothing tells. */
  readonly user: NodeUser | undefined
  /** The user that setup was told, when there is no such account. */
  readonly missingUser: string | undefined
  /** Below which job directories are, each once; without those whose file system hangs. */
  readonly staging: readonly string[]
  readonly directories: readonly NodeDirectory[]
  /** Paths whose file system does not answer. */
  readonly stuck: readonly string[]
  /** More than one where the way it is started decides; empty: not known. */
  readonly listens: readonly Listen[]
  readonly usesSlurm: boolean
  /** Managers whose jobs go to Slurm; none while the configuration is wrong. */
  readonly slurmManagers: readonly ManagerConfig[]
  /** Where the server listens for its admins; undefined: the configuration is wrong and no setup tells. */
  readonly control: ControlPlace | undefined
  /** The jobs as the running server tells them; undefined: it does not run, or this user may not ask it. Asked once. */
  readonly jobs: () => Promise<ServerJobs | undefined>
  /** Asked once, by whoever needs it first. */
  readonly slurm: () => Promise<SlurmHealth>
  readonly galaxy: () => Promise<readonly GalaxyContact[]>
  readonly lookAtRecords: LookAtRecords
  /** Whether a tiny job may be sent to Slurm. */
  readonly sendsJob: boolean
}
