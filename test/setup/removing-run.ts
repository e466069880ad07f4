/**
 * A program for the tests: applies a plan that removes paths below PREFIX, and with `fail` fails after that. Prints the error, or "done".
 *
 *     removing-run.js PREFIX PATH... [fail]
 */
import { join } from 'node:path'
import { applyPlan } from '../../src/setup/apply/apply.js'
import { ApplyError } from '../../src/setup/apply/apply-error.js'
import type { Change } from '../../src/setup/types.js'
import { failingAfter } from './varied-plan.js'

const [prefix = '', ...rest] = process.argv.slice(2)
const fail = rest.at(-1) === 'fail'
const changes = rest.slice(0, fail ? -1 : undefined).map((name): Change => {
  const path = join(prefix, name)
  return { kind: 'remove', step: 'removing', title: `remove ${path}`, counts: 'other', path }
})
const manifest = { version: 1, answers: {}, files: {}, madeUser: false } as const
const plan = { changes, conflicts: [], notes: [], manifest }
const signal = new AbortController().signal
const options = { prefix, manifestFile: undefined, keep: false, signal }
const said = await applyPlan(fail ? failingAfter(plan, changes.length) : plan, options).then(
  ({ warnings }) => ['done', ...warnings].join('\n'),
  (error: unknown) => {
    if (error instanceof ApplyError) return `${error.code}: ${error.message}\n${error.fix}`
    throw error
  },
)
process.stdout.write(`${said}\n`)
