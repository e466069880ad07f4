import type { DependenciesConfig } from '../config/types.js'
import { messageOf } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { createRecent } from '../lib/recent.js'
import { parseDescription } from './description.js'
import { createResolver } from './index.js'
import { listNames, type ReadyResolver, resolveDependencies } from './resolve.js'
import type { Requirement, Resolver } from './types.js'

/** How this node meets the requirements of tools. */
export interface Dependencies {
  /**
   * Shell lines, for the job script, which provide what the tool requires; none for what no resolver provides. May take as long as an
   * environment takes to be made.
   * @param request `description`: the job's dependencies_description as it came
   * @throws MagnetarError REQUIREMENTS_INVALID, REQUIREMENTS_FAILED; the signal's reason
   */
  resolve(request: {
    readonly description: unknown
    readonly jobDirectory: string
    readonly log: Logger
    readonly signal: AbortSignal
  }): Promise<readonly string[]>
  /** Ends what resolvers still prepare. */
  close(): Promise<void>
}

export interface DependencyDeps {
  readonly log: Logger
  /** Absolute. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

const TOLD_REQUIREMENTS = 1000

/**
 * Makes the resolvers, and lets them prepare in the background: a job waits for that only when it comes to a resolver which is not ready.
 * @throws MagnetarError when the options of a resolver make no sense
 */
export async function openDependencies(
  config: DependenciesConfig,
  { log, cwd, env }: DependencyDeps,
): Promise<Dependencies> {
  const { baseDirectory, onFailure, options } = config
  const closing = new AbortController()
  const nodeOption = (name: string): unknown => (Object.hasOwn(options, name) ? options[name] : undefined)
  const context = { baseDirectory, nodeOption, cwd, env }
  const resolvers = await Promise.all(config.resolvers.map((each) => createResolver(each, context)))
  const ready = prepareAll(resolvers, log, closing.signal)
  const told = createRecent<true>(TOLD_REQUIREMENTS)

  /** In full once, then briefly: every job of the tool comes by here. */
  function tellMissing(missing: readonly Requirement[], jobLog: Logger): void {
    const names = listNames(missing)
    if (told.get(names)) {
      jobLog.info(`nothing provides ${names}: the job runs without`)
      return
    }
    told.set(names, true)
    const asked = [...new Set(resolvers.map(({ type }) => type))].join(', ')
    const advice = missing.flatMap((each) => resolvers.flatMap((resolver) => resolver.advise?.(each) ?? []))
    jobLog.warn(
      [
        `nothing provides ${names}: the job runs without, and its tool finds it on the PATH or fails. Asked: ${asked}.`,
        ...new Set(advice),
      ].join(' '),
    )
  }

  return {
    async resolve({ description, jobDirectory, log: jobLog, signal }) {
      const parsed = parseDescription(description)
      const job = { description: parsed, jobDirectory, onFailure, log: jobLog, signal }
      const { resolutions, missing } = await resolveDependencies(ready, job)
      if (missing.length > 0) tellMissing(missing, jobLog)
      if (resolutions.length > 0)
        jobLog.info(`the tool gets ${resolutions.map(({ what }) => what).join(', ')}`)
      return resolutions.flatMap(({ shell }) => shell)
    },
    async close() {
      closing.abort(new Error('the server stops'))
      await Promise.all(ready.map((each) => each.ready))
    },
  }
}

/** Those of one type after another: two conda resolvers would install the same Conda. */
function prepareAll(resolvers: readonly Resolver[], log: Logger, signal: AbortSignal): ReadyResolver[] {
  const last = new Map<string, Promise<void>>()
  return resolvers.map((resolver) => {
    const before = last.get(resolver.type) ?? Promise.resolve()
    const ready = before.then(() => prepare(resolver, log, signal))
    last.set(resolver.type, ready)
    return { resolver, ready }
  })
}

async function prepare(resolver: Resolver, log: Logger, signal: AbortSignal): Promise<void> {
  try {
    if (!signal.aborted) await resolver.prepare?.(log, signal)
  } catch (error) {
    if (!signal.aborted)
      log.error(
        { err: error },
        `the dependency resolver ${resolver.type} cannot be prepared: ${messageOf(error)}`,
      )
  }
}
