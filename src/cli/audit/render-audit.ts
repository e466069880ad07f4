import type { ChalkInstance } from 'chalk'
import type { AuditReport } from '../../control/types.js'
import { STOPPED } from '../node/open-node.js'
import { plain, showTime } from '../node/show.js'

interface Line {
  readonly text: string
  /** Before what does not fit on the line. */
  readonly indent: string
}

/** What each rule promises, in a user's words; docs/promises.md has more of each. */
export const PROMISES: Readonly<Record<AuditReport['violations'][number]['rule'], string>> = {
  'submitted-once': 'a job is accepted once, until it is cleaned',
  'launched-once': 'a job runs at most once per submit',
  'one-end': 'a job ends once',
  'never-backwards': 'a job never goes back to an earlier state',
  'delivered-first': 'a job is complete when its outputs have arrived',
  'end-explained': 'a job that is over has a return code or a reason',
  'nobody-vanished': 'an accepted job is never lost from sight',
  'records-agree': 'the records of jobs say what happened',
  'directory-there': 'an unfinished job has its directory',
  'input-complete': 'a file under its final name is complete',
  'external-id-once': "no two jobs have one of the scheduler's jobs",
  'no-gap': 'nothing is missing from the journal',
}

const LABEL = 10
const INDENT = '    '
const UNDER_TIME = ' '.repeat(INDENT.length + 21)

/** The result of an audit, as lines that may be wrapped. */
export function renderAudit(
  report: AuditReport,
  { isRunning, palette }: { readonly isRunning: boolean; readonly palette: ChalkInstance },
): Line[] {
  const { examined, violations, more, directoriesWithoutJournal: lost } = report
  const row = (label: string, text: string): Line => ({
    text: `${palette.bold(label.padEnd(LABEL))}${text}`,
    indent: ' '.repeat(LABEL),
  })
  const { fromMs, toMs } = examined
  const lines: Line[] = [
    ...(isRunning ? [] : [{ text: STOPPED, indent: '' }]),
    row('Jobs', `${examined.jobs}: ${examined.active} unfinished, ${examined.ended} over and not cleaned`),
    fromMs === undefined || toMs === undefined
      ? row('Journal', lost ? 'none' : 'none: this node keeps no records, or its server has not been started')
      : row(
          'Journal',
          `${count(examined.events, 'event')}, ${showTime(fromMs)} to ${showTime(toMs)}${examined.rotated ? ' (older ones are taken away)' : ''}`,
        ),
    row('Starts', describeStarts(examined)),
  ]
  if (report.timeline && violations.length === 0) lines.push(...timeline(report.timeline))
  for (const { rule, job, message, timeline: history } of violations) {
    const who = job === undefined ? 'The journal' : `Job ${plain(job)}`
    lines.push(
      { text: '', indent: '' },
      { text: palette.red(`${who}: ${plain(message)}`), indent: INDENT },
      { text: `  Promised: ${PROMISES[rule]} [${rule}]`, indent: INDENT },
      ...timeline(history),
    )
  }
  const total = violations.length + more
  if (total > 0) lines.push({ text: '', indent: '' })
  if (total === 0 && lost !== undefined)
    return [...lines, { text: palette.red(withoutJournal(lost)), indent: '' }]
  lines.push(
    total === 0
      ? { text: palette.green('Nothing is broken.'), indent: '' }
      : {
          text: palette.red(
            `${total === 1 ? '1 promise is' : `${total} promises are`} broken${more > 0 ? `; ${violations.length} of them are listed` : ''}. That is a defect of Magnetar, or of the disk: keep the output of magnetar audit --json and of magnetar logs, and report it.`,
          ),
          indent: '',
        },
  )
  return lines
}

function withoutJournal(directories: number): string {
  const there = directories === 1 ? 'is 1 job directory' : `are ${directories} job directories`
  return `There ${there}, and no journal: the records of jobs (magnetar-store in persistence_directory) were removed or are somewhere else, and nothing can be proved. Put them back from a backup before the server is started: without them it knows none of these jobs.`
}

function timeline(entries: NonNullable<AuditReport['timeline']>): Line[] {
  return entries.map(({ atMs, text }) => ({
    text: `${INDENT}${showTime(atMs)}  ${plain(text)}`,
    indent: UNDER_TIME,
  }))
}

function describeStarts({ starts, afterCrash, afterReboot }: AuditReport['examined']): string {
  if (afterCrash === 0) return `${starts}, none after a crash`
  const reboots = afterReboot === 0 ? '' : `, ${afterReboot} of these with the machine`
  return `${starts}, ${afterCrash} after a crash${reboots}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
