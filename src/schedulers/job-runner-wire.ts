/** What is said between the server and templates/job-runner.sh; the words are explained there. Pure. */
import type { Submission } from './scheduler.js'

/** Why a job's script was not started. */
export type StartProblem = 'fork' | 'script' | 'directory' | 'streams'

export type RunnerReport =
  | { readonly kind: 'started'; readonly number: number; readonly pid: number; readonly leader: number }
  | {
      readonly kind: 'ended'
      readonly number: number
      /** Negative: the signal. undefined: not run, as J/started was there already. */
      readonly exitCode: number | undefined
      /** Whether J/started names another run than this one. */
      readonly ranElsewhere: boolean
    }
  | { readonly kind: 'failed'; readonly number: number; readonly problem: StartProblem }
  /** 0 when it is not known. */
  | { readonly kind: 'leader'; readonly number: number; readonly leader: number }

const PROBLEMS: readonly string[] = ['fork', 'script', 'directory', 'streams'] satisfies StartProblem[]

/** The request to start a job. bash reads it byte by byte, so paths below the job directory go without that. */
export function encodeStart(number: number, job: Submission): string {
  const short = (path: string): string => {
    const rest = path.startsWith(`${job.directory}/`) ? path.slice(job.directory.length + 1) : ''
    return rest === '' || rest.startsWith('/') ? path : rest
  }
  const paths = [job.script, job.workingDirectory, job.stdout, job.stderr].map(short)
  return `${[number, job.directory, ...paths].join('\0')}\0`
}

/** The request for the leader of a job that was to be started. */
export function encodeQuestion(number: number): string {
  return `${number}\0\0`
}

/** A line of the helper; undefined when it is none of ours. */
export function parseReport(line: string): RunnerReport | undefined {
  const [kind, first = '', second = '', third = ''] = line.split(' ')
  const number = Number(first)
  if (!Number.isInteger(number)) return undefined
  switch (kind) {
    case 'started':
      return { kind, number, pid: Number(second), leader: Number(third) }
    case 'ended':
      return {
        kind,
        number,
        exitCode: second === 'none' ? undefined : Number(second),
        ranElsewhere: third === 'other',
      }
    case 'failed':
      return isProblem(second) ? { kind, number, problem: second } : undefined
    case 'leader':
      return { kind, number, leader: Number(second) }
    default:
      return undefined
  }
}

function isProblem(word: string): word is StartProblem {
  return PROBLEMS.includes(word)
}
