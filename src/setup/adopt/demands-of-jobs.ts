/** Whether the service's user may go on with the jobs that are there, seen before anything is stopped for it. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeConfig } from '../../config/types.js'
import type { User } from '../../lib/accounts.js'
import { CommandNotStarted, runCommand } from '../../lib/exec.js'
import { asUser } from './as-user.js'
import type { Demands } from './demands.js'

const LIMIT_MS = 60_000
const MOST_NAMED = 5
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/**
 * One process for all: its input is pairs of what is to be seen of a path, and the path. It says the numbers of those that may not be used.
 * A directory of jobs has to be read, written and entered; of a file `r` is enough.
 */
const LOOK = `
at=0
while IFS= read -r -d '' how && IFS= read -r -d '' path; do
  case $how in
    d) [ -r "$path" ] && [ -w "$path" ] && [ -x "$path" ] ;;
    *) [ -r "$path" ] ;;
  esac || echo "$at"
  at=$((at + 1))
done
`

/**
 * Looks at the index directories of a Python Pulsar and at the directories of live jobs, as the service's user.
 * @param live directories of jobs that are to be gone on with
 */
export async function demandsOfJobs(
  { managers, persistenceDirectory }: Pick<NodeConfig, 'managers' | 'persistenceDirectory'>,
  live: readonly string[],
  user: User | undefined,
  signal: AbortSignal,
): Promise<Demands> {
  const nothing: Demands = { obstacles: [], losses: [], notes: [] }
  const indexes = await findIndexes(managers, persistenceDirectory)
  const asked = [
    ...indexes.map((path) => ['d', path] as const),
    ...live.flatMap((path) => [['d', path] as const, ['r', join(path, 'launch_config')] as const]),
  ]
  if (asked.length === 0) return nothing
  const refused = await look(asked, user, signal)
  if (refused === undefined)
    return {
      ...nothing,
      notes: ['whether the service may use the directories of its jobs was not seen in time'],
    }
  const who = user?.name ?? 'root'
  const isIndex = new Set(indexes)
  const obstacles = refused
    .filter((path) => isIndex.has(path))
    .map((path) => `the service's user ${who} may not read and write ${path}, in which its jobs are listed`)
  const jobs = refused.filter((path) => !isIndex.has(path))
  if (jobs.length === 0) return { ...nothing, obstacles }
  const named = jobs.slice(0, MOST_NAMED).join(', ')
  const more = jobs.length > MOST_NAMED ? ` and ${jobs.length - MOST_NAMED} more` : ''
  const loss = `the service's user ${who} may not use what belongs to jobs that are under way: ${named}${more}. They would not be gone on with. Give it to that user (chown -R ${who} …)`
  return { obstacles, losses: [loss], notes: [] }
}

async function findIndexes(
  managers: NodeConfig['managers'],
  persistenceDirectory: string | null,
): Promise<string[]> {
  if (persistenceDirectory === null) return []
  const wanted = managers.flatMap(({ name }) =>
    ['preprocessing', 'active', 'postprocessing'].map((kind) => `${name}-${kind}-jobs`),
  )
  const there: readonly string[] = await readdir(persistenceDirectory).catch(() => [])
  return wanted.filter((name) => there.includes(name)).map((name) => join(persistenceDirectory, name))
}

/** The paths that may not be used; undefined: nobody could tell. */
async function look(
  asked: readonly (readonly [how: string, path: string])[],
  user: User | undefined,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  const [program, ...args] = asUser(user, ['bash', '-c', LOOK])
  const input = asked.map(([how, path]) => `${how}\0${path}\0`).join('')
  try {
    const options = { timeoutMs: LIMIT_MS, maxOutputBytes: MAX_ANSWER_BYTES, signal, cwd: '/', input }
    const { code, timedOut, stdout } = await runCommand(program, args, options)
    if (timedOut || code === null) return undefined
    const numbers = stdout.split('\n').filter((line) => line !== '')
    return numbers.flatMap((at) => asked[Number(at)]?.[1] ?? [])
  } catch (error) {
    if (error instanceof CommandNotStarted) return undefined
    throw error
  }
}
