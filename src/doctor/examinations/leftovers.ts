import { lstat } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, dirname, join } from 'node:path'
import { type ControlPlace, shortName } from '../../control/socket-path.js'
import { errnoOf } from '../../lib/errors.js'
import { listDirectory } from '../../lib/fs.js'
import { quoteForShell } from '../../lib/shell.js'
import { planLeftovers } from '../../setup/apply/leftovers.js'
import { lockNode } from '../../setup/lock.js'
import { asNodeUser } from '../as-user.js'
import { defineExamination } from '../define-examination.js'
import { isStuck } from '../file-systems.js'
import type { DoctorFacts, Finding, Mend } from '../types.js'

/** The server removes what is there at its start, and what it discards within minutes. */
const TRASH_MS = 3_600_000
/** The server has bound it and does not listen yet. */
const SOCKET_MS = 2000
const CONNECT_MS = 1000

/** What killed runs left behind. */
export const leftovers = defineExamination({
  id: 'leftovers',
  title: 'leftovers',
  group: 'Jobs',
  findings: {
    'setup-leftover': {
      state: 'warn',
      meaning: 'a setup or upgrade was killed and left something half made, or set aside',
      fix: '`magnetar setup --yes` takes it up again; `--fix` only removes what was left',
    },
    'trash-left': {
      state: 'warn',
      meaning: 'job directories that were discarded more than an hour ago are still not removed',
      fix: 'a start of the server removes them; `--fix` does it now',
    },
    'socket-stale': {
      state: 'warn',
      meaning: 'a Unix socket of the server is there, and nothing listens on it: the server was killed',
      fix: '`rm SOCKET`; `--fix` does it, and so does the next start of the server',
    },
  },
  async examine(facts, signal) {
    const found = await Promise.all([ofSetup(facts, signal), ofTrash(facts), ofSockets(facts)])
    const findings = found.flat()
    return findings.length > 0 ? findings : [{ id: 'leftovers', state: 'ok', message: 'none' }]
  },
})

type Id = 'leftovers' | 'setup-leftover' | 'trash-left' | 'socket-stale'

/** By their names these can be nobody else's, and no setup runs now. */
async function ofSetup(facts: DoctorFacts, signal: AbortSignal): Promise<Finding<Id>[]> {
  const { paths } = facts
  if (paths === undefined) return []
  const found = await planLeftovers(paths, [])
  if (found.length === 0 || (await isBusy(paths.prefix, signal))) return []
  const mends = await Promise.all(
    found.map(async ({ path }) => ((await isNeeded(path)) ? [] : removal(path, facts))),
  )
  return [
    {
      id: 'setup-leftover',
      state: 'warn',
      message: `a setup that was killed left ${found.map(({ path }) => path).join(', ')}`,
      fix: {
        text: 'A setup takes it up again, and removes what is left:',
        command: `magnetar setup --yes --prefix ${quoteForShell(paths.prefix)}`,
        ...withMends(mends.flat()),
      },
    },
  ]
}

/** What was set aside and not replaced is the only copy; setup makes it anew. */
async function isNeeded(path: string): Promise<boolean> {
  const name = /^\.(.+)\.magnetar-old$/.exec(basename(path))?.[1]
  return (
    name !== undefined &&
    (await lstat(join(dirname(path), name)).then(
      () => false,
      () => true,
    ))
  )
}

async function isBusy(prefix: string, signal: AbortSignal): Promise<boolean> {
  try {
    await (await lockNode(prefix, signal))()
    return false
  } catch {
    signal.throwIfAborted()
    return true
  }
}

async function ofTrash(facts: DoctorFacts): Promise<Finding<Id>[]> {
  const found: string[] = []
  for (const staging of facts.staging) {
    const trash = join(staging, '.magnetar', 'trash')
    for (const name of await listDirectory(trash).catch((): string[] => [])) {
      // What is kept for the next job (jobs/trash.ts).
      if (name.startsWith('spare-')) continue
      const path = join(trash, name)
      const stats = await lstat(path).catch(() => undefined)
      if (stats && Date.now() - stats.ctimeMs > TRASH_MS) found.push(path)
    }
  }
  if (found.length === 0) return []
  const mends = await Promise.all(found.map((path) => removal(path, facts)))
  return [
    {
      id: 'trash-left',
      state: 'warn',
      message: `${found.length} discarded job director${found.length === 1 ? 'y is' : 'ies are'} not removed yet, in ${dirname(found[0] ?? '')}`,
      fix: { command: `rm -rf ${found.map(quoteForShell).join(' ')}`, ...withMends(mends.flat()) },
    },
  ]
}

async function ofSockets(facts: DoctorFacts): Promise<Finding<Id>[]> {
  const { control, stuck } = facts
  if (control === undefined || isStuck(stuck, control.directory)) return []
  const { socket } = control
  const stats = await lstat(socket).catch(() => undefined)
  if (!stats?.isSocket() || Date.now() - stats.ctimeMs < SOCKET_MS || !(await isRefused(control))) return []
  return [
    {
      id: 'socket-stale',
      state: 'warn',
      message: `nothing listens on ${socket}`,
      fix: { command: `rm -f ${quoteForShell(socket)}`, ...withMends(await removal(socket, facts)) },
    },
  ]
}

async function isRefused(place: ControlPlace): Promise<boolean> {
  const { name, release } = await shortName(place)
  const answer = await new Promise<boolean>((resolve) => {
    const socket = connect(name)
    const done = (is: boolean): void => {
      socket.destroy()
      resolve(is)
    }
    socket.setTimeout(CONNECT_MS, () => done(false))
    socket.once('connect', () => done(false))
    socket.once('error', (error) => done(errnoOf(error) === 'ECONNREFUSED'))
  })
  await release()
  return answer
}

/** As whoever owns the directory it is in: its user could put a link there. Of others nothing is removed. */
async function removal(path: string, facts: DoctorFacts): Promise<Mend[]> {
  const parent = await lstat(dirname(path)).catch(() => undefined)
  const argv = ['rm', '-rf', '--', path]
  const isRoots = parent?.uid === 0 && facts.account.isRoot
  const as = isRoots ? argv : parent?.uid === facts.user?.uid ? asNodeUser(facts, argv) : undefined
  return as ? [{ title: `remove ${path}`, argv: as }] : []
}

function withMends(mends: readonly Mend[]): { mends?: readonly Mend[] } {
  return mends.length > 0 ? { mends } : {}
}
