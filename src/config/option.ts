import type { Feature } from './features.js'
import type { OptionType } from './option-types.js'

/**
 * An option, declared once: validation, default, the look-up of unknown keys and docs/options.md come from these records.
 * The key is the name in the file; a name that ends in `*` stands for all keys with that beginning. Any option of app.yml
 * can also be given as `PULSAR_CONFIG_<NAME>` and under `[app:main]` of server.ini.
 */
export interface Option<T = unknown, D = unknown> {
  readonly type: OptionType<T>
  readonly default: D
  /** Default in words, where it is computed or `default` does not speak for itself. */
  readonly defaultText?: string
  readonly description: string
  /** The value never appears in a message. */
  readonly secret?: true
  /** Accepted without effect, because …; */
  readonly ignored?: string
  /** Accepted without effect for now: the part of Pulsar it belongs to. */
  readonly notYet?: Feature
  /** With notYet: setting this one changes nothing by itself, so nobody is told. */
  readonly quiet?: true
  /** Magnetar's own: the Python Pulsar does not know it, and ignores it. */
  readonly own?: true
  /** What is not as in the Python Pulsar 0.16.0; a sentence for docs/compatibility.md. */
  readonly differs?: string
}

export type OptionTable = Readonly<Record<string, Option>>

/** The value that reading an option gives. */
export type OptionValue<O> = O extends { readonly type: OptionType<infer T>; readonly default: infer D }
  ? T | D
  : never

/** The record for a key: its own, or that of the family (`env_*`) it belongs to. */
export function findOption(table: OptionTable, key: string): Option | undefined {
  if (Object.hasOwn(table, key)) return table[key]
  // managers/base/__init__.py takes ENV_X for env_X, util/condor SUBMIT_X for submit_x; the other families are read in lower case only.
  const beginning = /^(env|submit)_/i.test(key) ? key.toLowerCase() : key
  const family = Object.keys(table).find(
    (name) => name.endsWith('*') && beginning.startsWith(name.slice(0, -1)),
  )
  return family === undefined ? undefined : table[family]
}

/** Shorthand for the options of a part that this release does not have. */
export function later(
  type: OptionType<unknown>,
  notYet: Feature,
  description: string,
  more: LaterDetails = {},
) {
  return { type, default: undefined, description, notYet, ...more } satisfies Option
}

type LaterDetails = Pick<Option, 'defaultText' | 'secret' | 'quiet'>
