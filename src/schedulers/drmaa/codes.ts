/** Numbers of DRMAA 1.0 (GFD.133, the C binding's drmaa.h). */
export const ERRNO = {
  success: 0,
  drmCommunicationFailure: 2,
  noActiveSession: 5,
  alreadyActiveSession: 11,
  tryLater: 16,
  invalidJob: 18,
} as const

/** The attribute or the whole job is refused; 3: the user has no right to submit. */
export const REFUSALS: ReadonlySet<number> = new Set([3, 4, 13, 14, 15, 17])

/** drmaa_control's action that ends a job. */
export const TERMINATE = 4

/**
 * What job_ps answers and what it means (pulsar/managers/base/base_drmaa.py, with the one that it has not: 0x23). `undefined`, also
 * for a number that is not here: the library does not know, so nothing may be concluded; the Python Pulsar takes that for the end.
 */
export const STATES: Readonly<Record<number, 'queued' | 'running' | 'done' | 'failed' | undefined>> = {
  0: undefined,
  16: 'queued',
  17: 'queued',
  18: 'queued',
  19: 'queued',
  32: 'running',
  33: 'queued',
  34: 'queued',
  35: 'queued',
  48: 'done',
  64: 'failed',
}
