/**
 * A program for the tests: one attempt at a stage-in, in a process that can be killed.
 *
 *     ssh-staging-run.js < {"action", "to", "note"}
 *
 * `note` is a file with what is noted of the transfer. Prints what was transferred.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { silentLogger } from '../../src/lib/log.js'
import type { ActionSpec, LocalFile } from '../../src/staging/action.js'
import { findAction } from '../../src/staging/actions/index.js'

interface Request {
  readonly action: ActionSpec
  readonly to: LocalFile
  readonly note: string
}

const { action, to, note } = JSON.parse(readFileSync(0, 'utf8')) as Request
const done = await findAction(action.action_type).stageIn?.(action, to, {
  http: { request: () => Promise.reject(new Error('no HTTP here')), close: async () => {} },
  log: silentLogger,
  signal: new AbortController().signal,
  progress: () => {},
  memory: {
    get: () => (existsSync(note) ? readFileSync(note, 'utf8') : undefined),
    set: async (text) => writeFileSync(note, text),
  },
})
process.stdout.write(JSON.stringify(done))
