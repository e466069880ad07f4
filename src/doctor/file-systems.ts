import { runCommand } from '../lib/exec.js'

const TIMEOUT_MS = 2500

/**
 * Those of the paths whose file system does not answer. A look at one (NFS whose server is away) blocks for ever and cannot be ended,
 * so it is another process that looks first; a path that is not there answers too.
 */
export async function findStuck(paths: readonly string[], signal: AbortSignal): Promise<string[]> {
  const looked = await Promise.all(
    [...new Set(paths)].map(async (path) => {
      const result = await runCommand('stat', ['-L', '--', path], {
        timeoutMs: TIMEOUT_MS,
        killGraceMs: 200,
        signal,
      }).catch(() => undefined)
      return result?.timedOut ? [path] : []
    }),
  )
  signal.throwIfAborted()
  return looked.flat()
}

/** Whether `path` is one of the stuck ones or below one. */
export function isStuck(stuck: readonly string[], path: string): boolean {
  return stuck.some((each) => path === each || path.startsWith(`${each}/`))
}
