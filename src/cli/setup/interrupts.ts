import { setMaxListeners } from 'node:events'
import { EXIT } from '../exit-codes.js'

export interface Interrupts {
  /** Aborts at the first Ctrl-C, hang-up or request to end. */
  readonly signal: AbortSignal
  dispose(): void
}

/**
 * Whoever runs is asked to stop by the first signal; the second one ends the process at once. A terminal that is gone takes no more
 * text, which must not end what is under way.
 */
export function watchInterrupts(say: (text: string) => void): Interrupts {
  const controller = new AbortController()
  // Everything that is under way listens to it, and Node warns of more than ten.
  setMaxListeners(0, controller.signal)
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted)
    say('\nStopping; once more ends it at once.')
    controller.abort(new Error('interrupted'))
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of signals) process.on(name, onSignal)
  const ignore = (): void => {}
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignore)
  return {
    signal: controller.signal,
    dispose() {
      for (const name of signals) process.off(name, onSignal)
    },
  }
}
