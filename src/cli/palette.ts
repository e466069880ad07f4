import { Chalk, type ChalkInstance } from 'chalk'

/** Colours for one stream: none when it is no terminal or a dumb one, or NO_COLOR is set; FORCE_COLOR wins over the first two. */
export function createPalette(
  stream: { readonly isTTY?: boolean } = process.stdout,
  env: NodeJS.ProcessEnv = process.env,
): ChalkInstance {
  if (env.NO_COLOR) return new Chalk({ level: 0 })
  if (env.FORCE_COLOR)
    return new Chalk({ level: env.FORCE_COLOR === '0' || env.FORCE_COLOR === 'false' ? 0 : 1 })
  return new Chalk({ level: stream.isTTY && env.TERM !== 'dumb' ? 1 : 0 })
}

/** The console of Linux has no such signs in its font. */
const plain = process.env.TERM === 'linux'

export const SIGNS = plain
  ? { done: '√', failed: '×', pointer: '>', up: '↑', down: '↓', left: '←' }
  : { done: '✔', failed: '✖', pointer: '❯', up: '↑', down: '↓', left: '←' }
