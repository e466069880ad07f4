// zod/v3 is zod 4's classic interface of one object per type; it loads in 12 ms where `zod` takes 70 to 150 (its locales and
// compiler), and this is on the way to the server's first answer: docs/decisions/0007-config-parsers.md.
import { z } from 'zod/v3'

export interface OptionType<T> {
  /** Completes "expected …". */
  readonly expected: string
  /** Built when an option of the type is first read. */
  readonly schema: () => z.ZodType<T, z.ZodTypeDef, unknown>
  /**
   * What the schema gets: `text` the characters in the file, so that an unquoted 12345 or yes stays what it looks like;
   * `value` what YAML makes of them (always text from ini files and variables).
   */
  readonly input: 'text' | 'value'
  /** A null counts as "not set". Not for options whose null stops the real server too: there it is a template's mistake. */
  readonly nullable?: boolean
  /** What is odd about a value that is accepted all the same; follows the name of the option. The value is what the schema gets. */
  readonly hint?: (value: unknown) => string | undefined
}

export const text: OptionType<string> = {
  expected: 'text',
  schema: () => z.string(),
  input: 'text',
  nullable: true,
}

export const hosts: OptionType<string> = {
  ...text,
  expected: 'hosts separated by commas, in one text: "galaxy.example.org, *.example.org"',
}

/** A path that has to be something when it is set at all. */
export const requiredPath: OptionType<string> = {
  expected: 'a path',
  schema: () => z.string().min(1),
  input: 'text',
}

/** Empty is as good as not set, as an empty value in an ini file. */
export const path: OptionType<string> = { ...requiredPath, schema: () => z.string(), nullable: true }

const FALSE_WORDS = new Set(['', 'false', 'no', 'off', 'n', 'f', '0'])

/**
 * What bool() is in Python, except that a word for false is false: there "false" in an ini file, a variable or quotes is true, and nothing
 * written there could switch the option off.
 */
export const flag: OptionType<boolean> = {
  expected: 'true or false',
  schema: () =>
    z
      .union([z.boolean(), z.number(), z.string()])
      .transform((value) =>
        typeof value === 'string' ? !FALSE_WORDS.has(value.trim().toLowerCase()) : Boolean(value),
      ),
  input: 'value',
  nullable: true,
  hint(value) {
    if (typeof value === 'boolean' || isWord(value, 'true')) return undefined
    if (isWord(value, 'false'))
      return 'is the text "false", which is true to the Python Pulsar; here it is false'
    if (value === '' || value === 0) return undefined
    const counts = typeof value === 'string' && FALSE_WORDS.has(value.trim().toLowerCase()) ? 'false' : 'true'
    return `is ${JSON.stringify(value)}, which counts as ${counts}: write true or false`
  },
}

/** True only as true, in any case (managers/base/__init__.py compares the text): other words have never had an effect. */
export const strictFlag: OptionType<boolean> = {
  ...flag,
  schema: () =>
    z
      .union([z.boolean(), z.number(), z.string()])
      .transform((value) => value === true || isWord(value, 'true')),
  hint(value) {
    if (typeof value === 'boolean' || isWord(value, 'true') || isWord(value, 'false') || value === '')
      return undefined
    return `is ${JSON.stringify(value)}, which counts as false, as in the Python Pulsar: write true or false`
  },
}

function isWord(value: unknown, word: string): boolean {
  return typeof value === 'string' && value.toLowerCase() === word
}

/** A whole number, also as text ("5"). */
export function wholeNumber(minimum: number, expected: string): OptionType<number> {
  return {
    expected,
    schema: () => z.preprocess(numberFromText(/^[-+]?\d+$/), z.number().int().safe().min(minimum)),
    input: 'value',
    nullable: true,
  }
}

/** What Python's int() takes: a fraction is cut off, true is 1. */
function pythonInteger(minimum: number): z.ZodType<number, z.ZodTypeDef, unknown> {
  return z.preprocess((value) => {
    const number = numberFromText(/^[-+]?\d+(_\d+)*$/)(value)
    if (typeof number === 'boolean') return Number(number)
    return typeof number === 'number' ? Math.trunc(number) : number
  }, z.number().int().safe().min(minimum))
}

export const bytes: OptionType<number> = {
  expected: 'a whole number of bytes, 1 or more',
  schema: () => pythonInteger(1),
  input: 'value',
  nullable: true,
}

/** Less than 0 is no limit; so is nothing (manager_factory.py: _get_default_options), which is not the default. */
export const streamSize: OptionType<number> = {
  expected: 'a whole number of bytes, or -1 for no limit',
  schema: () => pythonInteger(Number.MIN_SAFE_INTEGER),
  input: 'value',
}

