/** A Slurm command line as data: each command's file has a pure build() that makes one and a pure parse() of its result. */
export interface SlurmCommand {
  readonly program: 'sbatch' | 'squeue' | 'scancel' | 'scontrol' | 'sacct' | 'sinfo'
  readonly args: readonly string[]
  readonly cwd?: string
}

/**
 * Between the fields of squeue's and sacct's answers: ASCII "unit separator". Names, reasons and paths may hold spaces,
 * bars and commas; nobody types this one. (Tried with Slurm 22.05: printed as it is.)
 */
export const FIELD_SEPARATOR = '\x1f'

/** Slurm ids are digits; anything else would be an option or a list to the commands. */
export function isSlurmId(id: string): boolean {
  return /^[1-9]\d{0,18}$/.test(id)
}
