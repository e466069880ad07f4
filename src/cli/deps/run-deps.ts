import { stat } from 'node:fs/promises'
import { loadConfig } from '../../config/load.js'
import { MagnetarError } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { silentLogger } from '../../lib/log.js'
import { type CondaManager, condaOf } from '../../node/conda.js'
import { openConfig } from '../config/config-directory.js'
import type { Terminal } from '../config/terminal.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { createOutput, type Output } from '../setup/output.js'
import { listEnvironments } from './list.js'
import { pruneEnvironments } from './prune.js'
import { verifyEnvironments } from './verify.js'

export type DepsTask = 'list' | 'install' | 'verify' | 'prune'

/** What the command line of `magnetar deps` said. */
export interface DepsLine {
  readonly task: DepsTask
  /** Requirements, or names of environments. */
  readonly words: readonly string[]
  readonly config: string | undefined
  readonly unused: string | undefined
  readonly json: boolean
  readonly yes: boolean
}

/** What a task needs. */
export interface DepsRoom {
  readonly line: DepsLine
  readonly conda: CondaManager
  readonly output: Output
  readonly terminal: Terminal
  readonly signal: AbortSignal
}

/** `magnetar deps …`: resolves with the exit code. */
export async function runDeps(line: DepsLine, terminal: Terminal): Promise<number> {
  const output = createOutput({ json: line.json, quiet: false, verbose: false })
  const interrupts = watchInterrupts((text) => output.warn(text))
  const { signal } = interrupts
  try {
    const options = await openConfig(line.config, terminal)
    const { dependencies } = await loadConfig({ ...options, signal })
    const conda = await condaOf(dependencies, terminal)
    const room: DepsRoom = { line, conda, output, terminal, signal }
    return await TASKS[line.task](room)
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted
    printError(error)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

const TASKS: Readonly<Record<DepsTask, (room: DepsRoom) => Promise<number>>> = {
  list: listEnvironments,
  install: installEnvironment,
  verify: verifyEnvironments,
  prune: async (room) => {
    await refuseRoot(room.conda.prefix)
    return pruneEnvironments(room)
  },
}

async function installEnvironment({ line, conda, output, terminal, signal }: DepsRoom): Promise<number> {
  await refuseRoot(conda.prefix)
  const requirements = line.words.map((word) => {
    const [name = '', ...version] = word.split('=')
    return { name, version: version.join('=') || undefined, type: 'package', specs: [] }
  })
  const log: Logger = {
    ...silentLogger,
    info: (first: object | string, text?: string) => output.say(text ?? String(first)),
  }
  const { name, made } = await conda.install(requirements, log, signal)
  if (line.json) terminal.stdout.write(`${JSON.stringify({ name, made })}\n`)
  else if (!made) output.say(`Nothing to do: the environment ${name} is there.`)
  return EXIT.ok
}

/** What root makes there, the user of the node cannot remove or repair. */
async function refuseRoot(prefix: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  for (let directory = prefix; ; ) {
    const found = await stat(directory).catch(() => undefined)
    const parent = directory.replace(/\/[^/]*$/, '') || '/'
    if (found?.uid === 0 || directory === '/') return
    if (found)
      throw new MagnetarError(
        'NOT_PERMITTED',
        `${directory} is not root's, and what root makes there its user cannot change`,
        {
          fix: `Run it as that user: setpriv --reuid ${found.uid} --regid ${found.gid} --init-groups magnetar deps …`,
        },
      )
    directory = parent
  }
}
