/** How a job's script ended, as Slurm writes it. */
export interface ExitStatus {
  readonly code: number
  readonly signal: number
}

/** squeue prints the raw wait status (768: exit 3; 4021: signal 53 with the core flag), sacct and newer commands `code:signal`. */
export function parseExitStatus(text: string): ExitStatus | undefined {
  const pair = /^(\d+):(\d+)$/.exec(text)
  if (pair) return { code: Number(pair[1]), signal: Number(pair[2]) }
  if (!/^\d+$/.test(text)) return undefined
  const raw = Number(text)
  return { code: (raw >> 8) & 0xff, signal: raw & 0x7f }
}

/** As the contract counts: the exit code, or the negative signal. */
export function exitCodeOf(status: ExitStatus): number {
  return status.signal > 0 ? -status.signal : status.code
}
