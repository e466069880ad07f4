import { quoteForShell } from '../../lib/shell.js'
import { EXIT } from '../exit-codes.js'
import { SIGNS } from '../palette.js'
import { nothingThere, refuseUnknown } from './names.js'
import type { DepsRoom } from './run-deps.js'

/** `magnetar deps verify`: 1 when an environment is not whole. */
export async function verifyEnvironments({
  line,
  conda,
  output,
  terminal,
  signal,
}: DepsRoom): Promise<number> {
  const found = await conda.list(signal)
  refuseUnknown(line.words, found)
  const all = found.filter(({ state }) => state !== 'in-the-making').map(({ name }) => name)
  const names = line.words.length > 0 ? line.words : all
  if (names.length === 0) output.say(nothingThere(conda.prefix))
  const results: { name: string; problems: readonly string[] }[] = []
  for (const name of names) {
    const problems = await conda.verify(name, signal)
    results.push({ name, problems })
    output.say(
      problems.length === 0
        ? `${output.palette.green(SIGNS.done)} ${name}`
        : `${output.palette.red(SIGNS.failed)} ${name}`,
    )
    for (const problem of problems) output.say(`  ${problem}`, '    ')
  }
  if (line.json)
    terminal.stdout.write(
      `${JSON.stringify({ prefix: conda.prefix, environments: results }, undefined, 2)}\n`,
    )
  const bad = results.filter(({ problems }) => problems.length > 0).map(({ name }) => name)
  if (bad.length > 0)
    output.say(
      `Remove what is not whole, so that the next job makes it again:\n  magnetar deps prune ${bad.map(quoteForShell).join(' ')}`,
    )
  return bad.length > 0 ? EXIT.failed : EXIT.ok
}
