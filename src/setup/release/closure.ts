/** What of a package its launchers load at run time: found by reading, so that a release is small and still complete. */
import { readFileSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import { timeSlices } from '../../lib/time-slices.js'

export interface PackageManifest {
  readonly name: string
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
}

/**
 * package.json at `root`.
 * @throws RELEASE_UNKNOWN when there is none, or it is another program's
 */
export async function readPackageManifest(root: string): Promise<PackageManifest> {
  const text = await readFile(join(root, 'package.json'), 'utf8').catch(() => '{}')
  const found = parseObject(text)
  if (found.name !== 'magnetar' || typeof found.version !== 'string') {
    throw new MagnetarError('RELEASE_UNKNOWN', `${root} is no Magnetar: it has no package.json of one`, {
      fix: 'Name the directory of a checkout, of an unpacked package, or PREFIX/lib/releases/VERSION.',
    })
  }
  return {
    name: found.name,
    version: found.version,
    bin: texts(found.bin),
    dependencies: texts(found.dependencies),
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

function texts(value: unknown): Readonly<Record<string, string>> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

/** Any text in quotes that is a relative path: an import, or a file that is found beside the module (`new URL('./worker.js', …)`). */
const RELATIVE = /(["'`])(\.{1,2}\/[^"'`\n]+)\1/g
/** `require("x")` and the names that bundling gives it (`require$1`), `createRequire(…)("x")`, `import("x")`, `import "x"`, `from "x"`. */
const BARE =
  /(?:(?:require[\w$]*|\bimport|\))\s*\(|\bfrom\s*|\bimport\s*)\s*(["'])((?:@[^/"'\s]+\/)?[^./"'\s@][^/"'\s]*)(?:\/[^"'\s]*)?\1/g

export interface Loaded {
  /** Files below the root, with slashes, sorted. */
  readonly files: readonly string[]
  /** Packages that these files ask for by name, sorted. */
  readonly packages: readonly string[]
}

/** The scripts that `entries` (relative to `root`) load, one from another, themselves included. Only files of `root` itself. */
export async function findLoaded(
  root: string,
  entries: readonly string[],
  dependencies: readonly string[],
): Promise<Loaded> {
  const files = new Set<string>()
  const packages = new Set<string>()
  const breathe = timeSlices()
  const visit = async (file: string): Promise<void> => {
    const name = relative(root, file).split(sep).join('/')
    if (files.has(name) || name.startsWith('../') || name.startsWith('node_modules/')) return
    await breathe()
    if (!isFile(file)) return
    files.add(name)
    if (!/\.[cm]?js$/.test(name)) return
    const text = readFileSync(file, 'utf8')
    for (const [, , specifier = ''] of text.matchAll(BARE)) {
      if (dependencies.includes(specifier)) packages.add(specifier)
    }
    for (const [, , path = ''] of text.matchAll(RELATIVE)) await visit(resolve(dirname(file), path))
  }
  for (const entry of entries) await visit(resolve(root, entry))
  return { files: [...files].sort(), packages: [...packages].sort() }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

export interface PlacedPackage {
  readonly directory: string
  /** Where it goes, relative to the release: "node_modules/yaml". */
  readonly place: string
  /** The directory of its build for browsers, "browser"; undefined: it has none of its own. */
  readonly forBrowsers: string | undefined
}

/**
 * `names` and all that they depend on, found from `root` upwards as Node does. Each gets a place at the top, or, where another
 * version of it has that, within the package that needs it.
 * @throws RELEASE_UNKNOWN when one is not installed
 */
export async function placePackages(root: string, names: readonly string[]): Promise<PlacedPackage[]> {
  const top = new Map<string, string>()
  const placed: PlacedPackage[] = []
  const waiting = names.map((name) => ({ name, from: root, within: '', optional: false }))
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { name, from, within, optional } = next
    const directory = findPackage(name, from)
    if (directory === undefined) {
      if (optional) continue
      throw new MagnetarError(
        'RELEASE_UNKNOWN',
        `${root} is incomplete: the package ${name} is not installed there`,
        {
          fix: `Run "npm install --omit=dev" in ${root} and repeat the command.`,
        },
      )
    }
    if (top.get(name) === directory) continue
    const place = top.has(name) ? `${within}/node_modules/${name}` : `node_modules/${name}`
    if (!top.has(name)) top.set(name, directory)
    else if (placed.some((other) => other.place === place)) continue
    const wanted = parseObject(readFileSync(join(directory, 'package.json'), 'utf8'))
    placed.push({ directory, place, forBrowsers: browsersDirectory(wanted) })
    // npm writes an optional one into both.
    const optionals = texts(wanted.optionalDependencies)
    for (const dependency of Object.keys({ ...texts(wanted.dependencies), ...optionals }).sort()) {
      waiting.push({ name: dependency, from: directory, within: place, optional: dependency in optionals })
    }
  }
  return placed
}

function findPackage(name: string, from: string): string | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name)
    if (isFile(join(candidate, 'package.json'))) return candidate
    if (directory === dirname(directory)) return undefined
  }
}

/** The directory that package.json sends browsers to, and nobody else: what Node loads is replaced there by files of `browser/`. */
function browsersDirectory({ main, browser, exports }: Record<string, unknown>): string | undefined {
  const replaced = Object.entries(texts(browser))
  const isIn = (file: string): boolean => /^(\.\/)?browser\//.test(file)
  const own = replaced.length > 0 && replaced.every(([from, to]) => !isIn(from) && isIn(to))
  // Without exports, anybody may load any file of it.
  return own && exports !== undefined && !isIn(String(main)) && !loadsFrom(exports, isIn)
    ? 'browser'
    : undefined
}

/** Whether Node, which takes the first condition that holds, is led to such a file by a package's `exports`. */
function loadsFrom(exports: unknown, isIn: (file: string) => boolean): boolean {
  if (typeof exports === 'string') return isIn(exports)
  if (Array.isArray(exports)) return exports.some((one) => loadsFrom(one, isIn))
  if (typeof exports !== 'object' || exports === null) return false
  const entries = Object.entries(exports)
  const node = entries.findIndex(([condition]) => condition === 'node' || condition === 'default')
  return entries
    .slice(0, node === -1 ? entries.length : node + 1)
    .some(([condition, to]) => !/^(browser|types)$/.test(condition) && loadsFrom(to, isIn))
}
