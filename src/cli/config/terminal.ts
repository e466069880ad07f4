import type { Readable } from 'node:stream'
import { terminalWidth, wrap } from '../wrap.js'

/** What a command of `magnetar config` has of its surroundings; a test gives its own. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Stream
  readonly stderr: Stream
}

export interface Stream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export function processTerminal(): Terminal {
  const { env, stdin, stdout, stderr } = process
  return { env, cwd: process.cwd(), stdin, stdout, stderr }
}

/** Writes lines; in a terminal long ones are broken at spaces. */
export function say(stream: Stream, text: string, indent = '  '): void {
  stream.write(`${stream.isTTY ? wrap(text, terminalWidth(stream), indent) : text}\n`)
}
