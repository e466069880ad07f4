import { spawn } from 'node:child_process'
import { once } from 'node:events'
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

const COMMAND = [
  'node_modules/vitest/vitest.mjs',
  'run',
  '--config',
  'test/chaos/vitest.config.ts',
  '--reporter=dot',
]

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
    const [only] = wanted
    if (only && wanted.length === 1) {
      const result = await runKind(only, deadlineMs)
      expect(result?.violations ?? []).toEqual([])
      return
    }
    const failed = await Promise.all(wanted.map(({ name }) => runApart(name)))
    expect(failed.filter((output) => output !== '').join('\n')).toBe('')
  },
  settings.minutes * 60_000 + 10 * 60_000,
)

/**
 * In a process of its own: the Galaxies, proxies and clients of one kind would have to wait while another scans all processes or swaps
 * files, and a Galaxy whose thread takes one connection in half a second never gets to the end of those that were given up.
 * @returns what it wrote, when it failed
 */
async function runApart(kind: string): Promise<string> {
  const child = spawn(process.execPath, COMMAND, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, MAGNETAR_CHAOS: JSON.stringify({ ...settings, kind }) },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-20_000)
    })
  const [code] = await once(child, 'close')
  return code === 0 ? '' : `${kind}:\n${output}`
}

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
