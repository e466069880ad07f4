import { MagnetarError } from '../../lib/errors.js'
import { confirm } from '../confirm.js'
import { EXIT } from '../exit-codes.js'
import { showBytes } from './list.js'
import { refuseUnknown } from './names.js'
import type { DepsRoom } from './run-deps.js'

const DAY_MS = 86_400_000

/** `magnetar deps prune`: shows what would go, asks, removes. */
export async function pruneEnvironments({
  line,
  conda,
  output,
  terminal,
  signal,
}: DepsRoom): Promise<number> {
  const before = line.unused === undefined ? undefined : Date.now() - daysOf(line.unused) * DAY_MS
  const all = await conda.list(signal)
  refuseUnknown(line.words, all)
  const wanted = all.filter(({ name, state, lastUsed, madeAt, ours }) => {
    if (state === 'in-the-making') return false
    if (line.words.includes(name)) return true
    if (state === 'half-made') return ours
    const since = lastUsed ?? madeAt
    // What something else made may be in use by it.
    return before !== undefined && since !== null && Date.parse(since) < before
  })
  const removed = wanted.map(({ name, sizeBytes }) => ({ name, sizeBytes }))
  const size = showBytes(wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
  if (wanted.length === 0) {
    await conda.remove([], signal)
    output.say('Nothing to do: nothing is to be removed.')
  } else {
    output.say(`Remove from ${conda.prefix}/envs (${size}):`)
    for (const { name } of wanted) output.print(`  ${name}`)
    if (!line.yes) {
      const answer = await confirm(
        'Remove them? Jobs that wait for a scheduler may need them. [y/N] ',
        signal,
        output,
      )
      if (answer !== 'yes') return answer === 'no' ? EXIT.failed : EXIT.usage
    }
    await conda.remove(
      wanted.map(({ name }) => name),
      signal,
    )
    output.say(`Removed: ${wanted.length}`)
  }
  if (line.json) terminal.stdout.write(`${JSON.stringify({ prefix: conda.prefix, removed })}\n`)
  return EXIT.ok
}

function daysOf(text: string): number {
  const days = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && Number.isFinite(days)) return days
  throw new MagnetarError('ANSWER_INVALID', `--unused ${text} is no number of days`, {
    fix: 'For example --unused 180',
  })
}
