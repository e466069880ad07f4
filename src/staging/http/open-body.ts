import type { Socket } from 'node:net'
import type { BodyControl, BodyTaker, DirectBody } from '../http-client.js'

/**
 * A body of a known length while it arrives on `socket`. `over` is called when nothing of it is to come any more, before its taker is told
 * of the end.
 */
export class OpenBody implements DirectBody {
  readonly bytes: number
  hadSurplus = false
  readonly #socket: Socket
  readonly #over: () => void
  /** Not read yet. */
  #toCome: number
  /** Read before the taker had room for it, in memory of the connection, which reads no more until this is taken. */
  #held: Uint8Array | undefined
  /** The taker's, for the next read. */
  #given: Uint8Array | undefined
  #taker: BodyTaker | undefined
  #isOver = false
  #failure: Error | undefined
  /** The end is told a little later: what follows the body, though nothing should, is read in the same turn. */
  #ending: NodeJS.Immediate | undefined

  constructor(socket: Socket, bytes: number, over: () => void) {
    this.#socket = socket
    this.bytes = bytes
    this.#toCome = bytes
    this.#over = over
  }

  take(taker: BodyTaker): BodyControl {
    this.#taker = taker
    queueMicrotask(() => this.#resume())
    return { resume: () => this.#resume(), stop: () => this.#stop() }
  }

  /** Whether it can take the next read at once. */
  isReady(): boolean {
    return this.#isOver || (this.#canRead() && this.#taker?.isFull?.() !== true)
  }

  #canRead(): boolean {
    return this.#taker !== undefined && this.#held === undefined
  }

  /** Where the next read goes; undefined: to memory of the connection. */
  room(): Uint8Array | undefined {
    if (!this.#canRead() || this.#isOver || this.#toCome === 0) return undefined
    this.#given = this.#taker?.room()?.subarray(0, this.#toCome)
    return this.#given
  }

  /** Takes what was read. Returns whether to go on reading. */
  arrived(memory: Uint8Array, bytes: number): boolean {
    const here = Math.min(bytes, this.#toCome)
    this.#toCome -= here
    if (here < bytes) this.hadSurplus = true
    if (memory === this.#given) {
      this.#given = undefined
      this.#taker?.filled(here)
    } else if (here > 0) this.#held = memory.subarray(0, here)
    this.#goOn()
    // After the last of it, what should not follow is looked for.
    return this.isReady() || (this.#toCome === 0 && this.#canRead())
  }

  /** Hands on what is held, as far as there is room, and tells the end. */
  #goOn(): void {
    const taker = this.#taker
    if (!taker) return
    while (this.#held && !this.#isOver) {
      const room = taker.room()
      if (!room) return
      const here = this.#held.subarray(0, room.length)
      room.set(here)
      this.#held = here.length < this.#held.length ? this.#held.subarray(here.length) : undefined
      taker.filled(here.length)
    }
    if (this.#isOver) return
    if (this.#toCome === 0) this.#ending ??= setImmediate(() => this.#end(taker))
    else if (this.#failure) this.#end(taker, this.#failure)
  }

  /** The connection is gone. */
  closed(why: Error): void {
    this.#failure = why
    this.#goOn()
  }

  #resume(): void {
    this.#goOn()
    if (this.isReady() && !this.#isOver) this.#socket.resume()
  }

  #stop(): void {
    clearImmediate(this.#ending)
    this.#isOver = true
    this.#held = undefined
    this.#over()
    this.#socket.destroy()
  }

  #end(taker: BodyTaker, failure?: Error): void {
    this.#isOver = true
    // Nothing can follow a whole answer.
    if (this.hadSurplus) this.#socket.destroy()
    this.#over()
    taker.end(failure)
  }
}
