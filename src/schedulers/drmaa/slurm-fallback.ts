/** A native specification of slurm-drmaa → options of sbatch (slurm-drmaa's README, "Native specification"). Most are the same. */
import type { Scheduler, SubmitParams } from '../scheduler.js'

/** `[hours:]minutes` there; with one colon sbatch reads minutes and seconds. */
const TIME = /(^|\s)(--time(?:=|\s+)|--time_limit=|-t\s*)(\d+):(\d{1,2})(?=\s|$)/g

export function translateSpecification(specification: string): string {
  return (
    specification
      .replaceAll(TIME, (_all, before: string, option: string, hours: string, minutes: string) => {
        const name = option.startsWith('-t') ? '-t ' : '--time='
        return `${before}${name}${hours}:${minutes.padStart(2, '0')}:00`
      })
      .replaceAll(/(^|\s)--time_limit=/g, '$1--time=')
      .replaceAll(/(^|\s)--job_name(?==|\s)/g, '$1--job-name')
      // Taken out of Slurm 16.05; the short form is still there.
      .replaceAll(/(^|\s)--share(?=\s|$)/g, '$1--oversubscribe')
      .replaceAll(/(^|\s)--job-name[= ]/g, '$1--job-name=')
  )
}

/** Of a request only its native specification counts, as with DRMAA. */
export function withSlurmDrmaaOptions(slurm: Scheduler): Scheduler {
  return {
    ...slurm,
    headers(job, params: SubmitParams) {
      const asked = params.native_specification
      return slurm.headers(
        job,
        asked === undefined ? {} : { native_specification: translateSpecification(asked) },
      )
    },
  }
}
