/** What `magnetar check` looks at, in this order. */
export type CheckName =
  | 'reach'
  | 'tls'
  | 'token'
  | 'version'
  | 'clock'
  | 'setup'
  | 'upload'
  | 'run'
  | 'download'
  | 'cancel'
  | 'pull'
  | 'clean'

/**
 * Of what kind a failure is; each has an exit code of its own. `reach`: no answer from the node; `tls`: certificate or TLS itself;
 * `protocol`: what answers is no Pulsar, or has no such manager; `files`: job directories and what is sent to or fetched from them;
 * `job`: it did not get to run, or not well.
 */
export type ProblemKind =
  | 'reach'
  | 'tls'
  | 'protocol'
  | 'token'
  | 'clock'
  | 'files'
  | 'job'
  | 'cancel'
  | 'pull'

/** `warned`: it works, but should be mended. `left-out`: not asked for, or not possible from here. `not-tried`: something before it failed. */
export type CheckState = 'passed' | 'warned' | 'failed' | 'left-out' | 'not-tried'

/** What happened, why it matters, what mends it: each a sentence. */
export interface Advice {
  readonly message: string
  readonly why: string
  readonly fix: string
}

export interface CheckResult {
  readonly name: CheckName
  readonly state: CheckState
  readonly message: string
  /** Of what failed, warned, or was left out. */
  readonly why?: string
  readonly fix?: string
  /** Of what failed. */
  readonly kind?: ProblemKind
  readonly ms: number
}

/** A check that failed. */
export class CheckProblem extends Error {
  readonly kind: ProblemKind
  readonly advice: Advice
  constructor(kind: ProblemKind, advice: Advice, cause?: unknown) {
    super(advice.message, { cause })
    this.name = 'CheckProblem'
    this.kind = kind
    this.advice = advice
  }
}

/** A check that has nothing to say about the node: the message is why. */
export class LeftOut extends Error {
  readonly advice: Pick<Advice, 'message'> & Partial<Advice>
  constructor(advice: LeftOut['advice']) {
    super(advice.message)
    this.name = 'LeftOut'
    this.advice = advice
  }
}

/** What a check that did not fail found out; `warning` makes it a warned one. */
export interface Finding<T> {
  readonly value: T
  readonly message: string
  readonly warning?: Omit<Advice, 'message'>
}
