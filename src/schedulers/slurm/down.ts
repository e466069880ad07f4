/** Telling "the controller does not answer" from "the controller says no". */
import { CommandNotStarted, type CommandResult } from '../../lib/exec.js'
import { SchedulerDown } from '../scheduler.js'

// Texts of slurm_strerror, munge and the commands, Slurm 22.05 to 24.11: failures of reaching, not of the request.
const DOWN = [
  /Unable to contact slurm controller/i,
  /Unable to establish (controller machine|configuration source|control machine)/i,
  /Socket timed out/i,
  /Zero Bytes were transmitted/i,
  /Communication (connection|shutdown) failure|Message (send|receive) failure/i,
  /standby mode/i,
  /temporarily unable to accept job|Resource temporarily unavailable/i,
  /Unable to create job record, try again/i,
  /I\/O error writing script\/environment to file/i,
  /Munge encode failed|Munge decode failed|Failed to access "[^"]*munge|munged? .*(is it running|is running)/i,
  /Protocol authentication error|Authentication credential|authentication agent/i,
  /RPC (rate )?limit|Too many (open files|RPCs)/i,
  /Could not resolve hostname|Could not (load|read) slurm\.conf|fetch_config/i,
  /Insane message length|Header lengths are longer/i,
]

/** The SchedulerDown this result stands for; undefined when the controller answered, be it with a refusal. */
export function downReason(program: string, result: CommandResult): SchedulerDown | undefined {
  if (result.timedOut) return new SchedulerDown(`${program} did not answer in time and was stopped`)
  if (result.truncated) return new SchedulerDown(`the answer of ${program} is too long to be trusted`)
  if (result.signal !== null) return new SchedulerDown(`${program} was ended by ${result.signal}`)
  if (result.code === 0) return undefined
  const text = `${result.stderr}\n${result.stdout}`
  return isDownText(text) ? new SchedulerDown(`${program}: ${firstError(text)}`) : undefined
}

/** Whether these words of Slurm are about reaching it, not about what was asked. */
export function isDownText(text: string): boolean {
  return DOWN.some((pattern) => pattern.test(text))
}

/** The first line that tells something, without the program's prefixes. */
export function firstError(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/^\w+: (error|fatal): /, '').trim())
  return lines.find((line) => line !== '') ?? 'no message'
}

/** The command could not be started (not installed, no processes left): nothing was asked. */
export function notStartedReason(error: unknown): SchedulerDown | undefined {
  return error instanceof CommandNotStarted ? new SchedulerDown(error.message) : undefined
}
