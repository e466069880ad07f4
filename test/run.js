/**
 * npm test: installs and compiles what is missing, then lint, types and all tests. Arguments go to vitest: `npm test -- test/http`.
 * The last line is `N passed, N failed, N skipped`; lint and types count as one test each. With MAGNETAR_REQUIRE_PEERS=1
 * a skipped test below test/peers is a failure.
 */
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureBuilt } from '../bin/bootstrap.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const LIMIT_MINUTES = 14
const deadlineMs = Date.now() + LIMIT_MINUTES * 60_000
const requirePeers = process.env.MAGNETAR_REQUIRE_PEERS === '1'

// All that the tests write outside the checkout goes here, and is gone afterwards. Readable by all, as munge demands of
// every directory above its socket; the name is short because the paths of sockets are.
const temporary = mkdtempSync(join(tmpdir(), 'mt-'))
chmodSync(temporary, 0o755)
const tallyDirectory = mkdtempSync(join(tmpdir(), 'mt-tally-'))

process.exitCode = await main().finally(() => {
  for (const directory of [temporary, tallyDirectory]) {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
})

async function main() {
  const totals = { passed: 0, failed: 0, skipped: 0 }
  try {
    await ensureBuilt({ dev: true })
  } catch (error) {
    console.error(error.message)
    return close({ ...totals, failed: 1 })
  }
  for (const [title, script, args] of [
    ['lint', '@biomejs/biome/bin/biome', ['check', '.']],
    ['types', 'typescript/bin/tsc', ['-p', 'tsconfig.json']],
  ]) {
    totals[(await check(title, script, args)) ? 'passed' : 'failed'] += 1
  }
  const tally = await runVitest()
  totals.passed += tally.passed
  totals.failed += tally.failed
  for (const { file, reason, count } of groupSkipped(tally.skipped)) {
    const required = requirePeers && file.startsWith('test/peers/')
    totals[required ? 'failed' : 'skipped'] += count
    console.log(`${required ? 'FAILED: required, but skipped' : 'skipped'} ${count} in ${file}: ${reason}`)
  }
  const left = readdirSync(temporary)
  if (left.length > 0) console.log(`left in the temporary directory, now removed: ${left.join(' ')}`)
  return close(totals)
}

/** One entry for all tests of a file that were skipped for the same reason. */
function groupSkipped(tests) {
  const groups = new Map()
  for (const { file, reason } of tests) {
    const key = `${file} ${reason}`
    groups.set(key, { file, reason, count: (groups.get(key)?.count ?? 0) + 1 })
  }
  return [...groups.values()]
}

function close({ passed, failed, skipped }) {
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  return failed === 0 ? 0 : 1
}

/** One line when all is well; all that the tool says when not. */
async function check(title, script, args) {
  const startedMs = Date.now()
  const { code, output } = await run(script, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  console.log(`${code === 0 ? '✓' : '✗ FAILED'} ${title} ${((Date.now() - startedMs) / 1000).toFixed(1)} s`)
  if (code !== 0) console.log(output)
  return code === 0
}

async function runVitest() {
  const tallyFile = join(tallyDirectory, 'tally.json')
  const reporters = ['--reporter=default', '--reporter=./test/helpers/tally-reporter.ts']
  const { code } = await run('vitest/vitest.mjs', ['run', ...reporters, ...process.argv.slice(2)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...withoutAuthorities(process.env), TMPDIR: temporary, MAGNETAR_TALLY: tallyFile },
  })
  const tally = readTally(tallyFile)
  // It failed for a reason that belongs to no test: no test file found, a crash, the deadline.
  if (code !== 0 && tally.failed === 0) tally.failed = 1
  return tally
}

/** Tests that need them have them: helpers/npm-authorities.ts. */
function withoutAuthorities({ NODE_EXTRA_CA_CERTS: kept, ...env }) {
  return kept === undefined ? env : { ...env, MAGNETAR_TEST_AUTHORITIES: kept }
}

function readTally(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return { passed: 0, failed: 0, skipped: [] }
  }
}

/** Runs a tool from node_modules, until the deadline of the whole run. */
function run(script, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'node_modules', script), ...args], {
      cwd: root,
      ...options,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk) => {
        output += chunk
      })
    }
    const timer = setTimeout(() => {
      console.log(`The tests took more than ${LIMIT_MINUTES} minutes and were ended.`)
      child.kill('SIGKILL')
    }, deadlineMs - Date.now())
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code: code ?? 1, output })
    })
  })
}
