/** Parameters of jobs → `#SBATCH` options (pulsar cli/job/slurm.py, argmap; managers reference 7.3). */
import { type SubmitParams, SubmitRejected } from '../scheduler.js'

const NAMED: Readonly<Record<string, string>> = { time: '-t', ncpus: '-c', partition: '-p' }

/** Keys with the `job_` prefix that are no options: the real Pulsar passes them on by mistake and warns of them each time. */
const NOT_OPTIONS = new Set(['directory_mode', 'name_template'])

/** Lines that would keep sbatch waiting for the end of the job, or make it submit nothing. */
const REFUSED_OPTION = /(^|\s)(-W|--wait|--test-only|--help|--usage|-V|--version|-h)(\s|$)/

export interface OptionLines {
  readonly lines: readonly string[]
  /** Names that no option is known for; they are dropped. */
  readonly unknown: readonly string[]
}

/** The manager's `job_*` parameters, prefix stripped: `time` → `-t`; a name with a leading `-` stands as it is. */
export function managerOptions(parameters: Readonly<Record<string, string>>): OptionLines {
  const lines: string[] = []
  const unknown: string[] = []
  for (const [name, value] of Object.entries(parameters)) {
    const line = optionLine(name, value)
    if (line !== undefined) lines.push(line)
    else if (!NOT_OPTIONS.has(name)) unknown.push(name)
  }
  return { lines, unknown }
}

/** The request's parameters (`submit_time`, `submit_job_time`, `submit_--mem`): the known ones which the manager leaves open. */
export function requestOptions(
  params: SubmitParams,
  manager: Readonly<Record<string, string>>,
): readonly string[] {
  const lines: string[] = []
  for (const [key, value] of Object.entries(params)) {
    const name = key.startsWith('job_') ? key.slice('job_'.length) : key
    // What is left of the request's parameters is meant for other schedulers (request_cpus, user …).
    const line = name in manager ? undefined : optionLine(name, value)
    if (line !== undefined) lines.push(line)
  }
  return lines
}

function optionLine(name: string, value: string): string | undefined {
  const option = name.startsWith('-') ? name : NAMED[name]
  return option === undefined ? undefined : checkLine(`${option} ${value}`.trim(), `parameter ${name}`)
}

/** One line of options. @throws SubmitRejected for what could end the line, or change what sbatch itself does. */
export function checkLine(line: string, what: string): string {
  const refused = REFUSED_OPTION.exec(checkText(line, what))?.[2]
  if (refused)
    throw new SubmitRejected('other', `The ${what} has ${refused}, with which sbatch does not just submit`)
  return line
}

/** @throws SubmitRejected when `text` cannot stand in a line. */
export function checkText(text: string, what: string): string {
  if (/[\0\n\r]/.test(text)) throw new SubmitRejected('other', `The ${what} has a line break or NUL in it`)
  return text
}
