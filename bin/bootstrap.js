/**
 * Makes a fresh checkout ready to run: installs the packages (npm ci) and compiles src/ into dist/ when needed.
 * Plain JavaScript and Node's own modules only: nothing else is there yet. Progress goes to standard error.
 */
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, rename, rm, rmdir, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const scratch = join(root, '.build')
const lock = join(scratch, 'lock')
const installTimeoutMs = 10 * 60_000
const compileTimeoutMs = 5 * 60_000
/** A lock whose owner never wrote its name is taken over after this long. */
const namelessLockMs = 5_000
const unreachable =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/

/**
 * Installs and compiles what is missing or out of date; does nothing, in a few milliseconds, when all is there.
 * Safe to call from several processes at once: one works, the others wait for it.
 *
 * @param {{ dev: boolean }} options dev: the test tools must be there too, not only what running needs.
 * @returns {Promise<{ installed: boolean, compiled: boolean }>} what was done
 * @throws {Error} whose message is meant for a person: Node too old, registry out of reach, compile errors.
 */
export async function ensureBuilt({ dev }) {
  // An installed package has its dist and no sources: nothing can be out of date there.
  if (!(await exists(join(root, 'src')))) return { installed: false, compiled: false }
  await checkNodeVersion()
  if ((await isInstalled(dev)) && (await isCompiled())) return { installed: false, compiled: false }
  const release = await takeLock()
  try {
    // Compiling needs the compiler, which is one of the development packages.
    const compile = !(await isCompiled())
    const install = !(await isInstalled(dev || compile))
    if (install) await installPackages()
    const compileNow = compile || !(await isCompiled())
    if (compileNow) await compileSources()
    return { installed: install, compiled: compileNow }
  } finally {
    await release()
  }
}

async function checkNodeVersion() {
  const { engines } = await readJson(join(root, 'package.json'))
  const wanted = engines.node.replace(/^[^\d]*/, '')
  const [major, minor] = wanted.split('.').map(Number)
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number)
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return
  throw new Error(
    `Node.js ${process.versions.node} is too old: Magnetar needs ${wanted} or newer. Install it (https://nodejs.org) and run this again.`,
  )
}

/**
 * Whether node_modules holds what package-lock.json asks for. npm writes node_modules/.package-lock.json as the last act of an
 * install, so an install that was cut off does not count, and file times, which git changes at will, do not matter.
 */
async function isInstalled(dev) {
  try {
    const wanted = await readJson(join(root, 'package-lock.json'))
    const present = await readJson(join(root, 'node_modules', '.package-lock.json'))
    return Object.entries(wanted.packages).every(([path, entry]) => {
      const skippable = path === '' || entry.optional || ((entry.dev || entry.devOptional) && !dev)
      return skippable || present.packages[path]?.version === entry.version
    })
  } catch {
    return false
  }
}

/** Its time is that of the newest source when the compile began, so an edit made meanwhile is seen. */
function stampFile(directory) {
  return join(directory, '.compiled')
}

async function isCompiled() {
  const stamp = await stat(stampFile(join(root, 'dist'))).catch(() => undefined)
  return stamp !== undefined && (await newestInputMs()) <= stamp.mtimeMs
}

