/** One way in which things go wrong, tried for as long as there is time. */
export interface ChaosKind {
  readonly name: string
  /** One line for the report. */
  readonly about: string
  /** Why it cannot be run on this machine, if so. */
  missing(): string | undefined
  /** Returns when it is through, the deadline has come or the signal is aborted. Never rejects for what the node did. */
  run(options: ChaosRun): Promise<ChaosResult>
}

export interface ChaosRun {
  /** Decides which points are tried first, and all else that is random. */
  readonly seed: number
  /** Of Date.now(). */
  readonly deadlineMs: number
  readonly signal: AbortSignal
  /** An empty directory of its own, without links in its path. */
  readonly directory: string
  /** No more points than these; the first is tried also when the deadline has come. */
  readonly most?: number
  /** Only this point, as a violation names it. */
  readonly point?: string | undefined
  /** Says how it goes. */
  note(line: string): void
}

export interface ChaosCounts {
  /** Faults that were met, without kills. */
  faults: number
  /** Servers killed, and losses of power. */
  kills: number
  /** Starts after the first. */
  restarts: number
  jobs: number
}

export interface Violation {
  /** By which it can be run again alone. */
  readonly point: string
  readonly what: string
}

export interface ChaosResult {
  readonly counts: ChaosCounts
  readonly violations: readonly Violation[]
  /** What else was counted: "answers 507", "of 1,204 points 1,204". */
  readonly tallies: Readonly<Record<string, number>>
}

/** @param done points that were tried */
export function isOver({ deadlineMs, signal, most }: ChaosRun, done: number): boolean {
  if (signal.aborted || done >= (most ?? Number.POSITIVE_INFINITY)) return true
  return done > 0 && Date.now() >= deadlineMs
}

export function noCounts(): ChaosCounts {
  return { faults: 0, kills: 0, restarts: 0, jobs: 0 }
}
