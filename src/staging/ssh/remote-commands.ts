import { createHash } from 'node:crypto'
import path from 'node:path'
import { UPLOAD_PREFIX } from '../../lib/confined-file.js'
import { quoteForShell } from '../../lib/shell.js'
import type { SshPeer } from './peer.js'

/** Commands for the login shell of the other host. What is done is written for sh, whatever that shell is. */

/** Makes the directory of a file and says at once when a directory is in its way; with `placeholder`, an empty file too. */
export function makeRoomCommand(file: string, options: { readonly placeholder?: boolean } = {}): string {
  const script = `mkdir -p "$1" || exit
[ ! -d "$2" ] || { echo "$2: Is a directory" >&2; exit 21; }
[ -z "$3" ] || [ -e "$2" ] || : > "$2"`
  return shellCommand(script, [path.posix.dirname(file), file, options.placeholder ? 'placeholder' : ''])
}

/** Gives an upload its name when it has all its bytes, with the mode of the file that it replaces; else removes it. */
export function takeNameCommand(temporary: string, file: string, bytes: number): string {
  const script = `have=$(wc -c < "$1") || exit
[ "$have" -eq "$3" ] || { echo "$have of $3 bytes arrived: incomplete" >&2; rm -f "$1"; exit 22; }
[ ! -f "$2" ] || chmod "$(stat -c %a "$2" 2>/dev/null)" "$1" 2>/dev/null
mv -f "$1" "$2" || { rm -f "$1"; exit 23; }`
  return shellCommand(script, [temporary, file, String(bytes)])
}

/** Removes an upload that failed. */
export function removeCommand(temporary: string): string {
  return shellCommand('rm -f "$1"', [temporary])
}

/** Beside the file, always the same: what an attempt left is replaced by the next. */
export function temporaryPathFor(file: string): string {
  const hash = createHash('sha256').update(file).digest('hex').slice(0, 24)
  return path.posix.join(path.posix.dirname(file), `${UPLOAD_PREFIX}to-${hash}`)
}

/** Arguments for ssh. */
export function sshArgs({ host }: SshPeer, options: readonly string[], command: string): string[] {
  return [...options, '--', host, command]
}

function shellCommand(script: string, args: readonly string[]): string {
  return ['exec sh -c', ...[script, 'sh', ...args].map(quoteForShell)].join(' ')
}
