/**
 * The words of setup. Answers say what is wanted, facts what the machine has; a step compares its part of both with the disk and
 * plans changes; one function applies them all, and can undo them. Nothing in a step writes.
 */

export type ManagerChoice = 'slurm' | 'local' | 'drmaa'
export type DependencyChoice = 'conda' | 'modules' | 'none'
export type ServiceChoice = 'supervisor' | 'systemd' | 'none'

/** What is wanted, complete and valid. Paths are absolute. */
export interface Answers {
  /** Name of a second node on the host; undefined: the only one. */
  readonly instance: string | undefined
  readonly prefix: string
  readonly user: string
  readonly group: string
  /** For a user or group that has to be made; undefined: the system chooses. */
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly home: string
  readonly shell: string
  /** bin and lib belong to root and etc is only readable for the user, so a job cannot change the server. */
  readonly separatePrivileges: boolean
  readonly manager: ManagerChoice
  readonly partition: string | undefined
  /** Options of sbatch for every job, as one text; instead of those that Galaxy sends. */
  readonly nativeSpecification: string | undefined
  /** Local jobs at once; `*`: as many as there are CPUs. */
  readonly concurrentJobs: number | '*'
  readonly drmaaLibrary: string | undefined
  readonly host: string
  readonly port: number
  /** Given by the admin; undefined: that of app.yml stays, or one is generated. */
  readonly token: string | undefined
  /** PEM files; both or neither. */
  readonly tlsCert: string | undefined
  readonly tlsKey: string | undefined
  readonly dependencies: DependencyChoice
  readonly service: ServiceChoice
  readonly start: boolean
  readonly verify: boolean
  /** `download`: from the npm registry; else a program to copy. */
  readonly node: string
  /** Instead of either: a tarball that holds bin/node. */
  readonly runtimeTarball: string | undefined
}

export type AnswerKey = keyof Answers

/** Where an answer came from, strongest first. `found` is the last setup of this prefix, or what the machine has. */
export type AnswerSource = 'flag' | 'environment' | 'answers file' | 'wizard' | 'found' | 'default'

/** Whether somebody asked for it now, as against what setup took by itself. */
export function isExplicit(source: AnswerSource): boolean {
  return source !== 'found' && source !== 'default'
}

/** What the machine is and has. Gathered once, by reading only. */
export interface Facts {
  readonly os: { readonly name: string; readonly arch: string }
  readonly account: {
    readonly uid: number
    readonly user: string
    readonly group: string
    readonly home: string
    readonly isRoot: boolean
  }
  readonly slurm: SlurmFacts
  readonly supervisor: SupervisorFacts | undefined
  readonly systemd: { readonly version: string; readonly running: boolean } | undefined
  /** `module` of Environment Modules or Lmod. */
  readonly modules: boolean
  /** The Node that runs this. */
  readonly node: { readonly path: string; readonly version: string }
  readonly cpus: number
}

export type SlurmFacts =
  | {
      readonly found: true
      readonly version: string
      readonly partitions: readonly {
        readonly name: string
        readonly isDefault: boolean
        readonly nodes: number
      }[]
    }
  /** `why` is a sentence: no sinfo, or what it said. */
  | { readonly found: false; readonly why: string }

export interface SupervisorFacts {
  readonly version: string
  readonly running: boolean
  /** The main configuration, e.g. /etc/supervisor/supervisord.conf. */
  readonly configFile: string
  /** Where programs are included from, and how their files must end: /etc/supervisor/conf.d and .conf. */
  readonly programsDirectory: string
  readonly extension: string
}

/** User and group by name; looked up when a change is applied, since the plan may make them first. */
export interface Owner {
  readonly user: string
  readonly group: string
}

/** One thing that setup does to the machine. The path is absolute. */
export type Change = DirectoryChange | FileChange | LinkChange | TreeChange | RemoveChange | CommandChange

interface ChangeBase {
  /** The id of the step that planned it. */
  readonly step: string
  /** For people, in the imperative: "create /srv/pulsar/etc". */
  readonly title: string
  /** What the summary of the plan counts it as: "1 user · 9 directories · 6 files · 1 service". */
  readonly counts: 'user' | 'directory' | 'file' | 'service' | 'runtime' | 'release' | 'other'
}

/** Makes a directory (its parent is there), or gives one that is there its mode and owner. */
export interface DirectoryChange extends ChangeBase {
  readonly kind: 'directory'
  readonly path: string
  readonly mode: number
  readonly owner: Owner | undefined
}

/** Writes a whole file, visible only when complete. */
export interface FileChange extends ChangeBase {
  readonly kind: 'file'
  readonly path: string
  readonly mode: number
  readonly owner: Owner | undefined
  /** undefined: there is none. Applying fails when the file is no longer so. */
  readonly before: string | undefined
  readonly after: string
  /** Holds a secret: a diff hides the values of these keys. */
  readonly secretKeys: readonly string[]
  /** Keep the old file beside it as NAME.bak. */
  readonly backup: boolean
}

/** Makes a symbolic link, or points one elsewhere, in one rename. */
export interface LinkChange extends ChangeBase {
  readonly kind: 'link'
  readonly path: string
  readonly target: string
  readonly owner: Owner | undefined
}

