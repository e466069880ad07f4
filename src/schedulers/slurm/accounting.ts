/** Asks sacct about jobs that squeue has forgotten. Used where the site has it, never needed. */
import { CommandNotStarted, type CommandResult } from '../../lib/exec.js'
import type { Logger } from '../../lib/log.js'
import type { SlurmCommand } from './command.js'
import { type AccountingSource, buildSacct, parseSacct } from './sacct.js'
import type { SlurmRecord } from './squeue.js'

export interface Accounting {
  /** The last record of each job that has one. Never throws. */
  lookUp(ids: readonly string[]): Promise<readonly SlurmRecord[]>
}

/** A list of ids on the command line: far below the 128 KiB that one argument may have. */
const MAX_IDS = 1000

export function createAccounting(
  run: (command: SlurmCommand) => Promise<CommandResult>,
  log: Logger,
): Accounting {
  // What a site has does not change while the server runs; what it has not is not asked for again.
  let sources: readonly AccountingSource[] = ['slurmdbd', 'jobcomp']

  async function ask(
    source: AccountingSource,
    ids: readonly string[],
  ): Promise<readonly SlurmRecord[] | undefined> {
    let answer: ReturnType<typeof parseSacct>
    try {
      answer = parseSacct(await run(buildSacct(source, ids)))
    } catch (error) {
      answer = error instanceof CommandNotStarted && error.errno === 'ENOENT' ? 'unavailable' : undefined
    }
    if (answer !== 'unavailable') return answer
    sources = sources.filter((other) => other !== source)
    log.debug(`no job accounting of the kind ${source} here`)
    return undefined
  }

  return {
    async lookUp(ids) {
      for (const source of sources) {
        const records = await ask(source, ids.slice(0, MAX_IDS))
        // One that answers is the one to go by.
        if (records) return records
      }
      return []
    },
  }
}
