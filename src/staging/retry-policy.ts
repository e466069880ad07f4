/**
 * How often a failed transfer is tried again (pulsar/managers/util/retry.py; options preprocess_action_* and
 * postprocess_action_*). The Python server does not retry by default, and then loses the job to every hiccup.
 */
export interface RetryPolicy {
  /** Attempts after the first, or after the last that got further; Infinity: for ever. */
  readonly maxRetries: number
  readonly intervalStartMs: number
  readonly intervalStepMs: number
  readonly intervalMaxMs: number
  /** No new attempt later than this after the first failure since one got further; Infinity: no limit. */
  readonly limitMs: number
}

/** A Galaxy that is restarted, upgraded or away over night is waited for; after a day the job fails and says why. */
export const DEFAULT_RETRIES: RetryPolicy = {
  maxRetries: Number.POSITIVE_INFINITY,
  intervalStartMs: 2000,
  intervalStepMs: 2000,
  intervalMaxMs: 30_000,
  limitMs: 24 * 3600_000,
}

/**
 * Milliseconds until attempt `retry` (1 is the first repetition), with jitter, not less than the server asked for; undefined: no
 * more. `retry` and `failingForMs` count from the first failure since an attempt got further.
 */
export function retryDelayMs(
  policy: RetryPolicy,
  retry: number,
  failingForMs: number,
  retryAfterMs = 0,
): number | undefined {
  if (retry > policy.maxRetries) return undefined
  const plain = Math.min(
    policy.intervalStartMs + (retry - 1) * policy.intervalStepMs,
    Math.max(policy.intervalMaxMs, policy.intervalStartMs),
  )
  const delay = Math.max(plain * (0.75 + Math.random() / 2), retryAfterMs)
  return failingForMs + delay > policy.limitMs ? undefined : delay
}
