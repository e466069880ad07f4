import type { ChalkInstance } from 'chalk'
import type { JobDetails } from '../../control/types.js'
import { showBytes } from '../deps/list.js'
import { plain, plainLines, showAge, showTime } from '../node/show.js'
import { colourOf, isOver } from './table.js'

const FILES = 20
const LAST_LINES = 10
const LABEL = 13

/** All that is known of one job, as lines. */
export function renderJob(
  job: JobDetails,
  palette: ChalkInstance,
  nowMs: number,
  command: (words: string) => string,
): string[] {
  const state = job.stopping ? `${job.status}, still being stopped` : job.status
  const tool = [plain(job.toolId), plain(job.toolVersion)].filter(Boolean).join(' ')
  const field = (name: string, text: string | undefined): string[] =>
    text ? [`${palette.bold(name.padEnd(LABEL))}${text}`] : []
  return [
    ...field('Job', `${plain(job.id)} · ${colourOf(job.status, palette)(state)}`),
    ...field('Reason', job.reason && indent(plainLines(job.reason).trimEnd())),
    ...field('Tool', tool),
    ...field('Manager', plain(job.manager)),
    ...field('External id', job.externalId && plain(job.externalId)),
    ...field('Return code', job.found?.returnCode?.toString()),
    ...field('Directory', job.found ? plain(job.directory) : `${plain(job.directory)} (gone)`),
    ...field('Script', job.found?.hasScript ? plain(job.script) : undefined),
    ...field('Transfers', describeTransfers(job, nowMs)),
    '',
    palette.bold('Timeline'),
    ...timeline(job, nowMs),
    ...files(job, palette),
    ...stream('stdout', job.found?.stdout, palette),
    ...stream('stderr', job.found?.stderr, palette),
    ...(job.canRetryStageOut
      ? ['', `To deliver its outputs again: ${command(`jobs retry-stage-out ${plain(job.id)}`)}`]
      : []),
  ]
}

function indent(text: string): string {
  return text.replaceAll('\n', `\n${' '.repeat(LABEL)}`)
}

function timeline({ history }: JobDetails, nowMs: number): string[] {
  return history.map(({ status, atMs, reason }, index) => {
    const next = history[index + 1]
    const ends = next === undefined && isOver(status)
    const took = ends ? '' : showAge((next?.atMs ?? nowMs) - atMs)
    const why = reason === undefined ? '' : `  ${plain(reason)}`
    return `  ${showTime(atMs)}  ${status.padEnd(14)} ${took.padStart(7)}${why}`.trimEnd()
  })
}

function describeTransfers({ transfers }: JobDetails, nowMs: number): string | undefined {
  if (!transfers) return undefined
  const { direction, files: all, filesDone, filesFailed, bytes, bytesPerSecond, retrying } = transfers
  const failed = filesFailed > 0 ? `, ${filesFailed} failed` : ''
  const wait = retrying ? Math.max(0, retrying.nextAttemptAtMs - nowMs) : 0
  const waits = retrying
    ? `; ${retrying.files} tried again in ${showAge(wait)}: ${plain(retrying.message)}`
    : ''
  return `${direction === 'in' ? 'inputs' : 'outputs'}, ${filesDone} of ${all} files${failed}, ${showBytes(bytes)}, ${showBytes(bytesPerSecond)}/s${waits}`
}

function files({ found }: JobDetails, palette: ChalkInstance): string[] {
  if (!found) return []
  const shown = found.files.slice(0, FILES)
  const rest = found.files.length - shown.length
  const more = rest > 0 || found.isCut ? [`  … ${found.isCut ? 'many' : rest} more`] : []
  const lines = shown.map(({ name, bytes }) => `  ${showBytes(bytes).padStart(9)}  ${plain(name)}`)
  return lines.length === 0 ? [] : ['', palette.bold('Files'), ...lines, ...more]
}

function stream(name: string, text: string | undefined, palette: ChalkInstance): string[] {
  const lines = plainLines(text ?? '')
    .trimEnd()
    .split('\n')
  if (lines.length === 1 && lines[0] === '') return []
  return ['', palette.bold(`Last lines of ${name}`), ...lines.slice(-LAST_LINES).map((line) => `  ${line}`)]
}
