import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import { findLoaded, type PackageManifest, placePackages } from './closure.js'
import { isThere } from './present.js'

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
  const wholes = await Promise.all(WHOLE.map((name) => listTree(join(root, name), name, () => true)))
  const placed = await placePackages(root, packages)
  const modules = await Promise.all(
    placed.map(async ({ directory, place }) => {
      const native = await isThere(join(directory, 'binding.gyp'))
      return listTree(directory, place, (path) => isNeeded(path, native))
    }),
  )
  const own = [...files, ...SINGLE].map((path) => ({ path, source: join(root, path) }))
  const all = new Map([...own, ...wholes.flat(), ...modules.flat()].map((file) => [file.path, file]))
  const found = await Promise.all(
    [...all.values()].map(async (file) => {
      const mode = await stat(file.source).then(
        ({ mode }) => mode,
        () => undefined,
      )
      return mode === undefined ? [] : [{ ...file, executable: (mode & 0o100) !== 0 }]
    }),
  )
  return found.flat().sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Whether a file of a package is for running it here: no other platform's binaries, sources of native code, types, tests, pages. */
function isNeeded(path: string, native: boolean): boolean {
  const [first = '', second = ''] = path.split('/')
  if (first === 'prebuilds' && second !== '') return isForThisPlatform(second)
  if (native && ['deps', 'src'].includes(first)) return false
  if (/^(test|tests|__tests__|benchmarks?|examples?|docs|\.github)$/.test(first)) return false
  return (
    !/(\.d\.[cm]?ts|\.[cm]?ts|\.map|\.cc?|\.h|\.gypi?|\.md|\.markdown)$/.test(path) ||
    /(^|\/)licen[cs]e/i.test(path)
  )
}

/** `linux-x64`, `darwin-x64+arm64`: as node-gyp-build names the directories of prebuilt code. */
function isForThisPlatform(name: string): boolean {
  const [platform, archs = ''] = name.split('-')
  return platform === process.platform && archs.split('+').includes(process.arch)
}

async function listTree(
  directory: string,
  place: string,
  wanted: (path: string) => boolean,
): Promise<Pick<ReleaseFile, 'path' | 'source'>[]> {
  const walk = async (below: string): Promise<Pick<ReleaseFile, 'path' | 'source'>[]> => {
    const entries = await readdir(join(directory, below), { withFileTypes: true }).catch(() => [])
    const found = await Promise.all(
      entries.map((entry) => {
        const path = below === '' ? entry.name : `${below}/${entry.name}`
        if (entry.name === 'node_modules' || !wanted(path)) return []
        if (entry.isDirectory()) return walk(path)
        return entry.isFile() ? [{ path: `${place}/${path}`, source: join(directory, path) }] : []
      }),
    )
    return found.flat()
  }
  return walk('')
}

/** sha256 (hex) over names, contents and who may execute. */
export async function digestFiles(files: readonly ReleaseFile[]): Promise<string> {
  const hash = createHash('sha256')
  for (const { path, source, executable } of files) {
    const content = await readFile(source)
    hash.update(`${JSON.stringify([path, executable, content.length])}\n`).update(content)
  }
  return hash.digest('hex')
}

/** The files of a release that is on the disk, whatever they are: for its digest. */
export async function listInstalledFiles(directory: string): Promise<ReleaseFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((source) => ({ path: source.slice(directory.length + 1), source }))
    .filter(({ path }) => path !== RELEASE_FILE && path !== NODE_LINK)
  const found = await Promise.all(
    files.map(async (file) => ({ ...file, executable: ((await stat(file.source)).mode & 0o100) !== 0 })),
  )
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
  const makeDirectory = async (directory: string): Promise<void> => {
    if (made.has(directory)) return
    if (directory !== target) await makeDirectory(dirname(directory))
    await mkdir(directory)
    await chmod(directory, 0o755)
    made.add(directory)
  }
  await makeDirectory(target)
  for (const [index, { path, source, executable }] of files.entries()) {
    signal.throwIfAborted()
    const copy = join(target, path)
    await makeDirectory(dirname(copy))
    await copyFile(source, copy)
    await chmod(copy, executable ? 0o755 : 0o644)
    if (index % 50 === 49) progress(`${index + 1} of ${files.length} files`)
  }
  if ((await digestFiles(await listInstalledFiles(target))) !== about.digest) {
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