/** A directory or a file that is made as a whole under a temporary name and then renamed; `path` is not there before. */
export interface TreeChange extends ChangeBase {
  readonly kind: 'tree'
  readonly path: string
  readonly owner: Owner | undefined
  /** Writes everything at `target` (which does not exist). Progress is a sentence fragment: "24 of 52 MB". */
  build(target: string, progress: (text: string) => void, signal: AbortSignal): Promise<void>
}

/** Removes a file, a link or a whole directory; kept aside until the plan is done, so it can be undone. */
export interface RemoveChange extends ChangeBase {
  readonly kind: 'remove'
  readonly path: string
}

export interface CommandChange extends ChangeBase {
  readonly kind: 'command'
  readonly argv: readonly string[]
  readonly timeoutMs: number
  /** What takes it back; undefined: nothing has to be done. */
  readonly undo: readonly string[] | undefined
  /**
   * Takes it back as well, but after everything else of the run is undone (these in the order of the plan), and also when the command
   * itself failed: a service is started again with the files that are back.
   */
  readonly undoLast?: readonly string[]
  /** Run when the command itself failed; the last lines it prints are part of the error: the log of a service that did not start. */
  readonly explain?: readonly string[]
  /** Paths that the command makes or changes and that undo may leave (backup files); for people and tests. */
  readonly touches: readonly string[]
}

/** Something on the disk that is not as wanted and that setup leaves alone without --force. */
export interface Conflict {
  readonly path: string
  /** The key, where it is about one. */
  readonly key: string | undefined
  /** Sentence: what is there, what is wanted, why it is left. Without secrets. */
  readonly message: string
  /** The node could not work: nothing is applied, and --force does not help. */
  readonly blocking?: true
}

export interface StepPlan {
  readonly changes: readonly Change[]
  readonly conflicts: readonly Conflict[]
  /** For people: hand edits that are kept, steps that do not apply ("not root: …"). */
  readonly notes: readonly string[]
}

/** What the manifest is to hold of the files that a step manages, once the plan is applied. Absolute paths. */
export interface Managed {
  readonly files?: Readonly<Record<string, ManagedFile>>
}

export interface Plan extends StepPlan {
  /** What the manifest is to say of managed files once the plan is applied. */
  readonly manifest: Manifest
}

/** What setup wrote, so that the next run can tell it from what an admin edited. In PREFIX/lib/setup.json, without secrets. */
export interface Manifest {
  readonly version: 1
  /** The answers that the last run applied, by AnswerKey; never the token. */
  readonly answers: Readonly<Partial<Record<AnswerKey, unknown>>>
  /** Absolute path → what was last written there: sha256 (hex) of the whole, or of the value of each key. */
  readonly files: Readonly<Record<string, ManagedFile>>
  /** Whether setup itself made the user; --purge removes only such. */
  readonly madeUser: boolean
}

export interface ManagedFile {
  readonly whole?: string
  readonly keys?: Readonly<Record<string, string>>
}

/** Everything a step may look at. */
export interface SetupContext {
  readonly answers: Answers
  readonly sources: Readonly<Record<AnswerKey, AnswerSource>>
  readonly facts: Facts
  readonly paths: NodePaths
  /** From the last run; undefined: there was none. */
  readonly manifest: Manifest | undefined
  /** The token to write: given, found in app.yml, or generated for this run. */
  readonly token: string
  /** Replace what was edited by hand (a backup is kept). */
  readonly force: boolean
  /** The package that runs: its root directory and version. */
  readonly source: { readonly root: string; readonly version: string }
  readonly signal: AbortSignal
}

/** Where the parts of a node are. All below the prefix, but for the service's file. */
export interface NodePaths {
  readonly prefix: string
  readonly bin: string
  readonly lib: string
  readonly etc: string
  readonly var: string
  readonly jobs: string
  readonly active: string
  readonly deps: string
  readonly log: string
  /** lib/current, the link that says which release runs. */
  readonly current: string
  readonly releases: string
  readonly runtimes: string
  readonly manifest: string
  readonly appYml: string
  readonly serverIni: string
  readonly localEnv: string
  readonly resolvers: string
  readonly supervisorConf: string
  readonly tlsPem: string
  readonly serverLog: string
  /** `pulsar`, or `pulsar-NAME`: the name of the program or unit. */
  readonly serviceName: string
}

/** One thing that is set up. A step reads the disk, never writes. */
export interface Step {
  /** kebab-case, unique: "server-ini". */
  readonly id: string
  /** For the task list: "configuration of the web server". */
  readonly title: string
  /**
   * What must change for the machine to be as the answers say; no changes: it is. `earlier` is what the steps before it plan: a
   * service is restarted when its files change.
   */
  plan(context: SetupContext, earlier: readonly Change[]): Promise<StepPlan & Managed>
  /** What uninstall has to do; `purge` also removes what holds the site's own data. */
  remove?(context: RemoveContext): Promise<readonly Change[]>
}

/** What uninstall knows: a manifest instead of answers. */
export interface RemoveContext {
  readonly paths: NodePaths
  readonly manifest: Manifest | undefined
  readonly facts: Facts
  readonly purge: boolean
  readonly signal: AbortSignal
}
