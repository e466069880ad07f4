/** Mulberry32: the same numbers on every machine. */
export function createRandom(seed: number): Random {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
    pick(from) {
      const item = from[Math.floor(next() * from.length)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
  }
}

export interface Random {
  below(limit: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
}

/** Texts that are hard on quoting, and some that are not. */
export const HARD_TEXTS = [
  ...[
    'foo',
    '/srv/pulsar/var/jobs',
    'a b',
    'http://h:8913/',
    '-p debug --mem=4G',
    '100%',
    'a=b',
    'x,y',
    'a:b',
    'é',
    '😀',
    '$HOME/x',
  ],
  ...[
    '',
    ' ',
    ' a',
    'a ',
    '12345',
    '0123',
    '08',
    '0x1F',
    '0b1',
    '0o17',
    '1e3',
    '1E+3',
    '1.5',
    '.5',
    '1.',
    '-1',
    '+1',
    '1_000',
    '12:30:45',
  ],
  ...[
    'yes',
    'No',
    'on',
    'OFF',
    'true',
    'False',
    'null',
    '~',
    'y',
    'N',
    '=',
    '<<',
    '.inf',
    '-.INF',
    '.nan',
    '2020-01-01',
    '0x_',
    '-',
  ],
  ...[
    'a: b',
    'a:',
    ': a',
    'abc #c',
    '#c',
    'a#b',
    '@x',
    '*x',
    '&x',
    '!x',
    '%x',
    '`x',
    '|',
    '>',
    '- a',
    '? a',
    '?',
    ':',
    '[a]',
    '{a}',
    ',a',
  ],
  ...[
    '"q"',
    "it's",
    'a "b"',
    '\\',
    'a\\nb',
    '---',
    '--- x',
    '...',
    'a\tb',
    '\ta',
    'a\u00a0b',
    '\u2028',
    '\ufeffa',
    '\u0085',
    '\x7f',
    '\0',
  ],
  ...[
    '1.2.3.4',
    '1:2',
    '::1',
    'a  b',
    "'",
    '"',
    "''",
    '0_7',
    '1__0',
    '+.5',
    'None',
    'nan',
    'inf',
    '1e',
    'e3',
    '0.0.0.0:8913',
    '*',
    '4G',
  ],
] as const
