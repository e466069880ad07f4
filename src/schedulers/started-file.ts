/**
 * J/started: written by the job script as its first act, with O_EXCL, so that a script never runs twice, whoever
 * starts it (two submits after a crash, a requeue, an array). One line:
 * `<the scheduler's id or nothing>:<pid>:<start time, field 22 of /proc/PID/stat>:<boot id>`; the id is that of Slurm, PBS, LSF or
 * Grid Engine, whose JOB_ID is only taken where its SGE_TASK_ID is too.
 */

export interface Started {
  /** Id that the script runs under, of Slurm or of another cluster that is used through DRMAA. */
  readonly schedulerJobId: string | undefined
  readonly process: ProcessIdentity
}

/** A pid alone is used again by the system; with its start time (clock ticks since boot) and the boot it is unique. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startTime: string
  readonly bootId: string
}

export const STARTED_FILE = 'started'

const LINE = /^([^:\n]*):(\d+):(\d+):([0-9a-f-]+)$/

/** What J/started says; undefined when it is empty or cut off (a full disk, or read while being written). */
export function parseStarted(text: string): Started | undefined {
  const match = LINE.exec(text.trim())
  if (!match) return undefined
  const [, schedulerJobId = '', pid = '', startTime = '', bootId = ''] = match
  return { schedulerJobId: schedulerJobId || undefined, process: { pid: Number(pid), startTime, bootId } }
}

/** The content of J/started for a process that a local server runs. */
export function startedLine({ pid, startTime, bootId }: ProcessIdentity): string {
  return `:${pid}:${startTime}:${bootId}\n`
}

/** Whether a job script has those lines: one of a Python server has not. */
export function refusesSecondRun(script: string): boolean {
  return script.includes('_started_new=')
}

/**
 * The bash lines that create J/started, to stand before anything else in the job script. Builtins only: not one
 * process is started. They end the script with 0 when it has run or runs already, with 73 (EX_CANTCREAT) when the file
 * cannot be made. A Slurm job that an admin requeued (SLURM_RESTART_COUNT) may run its own script again.
 * What the line is stays in $_started_line: of two runs the file names the later.
 */
export function STARTED_FRAGMENT(jobDirectory: string): string {
  const file = `'${`${jobDirectory}/${STARTED_FILE}`.replaceAll("'", "'\\''")}'`
  return `_started_stat= _started_boot= _started_line= _started_new=
{ IFS= read -r _started_stat < /proc/$$/stat; IFS= read -r _started_boot < /proc/sys/kernel/random/boot_id; } 2>/dev/null
_started_stat=(\${_started_stat##*) })
_started_line="\${SLURM_JOB_ID:-\${PBS_JOBID:-\${LSB_JOBID:-\${SGE_TASK_ID:+\${JOB_ID:-}}}}}:$$:\${_started_stat[19]:-0}:$_started_boot"
set -C
{ { _started_new=1; printf '%s\\n' "$_started_line"; } > ${file}; } 2>/dev/null
set +C
if [ -z "$_started_new" ]; then
    if [ ! -e ${file} ]; then echo "cannot create "${file}": the job was not run" >&2; exit 73; fi
    IFS= read -r _started_old < ${file}
    if [ "\${SLURM_RESTART_COUNT:-0}" -gt 0 ] 2>/dev/null && [ -n "$SLURM_JOB_ID" ] && [ "\${_started_old%%:*}" = "$SLURM_JOB_ID" ]; then
        printf '%s\\n' "$_started_line" >| ${file}
    else
        exit 0
    fi
fi
unset _started_stat _started_boot _started_new _started_old`
}
