import { createInterface } from 'node:readline'
import { PassThrough } from 'node:stream'
import { MagnetarError } from '../../lib/errors.js'
import type { Terminal } from './terminal.js'

const MAX_CHARACTERS = 64 * 1024

/**
 * A value from standard input: one line. In a terminal it is asked for, and what is typed is not shown.
 * @returns undefined when Ctrl-C or Ctrl-D was pressed instead
 * @throws MagnetarError ANSWER_INVALID when there is none, or more than one line
 */
export async function readValue(name: string, terminal: Terminal): Promise<string | undefined> {
  const text = terminal.stdin.isTTY ? await askHidden(name, terminal) : await readAll(terminal)
  if (text === undefined) return undefined
  const value = text.replace(/\r?\n$/, '')
  if (value === '') throw new MagnetarError('ANSWER_INVALID', `no value for ${name} came on standard input`)
  if (/[\r\n]/.test(value))
    throw new MagnetarError('ANSWER_INVALID', `${name}: expected one line on standard input, found several`)
  return value
}

async function readAll({ stdin }: Terminal): Promise<string> {
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.length > MAX_CHARACTERS)
      throw new MagnetarError(
        'ANSWER_INVALID',
        `more than ${MAX_CHARACTERS} characters came on standard input`,
      )
  }
  return text
}

function askHidden(name: string, { stdin, stderr }: Terminal): Promise<string | undefined> {
  // readline edits the line and draws it to an output that nobody sees.
  const lines = createInterface({ input: stdin, output: new PassThrough().resume(), terminal: true })
  stderr.write(`${name} (not shown): `)
  return new Promise((resolve) => {
    let answer: string | undefined
    lines.once('SIGINT', () => lines.close())
    lines.once('line', (line) => {
      answer = line
      lines.close()
    })
    lines.once('close', () => {
      stderr.write('\n')
      resolve(answer)
    })
  })
}
