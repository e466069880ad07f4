import { type LoadOptions, loadConfig } from '../load.js'
import { ConfigError, type ConfigIssue } from '../problems.js'
import type { NodeConfig } from '../types.js'

export interface Verdict {
  /** As `magnetar serve` has it; undefined: there are issues. */
  readonly config: NodeConfig | undefined
  readonly issues: readonly ConfigIssue[]
}

/**
 * Everything that is wrong, in both ways of starting a server: `--mode uwsgi` and the others each read something of server.ini that the
 * others do not.
 */
export async function judgeConfig(options: LoadOptions): Promise<Verdict> {
  const { mode: _, ...plain } = options
  const issues = new Map<string, ConfigIssue>()
  const load = async (each: LoadOptions): Promise<NodeConfig | undefined> => {
    try {
      return await loadConfig(each)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      for (const issue of error.issues) issues.set(describeIssue(issue), issue)
      return undefined
    }
  }
  const config = await load(plain)
  await load({ ...plain, mode: 'uwsgi' })
  return { config: issues.size > 0 ? undefined : config, issues: [...issues.values()] }
}

/** What tells two issues apart, but for the line, which an edit above it moves. */
export function describeIssue({ file, key, message }: ConfigIssue): string {
  return JSON.stringify([file, key, message])
}
