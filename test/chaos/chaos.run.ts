import { appendFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { KINDS } from './kinds/index.js'
import type { ChaosKind, ChaosResult } from './kinds/kind.js'
import { loadKind } from './kinds/load.js'
import { PYTHON_KINDS } from './kinds/python.js'

/* Started by run.js, which says in the environment what is wanted and prints what is reported. */
const settings = JSON.parse(process.env.MAGNETAR_CHAOS ?? '{}') as {
  minutes: number
  seed: number
  kind?: string
  point?: string
  report: string
}

const say = (what: unknown): void => appendFileSync(settings.report, `${JSON.stringify(what)}\n`)

it(
  'keeps every promise',
  async () => {
    const deadlineMs = Date.now() + settings.minutes * 60_000
    const wanted =
      settings.kind === undefined
        ? KINDS
        : [...KINDS, ...PYTHON_KINDS, loadKind].filter(({ name }) => settings.kind?.split(',').includes(name))
    expect(wanted.length, 'no such kind').toBeGreaterThan(0)
    const results = await Promise.all(wanted.map((kind) => runKind(kind, deadlineMs)))
    expect(results.flatMap((result) => result?.violations ?? [])).toEqual([])
  },
  settings.minutes * 60_000 + 10 * 60_000,
)

async function runKind(kind: ChaosKind, deadlineMs: number): Promise<ChaosResult | undefined> {
  const missing = kind.missing()
  if (missing !== undefined) {
    say({ kind: kind.name, missing })
    return undefined
  }
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'mt-')))
  try {
    const result = await kind.run({
      seed: settings.seed,
      deadlineMs,
      signal: new AbortController().signal,
      directory,
      point: settings.point,
      note: (line) => say({ kind: kind.name, note: line }),
    })
    say({ kind: kind.name, result })
    return result
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
}
