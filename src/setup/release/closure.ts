/** What of a package its launchers load at run time: found by reading, so that a release is small and still complete. */
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'

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
/** `require("x")`, `createRequire(…)("x")`, `import("x")`, `import "x"`, `from "x"`. */
const BARE = /(?:\(|\bfrom\s*|\bimport\s*)\s*(["'])((?:@[^/"'\s]+\/)?[^./"'\s@][^/"'\s]*)(?:\/[^"'\s]*)?\1/g

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
  const visit = async (file: string): Promise<void> => {
    const name = relative(root, file).split(sep).join('/')
    if (files.has(name) || name.startsWith('../') || name.startsWith('node_modules/')) return
    if (!(await isFile(file))) return
    files.add(name)
    if (!/\.[cm]?js$/.test(name)) return
    const text = await readFile(file, 'utf8')
    for (const [, , specifier = ''] of text.matchAll(BARE)) {
      if (dependencies.includes(specifier)) packages.add(specifier)
    }
    for (const [, , path = ''] of text.matchAll(RELATIVE)) await visit(resolve(dirname(file), path))
  }
  for (const entry of entries) await visit(resolve(root, entry))
  return { files: [...files].sort(), packages: [...packages].sort() }
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

export interface PlacedPackage {
  readonly directory: string
  /** Where it goes, relative to the release: "node_modules/yaml". */
  readonly place: string
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
    const directory = await findPackage(name, from)
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
    placed.push({ directory, place })
    const wanted = parseObject(await readFile(join(directory, 'package.json'), 'utf8'))
    // npm writes an optional one into both.
    const optionals = texts(wanted.optionalDependencies)
    for (const dependency of Object.keys({ ...texts(wanted.dependencies), ...optionals }).sort()) {
      waiting.push({ name: dependency, from: directory, within: place, optional: dependency in optionals })
    }
  }
  return placed
}

async function findPackage(name: string, from: string): Promise<string | undefined> {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name)
    if (await isFile(join(candidate, 'package.json'))) return candidate
    if (directory === dirname(directory)) return undefined
  }
}
