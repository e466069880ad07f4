import { createSharedWork } from '../shared-work.js'

/** A module as `avail` lists it. */
export interface ModuleName {
  readonly name: string
  readonly version: string | undefined
}

export interface ModuleList {
  /** Whether there is this module; without a version: any of the name. */
  has(name: string, version: string | undefined, signal: AbortSignal): Promise<boolean>
}

/** A module that somebody has just installed is found after this time at the latest. */
const FRESH_MS = 10_000
/** A command that hangs costs a minute: the next jobs get the same answer at once. */
const FAILED_MS = 30_000

/**
 * What a module command lists, asked once for all jobs that want to know at the same time. What was found before is not asked for again
 * when the list is kept; what was not found is, every 10 s at most.
 */
export function createModuleList(
  ask: (signal: AbortSignal) => Promise<readonly ModuleName[]>,
  options: { readonly keep: boolean },
): ModuleList {
  let kept: readonly ModuleName[] = []
  let askedAtMs = Number.NEGATIVE_INFINITY
  let failure: { readonly error: unknown; readonly untilMs: number } | undefined
  const asking = createSharedWork(async (signal) => {
    try {
      kept = await ask(signal)
    } catch (error) {
      if (!signal.aborted) failure = { error, untilMs: Date.now() + FAILED_MS }
      throw error
    }
    askedAtMs = Date.now()
    return kept
  })
  return {
    async has(name, version, signal) {
      const isIt = (each: ModuleName): boolean =>
        each.name === name && (version === undefined || each.version === version)
      if (options.keep && (kept.some(isIt) || Date.now() - askedAtMs < FRESH_MS)) return kept.some(isIt)
      if (failure && Date.now() < failure.untilMs) throw failure.error
      return (await asking.get(signal)).some(isIt)
    },
  }
}

/** "name/version": what stands before the last slash is the name. */
export function splitModule(word: string): ModuleName {
  const slash = word.lastIndexOf('/')
  return slash < 0
    ? { name: word, version: undefined }
    : { name: word.slice(0, slash), version: word.slice(slash + 1) }
}

/**
 * The words of `modulecmd sh avail` (resolvers/modules.py: AvailModuleChecker): headings are lines of dashes. A module `a/b/1.0` is also an
 * `a` of unknown version, as there.
 */
export function parseAvail(output: string, defaultIndicator: string): ModuleName[] {
  const words = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('-'))
    .flatMap((line) => line.split(/\s+/))
  return words.flatMap((word) => {
    const bare =
      defaultIndicator !== '' && word.endsWith(defaultIndicator)
        ? word.slice(0, -defaultIndicator.length)
        : word
    const [first = ''] = bare.split('/')
    const deep = bare.split('/').length > 2 ? [{ name: first, version: undefined }] : []
    return [splitModule(bare), ...deep]
  })
}

/** The lines of `lmod -t avail` (resolvers/lmod.py): paths and the names of directories are left out. */
export function parseTerseAvail(output: string): ModuleName[] {
  return output
    .split('\n')
    .map((line) => line.trim().replace(/\((default|D|L)\)$/, ''))
    .filter((line) => line !== '' && !line.startsWith('/') && !line.endsWith('/'))
    .map(splitModule)
}
