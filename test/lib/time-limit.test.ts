import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { abortAfter, limitTime } from '../../src/lib/time-limit.js'
import { waitFor } from '../helpers/wait-for.js'

const never = new AbortController().signal

/** In a later turn: what was made in this one is still held. */
async function cleanUpMemory(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

it('a limit put into a signal of several aborts that signal, though memory was cleaned up meanwhile', async () => {
  const both = AbortSignal.any([never, abortAfter(200)])
  await cleanUpMemory()
  await waitFor(() => both.aborted, { what: 'the end of the time', timeoutMs: 5000 })
  expect(both.reason).toMatchObject({ name: 'TimeoutError' })
})

it('a limit without a signal of its caller ends by itself, and one whose caller gave up says so', async () => {
  const alone = limitTime(undefined, 50)
  await waitFor(() => alone.isUp(), { what: 'the end of the time' })
  expect(alone.signal.reason).toMatchObject({ name: 'TimeoutError' })
  const gone = limitTime(AbortSignal.abort(new Error('gone')), 10_000)
  expect(gone.signal.reason).toMatchObject({ message: 'gone' })
  expect(gone.isUp()).toBe(false)
  gone.release()
})
