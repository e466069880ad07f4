/** The `#SBATCH` lines of a job. Of two lines with the same option the later one counts (tried with 22.05). */
import type { Submission, SubmitParams } from '../scheduler.js'
import { checkLine, checkText, managerOptions, requestOptions } from './params.js'

export interface HeaderSource {
  /** The manager's `job_*` parameters, prefix stripped. */
  readonly jobParameters: Readonly<Record<string, string>>
  readonly nativeSpecification: string | undefined
}

export interface Headers {
  readonly lines: readonly string[]
  /** The request's native specification, dropped because the manager has its own (base_drmaa.py). */
  readonly droppedSpecification: string | undefined
}

/**
 * In this order, so that the manager has the last word: streams and name, the request's options and native
 * specification, the manager's options and native specification. @throws SubmitRejected for values that are no line.
 */
export function buildHeaders(
  job: Omit<Submission, 'script'>,
  params: SubmitParams,
  manager: HeaderSource,
): Headers {
  const own = manager.nativeSpecification?.trim() || undefined
  const { native_specification: asked, ...others } = params
  const requested = asked?.trim() || undefined
  const options = [
    `-o ${quote(filePattern(job.stdout))}`,
    `-e ${quote(filePattern(job.stderr))}`,
    `-J ${quote(job.name)}`,
    ...requestOptions(others, manager.jobParameters),
    ...(requested && !own ? [checkLine(requested, 'native specification of the request')] : []),
    ...managerOptions(manager.jobParameters).lines,
    ...(own ? [checkLine(own, 'native_specification')] : []),
  ]
  return {
    lines: options.map((option) => `#SBATCH ${checkText(option, 'job directory or name')}`),
    droppedSpecification: own ? requested : undefined,
  }
}

/**
 * A path that sbatch takes literally: `%j` and the like are replaced in it, `%%` is a per cent sign; but as soon as there is
 * a backslash nothing is replaced, and backslashes are taken out (man sbatch, filename pattern; tried with 22.05).
 */
export function filePattern(path: string): string {
  return path.includes('\\') ? path.replaceAll('\\', '\\\\') : path.replaceAll('%', '%%')
}

/** As sbatch reads an argument of a header line: split at blanks, `#` begins a comment, quotes and backslashes as in a shell. */
function quote(value: string): string {
  if (/^[\w./:=@,+%-]+$/.test(value)) return value
  return `"${value.replaceAll(/["\\]/g, '\\$&')}"`
}