/** A number of seconds, also as text ("0.5"). */
export const seconds: OptionType<number> = {
  expected: 'a number of seconds, 0 or more',
  schema: () =>
    z.preprocess(
      (value) => (typeof value === 'boolean' ? Number(value) : numberFromText(FLOAT)(value)),
      z.number().finite().min(0),
    ),
  input: 'value',
}

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** A length of time in milliseconds, written as 90m, 12h, 7d or 2w; never zero. */
export const duration: OptionType<number> = {
  expected: 'a length of time such as 12h, 7d or 2w',
  schema: () =>
    z
      .string()
      .regex(/^[1-9]\d{0,5}[mhdw]$/)
      .transform((written) => Number.parseInt(written, 10) * (UNIT_MS[written.slice(-1)] ?? Number.NaN)),
  input: 'text',
  nullable: true,
}

/** The same, where less than 0 has always been as good as 0. */
export const pause: OptionType<number> = {
  ...seconds,
  schema: () =>
    z.preprocess(
      (value) => (typeof value === 'boolean' ? Number(value) : numberFromText(FLOAT)(value)),
      z
        .number()
        .finite()
        .transform((each) => Math.max(0, each)),
    ),
}

const FLOAT = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i

export const port: OptionType<number> = {
  expected: 'a port number from 0 to 65535',
  schema: () => z.preprocess(numberFromText(/^\d{1,5}$/), z.number().int().min(0).max(65535)),
  input: 'value',
}

export function oneOf<const T extends string>(words: readonly [T, ...T[]]): OptionType<T> {
  return { expected: `one of ${words.join(', ')}`, schema: () => z.enum(words), input: 'text' }
}

/** `*` is the number of CPUs. */
export const concurrency: OptionType<number | '*'> = {
  expected: 'a whole number, 0 or more, or "*" for the number of CPUs',
  schema: () =>
    z.union([
      z.literal('*'),
      pythonInteger(Number.MIN_SAFE_INTEGER).transform((count) => Math.max(0, count)),
    ]),
  input: 'value',
}

const OWNER_ALL = 0o700

/**
 * A file mode. Text is octal with or without 0 or 0o; a number is used as it is, since YAML reads an unquoted 0750 as octal.
 * An unquoted 750 is octal 1356 then, and is refused because the owner could not use such a directory.
 */
export const fileMode: OptionType<number> = {
  expected: 'an octal mode that gives the owner all rights, such as "0750"',
  schema: () =>
    z.preprocess(
      (value) =>
        typeof value === 'string' && /^(0o)?[0-7]{1,5}$/i.test(value)
          ? Number.parseInt(value.replace(/^0o/i, ''), 8)
          : value,
      z
        .number()
        .int()
        .min(0)
        .max(0o7777)
        .refine((mode) => (mode & OWNER_ALL) === OWNER_ALL),
    ),
  input: 'value',
  nullable: true,
}

const TRUE_WORDS = new Set(['true', 'yes', 'on', 'y', 't', '1', ''])

/**
 * pulsar/managers/base/directory.py `_tmp_dir`: nothing, a boolean or a word for true means a tmp directory per job
 * (undefined here); any other text, also a word for false, goes into the job script as it is.
 */
export const tmpDirectory: OptionType<string | undefined> = {
  expected: 'true, or a path or shell expression for the tmp directory',
  schema: () =>
    z
      .union([z.string(), z.boolean(), z.number()])
      .transform((value) =>
        typeof value !== 'string' || TRUE_WORDS.has(value.trim().toLowerCase()) ? undefined : value,
      ),
  input: 'value',
  nullable: true,
}

/**
 * Attempts after the first (managers/util/retry.py): nothing and 0 mean for ever there, less than 0 none.
 */
export const retries: OptionType<number> = {
  expected: 'a whole number of attempts: 0 for ever, -1 for none',
  schema: () =>
    z
      .union([z.null(), z.literal(''), pythonInteger(Number.MIN_SAFE_INTEGER)])
      .transform((value) => (value ? Math.max(0, value) : Number.POSITIVE_INFINITY)),
  input: 'value',
}

/** Options of parts that this release does not have: any value will do. */
export const anything: OptionType<unknown> = {
  expected: 'anything',
  schema: () => z.unknown(),
  input: 'value',
  nullable: true,
}

function numberFromText(pattern: RegExp): (value: unknown) => unknown {
  return (value) =>
    typeof value === 'string' && pattern.test(value.trim()) ? Number(value.replaceAll('_', '')) : value
}
