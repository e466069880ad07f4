import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  type Dirent,
  existsSync,
  fchmodSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import { timeSlices } from '../../lib/time-slices.js'
import { findLoaded, type PackageManifest, placePackages } from './closure.js'

export interface ReleaseFile {
  /** Relative to the release, with slashes. */
  readonly path: string
  readonly source: string
  readonly executable: boolean
}

/** Says what a release holds, and that it is complete: written last. */
export const RELEASE_FILE = 'release.json'
/** The link to the runtime that runs the release. */
export const NODE_LINK = 'node'

/** What bin offers; each is bin/NAME.js of the release. */
export const COMMANDS = ['magnetar', 'pulsar', 'pulsar-main', 'pulsar-serve', 'pulsar-config']

const WHOLE = ['templates', 'docs']
const SINGLE = ['package.json', 'CHANGELOG.md', 'README.md', 'LICENSE']

/**
 * All files of the release that the package at `root` makes, sorted by path. The same for a checkout and for a release of it.
 * @throws RELEASE_UNKNOWN when it is not compiled, or a package is missing
 */
export async function listReleaseFiles(root: string, manifest: PackageManifest): Promise<ReleaseFile[]> {
  const { files, packages } = await findLoaded(
    root,
    [...Object.values(manifest.bin), ...COMMANDS.map((name) => `bin/${name}.js`)],
    Object.keys(manifest.dependencies),
  )
  if (!files.some((path) => path.startsWith('dist/'))) {
    throw new MagnetarError(
      'RELEASE_UNKNOWN',
      `${root} is not compiled: it has no dist that its commands could load`,
      {
        fix: `Run "npm ci && npm run build" in ${root} and repeat the command.`,
      },
    )
  }
  const breathe = timeSlices()
  const wholes = WHOLE.map((name) => listTree(join(root, name), name, () => true))
  const modules: Found[][] = []
  for (const { directory, place, forBrowsers } of await placePackages(root, packages)) {
    await breathe()
    const native = existsSync(join(directory, 'binding.gyp'))
    modules.push(listTree(directory, place, (path) => isNeeded(path, native) && path !== forBrowsers))
  }
  const own = [...files, ...SINGLE].map((path) => ({ path, source: join(root, path) }))
  const all = new Map([...own, ...wholes.flat(), ...modules.flat()].map((file) => [file.path, file]))
  const found: ReleaseFile[] = []
  for (const file of all.values()) {
    await breathe()
    const mode = modeOf(file.source)
    if (mode !== undefined) found.push({ ...file, executable: (mode & 0o100) !== 0 })
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

function modeOf(file: string): number | undefined {
  try {
    return statSync(file).mode
  } catch {
    return undefined
  }
}

/** Whether a file of a package is for running it here: no other platform's binaries, sources of native code, types, tests, pages. */
function isNeeded(path: string, native: boolean): boolean {
  const [first = '', second = ''] = path.split('/')
  if (first === 'prebuilds' && second !== '') return isForThisPlatform(second)
  if (native && ['deps', 'src'].includes(first)) return false
  if (/^(test|tests|__tests__|benchmarks?|examples?|docs|\.github)$/.test(first)) return false
  return (
    (!/(\.d\.[cm]?ts|\.[cm]?ts|\.map|\.test\.[cm]?js|\.md|\.markdown)$/.test(path) &&
      !/\.(cc?|hh?|inc|S|asm|def|gypi?)$/.test(path)) ||
    /(^|\/)licen[cs]e/i.test(path)
  )
}

/** `linux-x64`, `darwin-x64+arm64`: as node-gyp-build names the directories of prebuilt code. */
function isForThisPlatform(name: string): boolean {
  const [platform, archs = ''] = name.split('-')
  return platform === process.platform && archs.split('+').includes(process.arch)
}

type Found = Pick<ReleaseFile, 'path' | 'source'>

function listTree(directory: string, place: string, wanted: (path: string) => boolean): Found[] {
  const walk = (below: string): Found[] =>
    entriesOf(join(directory, below)).flatMap((entry) => {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.name === 'node_modules' || !wanted(path)) return []
      if (entry.isDirectory()) return walk(path)
      return entry.isFile() ? [{ path: `${place}/${path}`, source: join(directory, path) }] : []
    })
  return walk('')
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch {
    return []
  }
}

/** sha256 (hex) over names, contents and who may execute. */
export async function digestFiles(files: readonly ReleaseFile[]): Promise<string> {
  const breathe = timeSlices()
  const digest = releaseDigest()
  for (const file of files) {
    await breathe()
    digest.add(file, readFileSync(file.source))
  }
  return digest.end()
}

interface ReleaseDigest {
  add(file: Pick<ReleaseFile, 'path' | 'executable'>, content: Buffer): void
  end(): string
}

function releaseDigest(): ReleaseDigest {
  const hash = createHash('sha256')
  return {
    add({ path, executable }, content) {
      hash.update(`${JSON.stringify([path, executable, content.length])}\n`).update(content)
    },
    end: () => hash.digest('hex'),
  }
}

/** The files of a release that is on the disk, whatever they are: for its digest. */
export async function listInstalledFiles(directory: string): Promise<ReleaseFile[]> {
  const breathe = timeSlices()
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((source) => ({ path: source.slice(directory.length + 1), source }))
    .filter(({ path }) => path !== RELEASE_FILE && path !== NODE_LINK)
  const found: ReleaseFile[] = []
  for (const file of files) {
    await breathe()
    found.push({ ...file, executable: (statSync(file.source).mode & 0o100) !== 0 })
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

/**
 * Copies a release to `target`, which does not exist: readable for all, whatever the umask.
 * @throws system errors (ENOSPC); SETUP_FAILED when the files are no longer those of `about.digest`; the signal's reason
 */
export async function copyRelease(
  files: readonly ReleaseFile[],
  about: { readonly version: string; readonly digest: string },
  target: string,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const made = new Set<string>()
  const makeDirectory = (directory: string): void => {
    if (made.has(directory)) return
    if (directory !== target) makeDirectory(dirname(directory))
    mkdirSync(directory)
    chmodSync(directory, 0o755)
    made.add(directory)
  }
  makeDirectory(target)
  const breathe = timeSlices(signal)
  const written = releaseDigest()
  for (const [index, file] of files.entries()) {
    await breathe()
    signal.throwIfAborted()
    const copy = join(target, file.path)
    makeDirectory(dirname(copy))
    // What is digested is what is written, so that nothing has to be read again.
    const content = readFileSync(file.source)
    written.add(file, content)
    writeNew(copy, content, file.executable ? 0o755 : 0o644)
    if (index % 50 === 49) progress(`${index + 1} of ${files.length} files`)
  }
  if (written.end() !== about.digest) {
    throw new MagnetarError(
      'SETUP_FAILED',
      `the package changed while release ${about.version} was made of it`,
      {
        fix: 'Wait until nothing compiles or installs there, then repeat the command.',
      },
    )
  }
  const text = `${JSON.stringify({ ...about, installed: new Date().toISOString() }, null, 2)}\n`
  await writeFile(join(target, RELEASE_FILE), text, { mode: 0o644 })
  await chmod(join(target, RELEASE_FILE), 0o644)
}

/** Whatever the umask. */
function writeNew(file: string, content: Buffer, mode: number): void {
  const fd = openSync(file, 'wx', mode)
  try {
    writeFileSync(fd, content)
    fchmodSync(fd, mode)
  } finally {
    closeSync(fd)
  }
}
