/** What a run of chance did and found. */
export interface ChaosResult {
  /** How often, by what. */
  readonly counts: Readonly<Record<string, number>>
  /** Broken promises, each with the seed: none. */
  readonly violations: readonly string[]
  /** Where the first was, by which it can be run again alone. */
  readonly brokenAt?: string
}
