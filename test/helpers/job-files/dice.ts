import type { JobFilesServer } from '../job-files-server.js'
import { createRandom } from './content.js'
import type { Fault } from './types.js'

/** Numbers and choices of one run, the same for the same seed. */
export function createDice(seed: number) {
  const random = createRandom(seed)
  const below = (end: number): number => Math.floor(random() * end)
  return {
    below,
    oneOf: <T>(choices: readonly [T, ...T[]]): T => choices[below(choices.length)] ?? choices[0],
    // Small sizes as often as large ones, and the borders between them.
    size: (): number => {
      const near = [0, 1, 65_535, 65_536, 65_537, 131_072][below(12)]
      return near ?? (below(2) === 0 ? 100_000 + below(400_000) : Math.floor(2 ** (random() * 20.5)))
    },
  }
}
export type Dice = ReturnType<typeof createDice>

/** What goes wrong with one of the requests for a file of `bytes` bytes. */
export function randomFault(
  dice: Dice,
  bytes: number,
  isDownload: boolean,
  server: JobFilesServer,
  path: string,
): Fault {
  const after = dice.below(bytes + 2) - 1
  const common: readonly (() => Fault)[] = [
    () => ({ kind: 'cut', after }),
    () => ({ kind: 'cut', after }),
    () => ({ kind: 'reset', after }),
    () => ({ kind: 'status', status: dice.oneOf([500, 502, 503, 429]), body: 'nope'.repeat(dice.below(50)) }),
    () => ({ kind: 'status', status: dice.oneOf([403, 404]), late: true }),
    () => ({ kind: 'garbage' }),
    () => ({ kind: 'redirect', status: dice.oneOf([307, 308]), to: server.fileUrl(path) }),
  ]
  const rare: Fault = { kind: 'hang', after }
  const down: readonly (() => Fault)[] = [
    () => ({ kind: 'ignore range' }),
    () => ({ kind: 'ignore if-range' }),
    () => ({ kind: 'wrong range' }),
    () => ({ kind: 'shift range', by: dice.oneOf([-1, 1, 1000]) }),
    () => ({ kind: 'give less', bytes: 1 + dice.below(100_000) }),
    () => ({ kind: 'length', delta: 1 + dice.below(100) }),
    () => ({
      kind: 'status',
      status: 416,
      headers: { 'content-range': `bytes */${dice.oneOf([bytes, 0, 77])}` },
    }),
    () => ({ kind: 'encode' }),
  ]
  const up: readonly (() => Fault)[] = [
    () => ({ kind: 'swallow answer' }),
    () => ({ kind: 'status', status: 409 }),
  ]
  if (dice.below(40) === 0) return rare
  const all = [...common, ...(isDownload ? down : up)]
  return (all[dice.below(all.length)] ?? (() => rare))()
}