async function newestInputMs() {
  const inputs = ['src', 'templates', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']
  return Math.max(...(await Promise.all(inputs.map((name) => newestMtimeMs(join(root, name))))))
}

/** Directories count too: their time tells of files that were removed or renamed. */
async function newestMtimeMs(path) {
  const found = await stat(path).catch(() => undefined)
  if (!found) return 0
  if (!found.isDirectory()) return found.mtimeMs
  const names = await readdir(path)
  const times = await Promise.all(names.map((name) => newestMtimeMs(join(path, name))))
  return Math.max(found.mtimeMs, ...times)
}

async function installPackages() {
  // Under `npm start` and `npm test` npm says where it is; NODE_ENV=production must not leave the compiler out.
  const npm = process.env.npm_execpath
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  await step(
    'Installing packages',
    () => run(command, [...first, 'ci', '--include=dev'], installTimeoutMs),
    (output) => {
      const reason = unreachable.exec(output)?.[1]
      return reason
        ? `npm could not reach the package registry (${reason}). It is needed once, to install what Magnetar is built from. ` +
            'Check the network and the proxy settings ("npm config list"), then run this again.'
        : 'npm could not install the packages; its own words are above.'
    },
  )
}

/** Compiles beside dist and swaps at the end: a failed compile leaves the old dist, a removed source leaves no stale file. */
async function compileSources() {
  const newestMs = await newestInputMs()
  const next = join(scratch, 'dist')
  const old = join(scratch, 'old')
  await Promise.all([next, old].map((path) => rm(path, { recursive: true, force: true })))
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const programs = [
    [compiler, '-p', 'tsconfig.build.json', '--outDir', next],
    [join(root, 'bin', 'bundle.js'), next],
  ]
  await step(
    'Compiling',
    async () => {
      for (const args of programs) {
        const ran = await run(process.execPath, args, compileTimeoutMs)
        if (ran.code !== 0) return ran
      }
      return { code: 0, output: '' }
    },
    () => 'The sources do not compile; see above.',
  )
  await writeFile(stampFile(next), '')
  // A millisecond more: utimes takes seconds as a float and may round down.
  await utimes(stampFile(next), newestMs / 1000, (newestMs + 1) / 1000)
  if (await exists(join(root, 'dist'))) await rename(join(root, 'dist'), old)
  await rename(next, join(root, 'dist'))
}

/** Does something under a one-line message; its output is shown only when it fails. */
async function step(title, work, explain) {
  const startedMs = Date.now()
  process.stderr.write(`${title} ... `)
  const { code, output } = await work()
  if (code === 0) {
    process.stderr.write(`done in ${Math.max(1, Math.round((Date.now() - startedMs) / 1000))} s\n`)
    return
  }
  process.stderr.write(`failed\n${output.trimEnd()}\n\n`)
  throw new Error(explain(output))
}

function run(command, args, timeoutMs) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs })
    let output = ''
    const keep = (chunk) => {
      output = (output + chunk).slice(-64 * 1024)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', (error) => resolve({ code: 1, output: `${output}${command}: ${error.message}` }))
    child.once('close', (code, signal) => {
      const ended = signal
        ? `${output}\n${command} was ended by ${signal} (limit: ${timeoutMs / 60_000} minutes)`
        : output
      resolve({ code: code ?? 1, output: ended })
    })
  })
}

/** @returns how to release the lock. mkdir is atomic, so only one process holds it; one whose holder died is taken over. */
async function takeLock() {
  await mkdir(scratch, { recursive: true })
  const deadlineMs = Date.now() + installTimeoutMs + compileTimeoutMs
  for (let told = false; ; ) {
    try {
      await mkdir(lock)
      await writeFile(join(lock, 'pid'), String(process.pid))
      return releaseLock
    } catch (error) {
      // ENOENT: whoever held it has just removed the scratch directory.
      if (error.code === 'ENOENT') await mkdir(scratch, { recursive: true })
      else if (error.code !== 'EEXIST') throw error
    }
    if (await isStale()) {
      await rm(lock, { recursive: true, force: true })
      continue
    }
    if (Date.now() > deadlineMs)
      throw new Error(`Another install still holds ${lock}; end it, or remove that directory.`)
    if (!told) process.stderr.write('Waiting for another process that installs or compiles here ...\n')
    told = true
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** The lock goes last but one, and the scratch directory only if nobody has taken the lock anew. */
async function releaseLock() {
  await Promise.all(['dist', 'old'].map((name) => rm(join(scratch, name), { recursive: true, force: true })))
  await rm(lock, { recursive: true, force: true })
  await rmdir(scratch).catch(() => {})
}

async function isStale() {
  const pid = Number(await readFile(join(lock, 'pid'), 'utf8').catch(() => ''))
  if (!pid) {
    const made = await stat(lock).catch(() => undefined)
    return made !== undefined && Date.now() - made.mtimeMs > namelessLockMs
  }
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

async function readJson(path) {
  return JSON.parse(await readFile(path, 'utf8'))
}

function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  )
}
