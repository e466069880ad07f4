import { findSlurm } from '../../schedulers/slurm/probe.js'
import type { SlurmFacts } from '../types.js'

/** Less than the bound of all probes, so that sinfo's own end of patience is told. */
const TIMEOUT_MS = 4500

export function probeSlurm(signal: AbortSignal): Promise<SlurmFacts> {
  return findSlurm(signal, TIMEOUT_MS)
}
