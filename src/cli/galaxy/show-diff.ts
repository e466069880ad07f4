import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'
import type { Output } from '../setup/output.js'

const HIDDEN = '(hidden)'
/** A value that is shorter may stand elsewhere by chance. */
const LONG_ENOUGH = 6
const SECRET = String.raw`[\w-]*(?:token|password|passwd|secret|api_key)[\w-]*`
/** `private_token: x` and `<param id="private_token">x</param>`, also in brackets and in comments. */
const VALUES = [
  new RegExp(String.raw`(?<=\b${SECRET}["']?[ \t]*:[ \t]*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,{}"'<>]+)`, 'gi'),
  new RegExp(String.raw`(?<=\bid=["']${SECRET}["'][^>]*(?<!/)>)([^<]+)`, 'gi'),
  new RegExp(String.raw`(?<=\bid=["']${SECRET}["'][^>]*\bvalue=["'])([^"']+)`, 'gi'),
  /(?<=:\/\/[^\s/:@"'<>]*:)([^\s/@"'<>]+)(?=@)/g,
]

/** What changes in a file, line by line, without the tokens and passwords that stand in it. */
export function renderFileDiff(path: string, before: string, after: string): string[] {
  const old = secretsIn(before)
  const hide = (text: string): string => {
    const shown = VALUES.reduce(
      (current, pattern) =>
        current.replace(pattern, (value) => (old.size > 0 && !old.has(value) ? '(hidden, new)' : HIDDEN)),
      text,
    )
    return [...old, ...secretsIn(after)]
      .filter((value) => value.length >= LONG_ENOUGH)
      .reduce((current, value) => current.replaceAll(value, HIDDEN), shown)
  }
  const options = { context: 3, headerOptions: FILE_HEADERS_ONLY }
  const patch = createTwoFilesPatch(path, path, hide(before), hide(after), '', '', options)
  return patch.trimEnd().split('\n').map(visible)
}

export function showFileDiff(path: string, before: string, after: string, output: Output): void {
  const { palette } = output
  for (const line of renderFileDiff(path, before, after)) {
    if (/^(---|\+\+\+) /.test(line)) output.print(palette.bold(line))
    else if (line.startsWith('+')) output.print(palette.green(line))
    else if (line.startsWith('-')) output.print(palette.red(line))
    else output.print(line.startsWith('@') ? palette.cyan(line) : line)
  }
}

function secretsIn(text: string): Set<string> {
  return new Set(VALUES.flatMap((pattern) => [...text.matchAll(pattern)].map(([value]) => value)))
}

/** What is in a file must not move the cursor of whoever looks at it. */
function visible(line: string): string {
  return line
    .replace(/\r$/, '')
    .replace(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
      (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
}
