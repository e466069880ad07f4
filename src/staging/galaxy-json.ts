/** A file of `dynamic_file_sources` that the tool wrote, with its `contents`. */
export type RealizedFile = Readonly<Record<string, unknown>>

/** What a tool's galaxy.json says about the files it made. */
export interface GalaxyJson {
  /** Whether a file, relative to its directory, is named there or below a path that is. */
  refersTo(name: string): boolean
  /** Sources that cannot be read at all. */
  readonly failures: readonly string[]
  /** Contents that are no JSON; what they name is not found. */
  readonly warnings: readonly string[]
}

/** Where Python's str.splitlines ends a line. */
const LINE_ENDS = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/

/** More than any tool can mean; each costs some 60 bytes of memory, and "[" is one of them. */
const MAX_VALUES = 2_000_000

/** Reads the files that a tool describes its outputs in (pulsar/client/staging/down.py: __realized_dynamic_file_source_references). */
export function readGalaxyJson(files: readonly RealizedFile[]): GalaxyJson {
  const failures: string[] = []
  const warnings: string[] = []
  const names = new Set<string>()
  const prefixes = new Set<string>()
  for (const file of files) {
    const { contents } = file
    const title = typeof file.path === 'string' ? file.path : 'a dynamic file source'
    if ((file.type !== 'galaxy' && file.type !== 'legacy_galaxy') || typeof contents !== 'string') {
      failures.push(
        `${title} has a type that is not known; dynamic_file_sources have galaxy or legacy_galaxy`,
      )
      continue
    }
    if (countValues(contents) > MAX_VALUES) {
      failures.push(
        `${title} has more than ${MAX_VALUES} values and is not read: files that only it names are not found`,
      )
      continue
    }
    const texts =
      file.type === 'galaxy' ? [contents] : contents.split(LINE_ENDS).filter((line) => line !== '')
    const wrong = texts.filter((text) => !readText(text, names, prefixes))
    if (wrong.length > 0)
      warnings.push(`${title} is not valid JSON; files that only it names are not collected`)
  }
  const lengths = new Set([...prefixes].map((prefix) => prefix.length))
  return {
    refersTo: (name) =>
      names.has(name) ||
      [...lengths].some((length) => prefixes.has(name.slice(0, length)) && length <= name.length),
    failures,
    warnings,
  }
}

function readText(text: string, names: Set<string>, prefixes: Set<string>): boolean {
  const parsed = parsePythonJson(text)
  if (!parsed) return false
  // A stack of its own: nothing bounds how deeply a tool nests.
  const waiting: unknown[] = [parsed.value]
  for (let value = waiting.pop(); value !== undefined; value = waiting.pop()) {
    if (typeof value !== 'object' || value === null) continue
    if (!Array.isArray(value)) {
      const { filename, extra_files: extraFiles } = value as Record<string, unknown>
      if (typeof filename === 'string') names.add(filename)
      if (typeof extraFiles === 'string') prefixes.add(extraFiles)
    }
    for (const inner of Object.values(value)) waiting.push(inner)
  }
  return true
}

/** Not less than there are. */
function countValues(text: string): number {
  let count = 1
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x2c || code === 0x5b || code === 0x7b) count++
  }
  return count
}

/** Python's json.loads also takes NaN and Infinity, which its json.dumps writes. */
function parsePythonJson(text: string): { readonly value: unknown } | undefined {
  return parseJson(text) ?? parseJson(replaceConstants(text))
}

function replaceConstants(text: string): string {
  let replaced = ''
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at)
    const end = quote < 0 ? text.length : endOfString(text, quote)
    const before = text.slice(at, quote < 0 ? end : quote)
    replaced += before.replace(/-?Infinity|NaN/g, 'null') + (quote < 0 ? '' : text.slice(quote, end))
    at = end
  }
  return replaced
}

/** Position after the closing quote of the string that begins at `quote`. */
function endOfString(text: string, quote: number): number {
  let at = quote + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return undefined
  }
}
