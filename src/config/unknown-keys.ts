import { findNearest } from './nearest.js'
import { findOption } from './option.js'
import { appOptions, managerOptions } from './options/index.js'
import type { Problems } from './problems.js'
import type { Entries } from './section.js'

// Keys that PasteDeploy and its tools read from the same section of server.ini.
const PASTE_KEY = /^(paste\.|use$|filter-with$|set |here$|__file__$|app_config$)/

/** Warns about keys at the top of app.yml (or of its other sources) that nobody reads. */
export function warnUnknownAppKeys(unknown: readonly string[], entries: Entries, problems: Problems): void {
  const misplaced: string[] = []
  for (const key of unknown) {
    if (PASTE_KEY.test(key)) continue
    if (findOption(managerOptions, key)) misplaced.push(key)
    else warnUnknown(key, key, plainNames(appOptions), entries, problems)
  }
  const first = misplaced[0]
  if (first === undefined) return
  const [works, it] =
    misplaced.length === 1
      ? ['only works inside a manager and has', 'it']
      : ['only work inside a manager and have', 'them']
  problems.warn(
    entries.get(first)?.place,
    `${misplaced.join(', ')} ${works} no effect here: move ${it} below managers: NAME: (or manager:)`,
  )
}

/** The same for one manager; `prefix` is `managers.NAME.`. */
export function warnUnknownManagerKeys(
  unknown: readonly string[],
  entries: Entries,
  prefix: string,
  problems: Problems,
): void {
  for (const key of unknown) {
    if (findOption(appOptions, key)) {
      problems.warn(
        entries.get(key)?.place,
        `${prefix}${key} has no effect inside a manager: move it to the top of app.yml`,
      )
    } else {
      warnUnknown(key, `${prefix}${key}`, plainNames(managerOptions), entries, problems)
    }
  }
}

function warnUnknown(
  key: string,
  name: string,
  candidates: string[],
  entries: Entries,
  problems: Problems,
): void {
  const nearest = findNearest(key, candidates)
  const hint = nearest === undefined ? 'it has no effect' : `it has no effect. Is ${nearest} meant?`
  problems.warn(entries.get(key)?.place, `unknown option ${name}: ${hint}`)
}

function plainNames(table: object): string[] {
  return Object.keys(table).filter((name) => !name.endsWith('*'))
}
