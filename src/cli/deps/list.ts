import type { EnvironmentReport } from '../../node/conda.js'
import { EXIT } from '../exit-codes.js'
import { nothingThere } from './names.js'
import type { DepsRoom } from './run-deps.js'

/** `magnetar deps list` */
export async function listEnvironments({ line, conda, output, terminal, signal }: DepsRoom): Promise<number> {
  const environments = await conda.list(signal)
  if (line.json) {
    terminal.stdout.write(`${JSON.stringify({ prefix: conda.prefix, environments }, undefined, 2)}\n`)
    return EXIT.ok
  }
  if (environments.length === 0) {
    output.say(nothingThere(conda.prefix))
    return EXIT.ok
  }
  output.say(`${conda.prefix}/envs`)
  for (const each of environments) {
    const { name, requirements, state, sizeBytes } = each
    const note = state === 'whole' ? '' : ` · ${output.palette.red(SAY[state])}`
    // The name of an environment is long, and is what the other commands want.
    output.print(name)
    output.say(
      `  ${requirements.join(', ') || '?'} · ${showBytes(sizeBytes)} · ${describeUse(each)}${note}`,
      '    ',
    )
  }
  const total = environments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const count = environments.length === 1 ? '1 environment' : `${environments.length} environments`
  output.say(`${count}, ${showBytes(total)}`)
  return EXIT.ok
}

function describeUse({ lastUsed, madeAt }: EnvironmentReport): string {
  if (lastUsed !== null) return `used ${lastUsed.slice(0, 10)}`
  return madeAt === null ? 'use not known' : `made ${madeAt.slice(0, 10)}, not used yet`
}

const SAY = {
  'half-made': 'half-made, not used: the next job makes it again',
  'in-the-making': 'being made now',
  'no-environment': 'no whole environment',
} as const

/** "1.2 GB" */
export function showBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${power > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[power]}`
}
