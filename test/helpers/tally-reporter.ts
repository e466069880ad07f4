import { writeFileSync } from 'node:fs'
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite } from 'vitest/node'
import './needs.js'

/** What test/run.js reads: the sums, and why tests were skipped. */
export interface Tally {
  passed: number
  failed: number
  skipped: { file: string; name: string; reason: string }[]
}

/** Writes the Tally of a run as JSON to the file named by MAGNETAR_TALLY. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const tally: Tally = { passed: 0, failed: unhandledErrors.length, skipped: [] }
    for (const module of modules) count(module, tally)
    const file = process.env.MAGNETAR_TALLY
    if (file) writeFileSync(file, JSON.stringify(tally))
  }
}

function count(module: TestModule, tally: Tally): void {
  for (const test of module.children.allTests()) {
    const { state } = test.result()
    if (state === 'passed') tally.passed += 1
    else if (state === 'skipped') {
      tally.skipped.push({ file: module.relativeModuleId, name: test.fullName, reason: reasonOf(test) })
    }
    // A test still pending when the run ends was cut off.
    else tally.failed += 1
  }
  // A file that cannot be loaded, or a failing beforeAll or afterAll, which belongs to no test.
  const suites = [module, ...module.children.allSuites()]
  tally.failed += suites.filter((suite) => suite.errors().length > 0).length
}

function reasonOf(test: TestCase): string {
  const result = test.result()
  if (result.state === 'skipped' && result.note) return result.note
  for (let task: TestCase | TestSuite | TestModule = test; ; task = task.parent) {
    const reason = task.type === 'module' ? undefined : task.meta().skipReason
    if (reason) return reason
    if (task.type === 'module') return 'no reason given'
  }
}
