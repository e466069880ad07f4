/**
 * A program for the tests: plans and applies the varied plan, and kills itself at one point of it.
 *
 *     killed-run.js ROOT event|call N [fail]
 *
 * At the Nth event, or before the Nth call that changes the disk (half way through, when that is a write or the removal of a tree).
 * With `fail` the plan fails at its end and is undone. When it was not killed, it prints how many there were of both, and of the calls
 * how many came before it failed.
 */
import { writeSync } from 'node:fs'
import { removeTree } from '../../src/lib/remove-tree.js'
import { apply, failingAfter, plan } from './varied-plan.js'
import { isWriting, watchedFs } from './watched-fs.js'

const [root = '', kind, number, fail] = process.argv.slice(2)
const seen = { event: 0, call: 0, callsBeforeFailure: 0 }

const pass = (what: 'event' | 'call', before = (): void => {}): void => {
  if (seen[what]++ !== Number(number) || what !== kind) return
  before()
  process.kill(process.pid, 'SIGKILL')
}

const fs = watchedFs((call, args) => {
  const [fd, bytes, at] = args
  if (!isWriting(call, args)) return
  pass('call', () => {
    if (call === 'writeSync' && typeof fd === 'number' && bytes instanceof Uint8Array)
      writeSync(fd, bytes, Number(at), Math.floor(bytes.length / 2))
  })
})

const wanted = await plan(root)
const options = {
  tools: {
    fs,
    // What it writes stays the same; with the disk of a busy machine it takes long.
    flushTree: async () => {},
    async removeTree(tree: string): Promise<boolean> {
      // Without time to do it in, one entry is removed.
      pass('call', () => removeTree(tree, 0))
      return removeTree(tree)
    },
  },
  onEvent: ({ type }: { type: string }): void => {
    if (type === 'failed') seen.callsBeforeFailure = seen.call
    pass('event')
  },
}
try {
  await apply(root, fail ? failingAfter(wanted, wanted.changes.length) : wanted, options)
} catch (error) {
  if (!fail) throw error
}
process.stdout.write(`${JSON.stringify(seen)}\n`)
