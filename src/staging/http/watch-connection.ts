import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { isHeldUp } from './direct-reads.js'
import { ANSWER_OPTION } from './option-names.js'

export interface Timeouts {
  /** Until a connection is there. */
  readonly connectMs: number
  /** From the end of a request until the headers of its answer are whole. Galaxy may be slow. */
  readonly headersMs: number
  /** Without a byte in the middle of a body, of either side. */
  readonly idleMs: number
}

/** Answers that come before the answer (1xx); a server has few to say, and each of more would cost as much as a request. */
const MAX_INTERIM_ANSWERS = 100
/** In each limit it is looked so often whether anything moved. */
const LOOKS = 4
/** What a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1

/**
 * Ends a request on whose connection nothing moves: `fail` is told why, once. Bytes are counted where the socket counts them, so that
 * it costs nothing per byte. A body that we ourselves do not take just now (a slow disk) is not the server's fault.
 */
export function watchConnection(
  request: ClientRequest,
  timeouts: Timeouts,
  fail: (words: string) => void,
): void {
  let timer: NodeJS.Timeout | undefined
  let hasAnswer = false
  const stop = (): void => clearTimeout(timer)

  function watch(socket: Socket, limitMs: number, words: string, answer?: IncomingMessage): void {
    stop()
    // What comes before an answer begins is no answer, or the beginning of one that would never be whole.
    const count = (): number => socket.bytesWritten + (answer ? socket.bytesRead : 0)
    let moved = count()
    let still = 0
    const lookMs = Math.min(limitMs / LOOKS, LONGEST_MS)
    const look = (): void => {
      const now = count()
      const isHeldByUs = answer !== undefined && (isHeld(answer) || isHeldUp(socket))
      still = now === moved && !isHeldByUs ? still + 1 : 0
      moved = now
      if (still === LOOKS) fail(words)
      else timer = setTimeout(look, lookMs)
    }
    timer = setTimeout(look, lookMs)
  }

  request.once('socket', (socket: Socket & { encrypted?: boolean; secureConnecting?: boolean }) => {
    const waitForAnswer = (): void => {
      stop()
      if (request.writableFinished) {
        watchForAnswer()
        return
      }
      const limitMs = Math.min(timeouts.idleMs, timeouts.headersMs)
      watch(socket, limitMs, 'stopped taking the request in the middle')
      request.once('finish', watchForAnswer)
    }
    const watchForAnswer = (): void => {
      stop()
      if (request.destroyed || hasAnswer) return
      const seconds = timeouts.headersMs / 1000
      const words = `took the request and did not answer in time (within ${seconds} s, ${ANSWER_OPTION})`
      watch(socket, timeouts.headersMs, words)
    }
    const isSecure = socket.encrypted === true
    if (!socket.connecting && !socket.secureConnecting) return waitForAnswer()
    timer = setTimeout(() => fail('did not take the connection in time'), timeouts.connectMs)
    socket.once(isSecure ? 'secureConnect' : 'connect', waitForAnswer)
    request.once('close', () => socket.off(isSecure ? 'secureConnect' : 'connect', waitForAnswer))
  })
  let interim = 0
  request.on('information', () => {
    if (++interim === MAX_INTERIM_ANSWERS) fail('goes on answering 1xx, and never in earnest')
  })
  request.once('response', (answer) => {
    hasAnswer = true
    watch(answer.socket, timeouts.idleMs, 'stopped sending in the middle', answer)
    answer.once('close', stop)
  })
  request.once('close', stop)
}

/** Whether something has arrived that nobody took, or whoever reads has paused it. */
function isHeld(answer: IncomingMessage): boolean {
  return (
    answer.readableLength > 0 || (answer.readableFlowing === false && answer.listenerCount('readable') === 0)
  )
}
