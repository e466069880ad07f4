import { createInterface } from 'node:readline/promises'
import type { Output } from './setup/output.js'

/** Asks in a terminal; `no` is also what counts when it is closed. Throws the signal's reason. */
export async function confirm(
  question: string,
  signal: AbortSignal,
  output: Output,
): Promise<'yes' | 'no' | 'cannot ask'> {
  if (!process.stdin.isTTY || !process.stdout.isTTY || output.isJson) {
    output.warn('magnetar: nothing was changed. Without a terminal nothing is asked: add --yes to do this.')
    return 'cannot ask'
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    // readline takes Ctrl-C for itself; at its end (Ctrl-D) nobody answers any more.
    terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
    const ended = new Promise<string>((resolve) => terminal.once('close', () => resolve('')))
    const answer = await Promise.race([terminal.question(question, { signal }), ended])
    if (/^y(es)?$/i.test(answer.trim())) return 'yes'
    output.say('Nothing was changed.')
    return 'no'
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    terminal.close()
  }
}
