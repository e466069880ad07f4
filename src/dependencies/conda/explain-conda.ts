/** Finds in what conda, mamba or micromamba wrote why it failed; pure. */
import type { CommandResult } from '../../lib/exec.js'

export type CondaCause =
  | 'unknown-package'
  | 'conflict'
  | 'unreachable'
  | 'disk-full'
  | 'damaged'
  | 'not-permitted'
  | 'timeout'
  | 'killed'
  | 'other'

export interface CondaFailure {
  readonly cause: CondaCause
  /** The tool's own words, at most a screenful. */
  readonly text: string
}

/** In this order: a full disk also damages packages, an unreachable channel also lacks the package. */
const CAUSES: readonly (readonly [CondaCause, RegExp])[] = [
  ['disk-full', /no space left on device|NoSpaceLeftError|disk quota exceeded|ENOSPC|Errno 122|os error 28/i],
  [
    'damaged',
    /CondaVerificationError|SafetyError|InvalidArchiveError|ChecksumMismatch|checksum mismatch|appears to be corrupted|corrupt|not a gzip file|BadZipFile|unexpected end of (file|data)|hash mismatch|missing.{0,40}in (the )?package cache/i,
  ],
  [
    'unreachable',
    /CondaHTTPError|CONNECTION FAILED|ConnectionError|Max retries exceeded|UnavailableInvalidChannel|could(n't| not) (connect|resolve)|Download error|ProxyError|SSLError|name or service not known|temporary failure in name resolution|error sending request|failed to (fetch|download) repodata|HTTP [45]\d\d|timed out|No such channel|failed to get .* from|repodata not found/i,
  ],
  [
    'unknown-package',
    /PackagesNotFoundError|ResolvePackageNotFound|nothing provides requested|does not exist \(perhaps|because of: No candidates were found|not available from current channels/i,
  ],
  [
    'conflict',
    /Unsatisfiable|Encountered problems while solving|Could not solve for environment|Cannot solve/i,
  ],
  ['not-permitted', /PermissionError|NotWritableError|Permission denied|EnvironmentNotWritableError/i],
]

const PROGRESS =
  /^(\s*|Channels:|Platform:.*|Collecting package metadata.*|Solving environment:.*|Preparing transaction:.*|Verifying transaction:.*|Executing transaction:.*|Downloading and Extracting Packages.*|Retrieving notices:.*|\s*- (defaults|conda-forge|bioconda)|failed|done|.*\| *\d+% *)$/
const BEGINS =
  /(^|\s)([A-Z]\w*(Error|Exception|Channel)\b|error\b|critical\b|Could not|Encountered|Cannot solve)/i

/** What only a terminal understands: titles and links (OSC and its like, up to the end of the line at most), colours (CSI), the rest. */
const TERMINAL =
  /(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x9c|\x1b\\)?|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]/g
/** All other control characters but the tab, and those that turn the direction of the text: this goes into logs and to Galaxy. */
const UNSEEN = /[\0-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g

const MAX_LINES = 20
const MAX_CHARACTERS = 2000

/** The reason of a command that failed. */
export function explainConda(result: CommandResult): CondaFailure {
  if (result.timedOut) return { cause: 'timeout', text: 'it did not end in time and was stopped' }
  const said = [result.stderr, result.stdout].flatMap(endFirst).map(cleanLines)
  const lines =
    said.find((each) => each.some((line) => BEGINS.test(line))) ?? said.find((each) => each.length > 0)
  const text = hideSecrets(excerpt(lines ?? []))
  const cause = CAUSES.find(([, pattern]) => pattern.test(text))?.[0]
  if (cause !== undefined) return { cause, text }
  if (result.signal !== null) return { cause: 'killed', text: `it was ended by ${result.signal}` }
  return { cause: 'other', text: text || `it ended with exit code ${result.code} and no message` }
}

/** Tokens and passwords that stand in the addresses of channels. */
export function hideSecrets(text: string): string {
  return text.replace(/\/t\/[^/\s]+/g, '/t/***').replace(/(\w+:\/\/)[^/\s@]+@/g, '$1***@')
}

/** Of an output that was too long (exec.ts, `ends`): what ended it counts more than what began it. */
function endFirst(output: string): string[] {
  return output.split(/\n\[\d+ bytes are left out\]\n/).reverse()
}

function cleanLines(output: string): string[] {
  return (
    output
      .replace(TERMINAL, '')
      .split('\n')
      // A progress bar is drawn over itself.
      .map((line) => line.trimEnd().split('\r').at(-1)?.replace(UNSEEN, '') ?? '')
      .filter((line) => !PROGRESS.test(line))
  )
}

/** From the line that names an error on; of a report with a traceback, the last such line. */
function excerpt(lines: readonly string[]): string {
  const traceback = lines.findIndex((line) => line.includes('Traceback (most recent call last)'))
  const named = (line: string): boolean => BEGINS.test(line)
  const first = traceback < 0 ? lines.findIndex(named) : lines.findLastIndex(named)
  const kept = first < 0 ? lines.slice(-MAX_LINES) : lines.slice(first, first + MAX_LINES)
  const text = kept.join('\n').trim()
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)} …` : text
}
