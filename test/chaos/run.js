/**
 * npm run test:chaos -- --minutes N [--seed S] [--kind NAME] [--point POINT]: everything that can go wrong, for so long. Prints the
 * seed, what was counted, and of each broken promise the very point and how to run it alone. Exit code 1 when one was broken.
 */
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ensureBuilt } from '../../bin/bootstrap.js'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    kind: { type: 'string' },
    point: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Date.now() % 1_000_000)
const minutes = Number(values.minutes)
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error('Usage: npm run test:chaos -- --minutes N [--seed S] [--kind NAME] [--point POINT]')
  process.exit(2)
}
await ensureBuilt({ dev: true })
const directory = mkdtempSync(join(tmpdir(), 'mt-chaos-'))
// munge wants to be able to enter every directory above its socket.
chmodSync(directory, 0o755)
const report = join(directory, 'report')
writeFileSync(report, '')
console.log(`seed ${seed}, ${minutes} minutes`)

const { kind, point } = values
const child = spawn(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--config',
    'test/chaos/vitest.config.ts',
    '--reporter=dot',
  ],
  {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      TMPDIR: directory,
      MAGNETAR_CHAOS: JSON.stringify({ minutes, seed, kind, point, report }),
    },
  },
)
let output = ''
for (const stream of [child.stdout, child.stderr]) {
  stream.setEncoding('utf8').on('data', (text) => {
    output += text
  })
}
let printed = 0
const timer = setInterval(print, 500)
child.once('close', (code) => {
  clearInterval(timer)
  const broken = print()
  if (code !== 0 && broken === 0) console.log(output)
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  process.exitCode = code === 0 ? 0 : 1
})

/** What was reported since the last time; returns how many promises were broken in all. */
function print() {
  const lines = readFileSync(report, 'utf8').split('\n').slice(0, -1)
  for (const line of lines.slice(printed)) show(JSON.parse(line))
  printed = lines.length
  return lines.reduce((sum, line) => sum + (JSON.parse(line).result?.violations.length ?? 0), 0)
}

function show({ kind: name, note, missing, result }) {
  if (note) console.log(`${name}: ${note}`)
  if (missing) console.log(`${name}: skipped: ${missing}`)
  if (!result) return
  const { faults, kills, restarts, jobs } = result.counts
  console.log(
    `${name}: ${faults} faults, ${kills} kills, ${restarts} restarts, ${jobs} jobs, ${result.violations.length} violations`,
  )
  for (const [what, count] of Object.entries(result.tallies).sort()) console.log(`  ${what}: ${count}`)
  for (const violation of result.violations) {
    console.log(`  BROKEN at ${violation.point}: ${violation.what}`)
    console.log(
      `    npm run test:chaos -- --minutes 2 --seed ${seed} --kind ${name} --point ${violation.point}`,
    )
  }
}
