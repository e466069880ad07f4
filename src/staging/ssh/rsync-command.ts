import { addressOf, hostInAddress, type SshPeer } from './peer.js'

/** Long enough for the other side to compare a large file with what is there, short enough to notice that it hangs. */
const SILENCE_SECONDS = 1800
/** Where the other side keeps what arrived of a file until the next attempt; beside the file. */
const PARTIAL_DIRECTORY = '.magnetar-partial'

/** Arguments of the rsync that brings the peer's file into `target`, going on with what is there. */
export function fetchArgs(peer: SshPeer, options: readonly string[], target: string): string[] {
  return [...commonArgs(options), '--inplace', '--', remoteArg(peer), target]
}

/** Arguments of the rsync that delivers `source` to the peer's path. */
export function deliverArgs(peer: SshPeer, options: readonly string[], source: string): string[] {
  return [...commonArgs(options), `--partial-dir=${PARTIAL_DIRECTORY}`, '--', source, remoteArg(peer)]
}

/** Whether rsync has to be shown an existing file, or it would take the path for a pattern that may match another. */
export function needsPlaceholder(peer: SshPeer): boolean {
  return remoteArg(peer) !== addressOf(peer)
}

/**
 * Whether rsync can be made to fetch this name. With a backslash and a wildcard in it, the check of newer versions that only what was
 * asked for is sent refuses it, however it is escaped (rsync 3.2.5, exclude.c: add_implied_include).
 */
export function canFetch({ path }: SshPeer): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return !(name.includes('\\') && /[*?[]/.test(name))
}

function commonArgs(sshOptions: readonly string[]): string[] {
  return [
    // No shell sees the path.
    '--protect-args',
    // What a link leads to; without -t times say nothing, so content is always compared.
    '--copy-links',
    '--ignore-times',
    '--stats',
    `--timeout=${SILENCE_SECONDS}`,
    '-e',
    ['ssh', ...sshOptions].map(quoteForRsync).join(' '),
  ]
}

/** The other rsync expands wildcards itself, component by component; only in those with wildcards a backslash escapes. */
function remoteArg(peer: SshPeer): string {
  const escaped = peer.path
    .split('/')
    .map((component) => (/[*?[]/.test(component) ? component.replace(/[*?[\\]/g, '\\$&') : component))
    .join('/')
  return `${hostInAddress(peer)}:${escaped}`
}

/** rsync splits the command at spaces; in quotes it does not, and a doubled quote stands for itself. */
function quoteForRsync(word: string): string {
  return /^[\w/.=:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "''")}'`
}

export interface RsyncStats {
  readonly files: number
  /** Of the file. */
  readonly bytes: number
  /** Of these, what the other side had already. */
  readonly matchedBytes: number
}

/** What rsync --stats prints, of rsync 3.0 and newer; undefined when it is not that. */
export function parseStats(stdout: string): RsyncStats | undefined {
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1]?.replaceAll(',', '') ?? 'none')
  const stats = {
    files: number(/^Number of (?:regular )?files transferred: ([\d,]+)/m),
    bytes: number(/^Total transferred file size: ([\d,]+) bytes/m),
    matchedBytes: number(/^Matched data: ([\d,]+) bytes/m),
  }
  return Object.values(stats).every(Number.isSafeInteger) ? stats : undefined
}
