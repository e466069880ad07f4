import { CheckFailed, followJob, type StatusDocument } from './follow-job.js'
import { MISSED_CODE } from './job-script.js'
import type { Session } from './session.js'
import { CheckProblem } from './types.js'

const LAST_LINES = 5
const MAX_SAID = 600
const WHY = "Galaxy's jobs would fare the same."

/**
 * Polls until the job has ended, as Galaxy does (in a Python Pulsar polling is what moves a job on).
 * @throws CheckProblem of kind job when it does not get to run, or does not end
 */
export async function watch(
  session: Session,
  jobId: string,
): Promise<{ readonly ended: StatusDocument; readonly states: readonly string[] }> {
  const { calls, signal, limits, whyQueued } = session
  const states: string[] = []
  try {
    const ended = await session.explained('job', 'the status of the job', () =>
      followJob({
        ask: () => calls.status(jobId),
        onStatus: (status) => states.push(status),
        signal,
        queueLimitMs: limits.jobMs,
        runLimitMs: limits.jobMs,
        ...(whyQueued ? { whyQueued: () => whyQueued(jobId, signal) } : {}),
      }),
    )
    return { ended, states }
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error
    throw new CheckProblem('job', {
      message:
        error.stage === 'queue'
          ? `the job does not get to run: ${error.message}`
          : `the job does not end: ${error.message}`,
      why: WHY,
      fix:
        error.stage === 'queue'
          ? 'On the node see what the scheduler does: sinfo; squeue; the log of the server. Is it only busy: repeat this with a longer --timeout.'
          : 'On the node see what the job does: ps -fu USER, squeue; repeat this with a longer --timeout.',
    })
  }
}

/** @throws CheckProblem of kind job when it did not end as it should */
export function judgeEnd(ended: StatusDocument, wanted: number): void {
  const { status, returncode } = ended
  if (status === 'complete' && returncode === wanted) return
  const said = lastWords(ended)
  const problem = (message: string, fix: string): CheckProblem =>
    new CheckProblem('job', { message: `${message}${said}`, why: WHY, fix })
  if (status === 'lost')
    throw problem(
      'the node lost the job',
      'Is something removing directories below staging_directory (tmpwatch, a cron job)? Its log says more.',
    )
  if (status !== 'complete')
    throw problem(
      `the node could not run the job: it ended as ${status}`,
      'The words are of the node or its scheduler; its log says more.',
    )
  if (returncode === MISSED_CODE)
    throw problem(
      'the job ran, but missed something',
      'Where jobs run, staging_directory must be the same directory as on the node (a shared file system).',
    )
  throw problem(
    `the job ended with return code ${returncode ?? 'unknown'} instead of ${wanted}`,
    'Its words are above. 127: a program is not on the PATH of jobs; 126: the file system of staging_directory may be mounted noexec.',
  )
}

/** The last lines that the job, or the node about it, wrote. */
export function lastWords({ stderr, job_stderr: jobStderr, stdout }: StatusDocument): string {
  const text = [stderr, jobStderr, stdout].map((each) => (each ?? '').trim()).find((each) => each !== '')
  if (text === undefined) return ''
  const lines = text.slice(-MAX_SAID).split('\n').slice(-LAST_LINES)
  return `:\n${lines.map((line) => `| ${line}`).join('\n')}`
}
