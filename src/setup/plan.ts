import nodeFs from 'node:fs'
import path from 'node:path'
import { MagnetarError } from '../lib/errors.js'
import { type AtEnd, refuseLinks } from './apply/changes/place.js'
import { planLeftovers } from './apply/leftovers.js'
import type { Change, Conflict, ManagedFile, Manifest, Plan, SetupContext, Step } from './types.js'

const MAY_END_IN: Readonly<Record<Change['kind'], AtEnd>> = {
  directory: 'followed',
  file: 'none',
  tree: 'none',
  link: 'any',
  remove: 'any',
  command: 'any',
}

/**
 * What has to be done for the machine to be as the answers say; the disk is only read. First goes what a killed run left behind. A plan
 * without changes is "nothing to do"; its manifest may still differ from the one on the disk, when only answers did.
 * @throws MagnetarError SETUP_CONFLICT when a link is on the way to something that has to be changed; what the steps throw
 */
export async function makePlan(context: SetupContext, steps: readonly Step[]): Promise<Plan> {
  const { paths, manifest } = context
  const changes: Change[] = []
  const conflicts: Conflict[] = []
  const notes: string[] = []
  const files: Record<string, ManagedFile> = {}
  for (const step of steps) {
    context.signal.throwIfAborted()
    const planned = await step.plan(context, [...changes])
    changes.push(...planned.changes)
    conflicts.push(...planned.conflicts)
    notes.push(...planned.notes)
    Object.assign(files, planned.files)
  }
  refuseLinksOnTheWay(changes, paths.prefix)
  const before = manifest?.files ?? {}
  const others = [
    ...Object.keys({ ...before, ...files }),
    ...changes.flatMap(pathOf),
    ...serviceFiles(context),
  ]
  const leftovers = await planLeftovers(paths, others)
  return {
    changes: [...leftovers, ...changes],
    conflicts,
    notes,
    manifest: {
      version: 1,
      answers: answersToKeep(context),
      files: { ...stillThere(before, changes), ...files },
      madeUser: manifest?.madeUser === true || changes.some(({ counts }) => counts === 'user'),
    },
  }
}

/** All but the token, and what was not answered. */
function answersToKeep({ answers }: SetupContext): Manifest['answers'] {
  const { token: _, ...kept } = answers
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined))
}

/** Of files that no step has said anything about now; one that is not there was removed, perhaps by a run that was killed. */
function stillThere(
  files: Readonly<Record<string, ManagedFile>>,
  changes: readonly Change[],
): Record<string, ManagedFile> {
  const removed = changes.filter(({ kind }) => kind === 'remove').flatMap(pathOf)
  const isThere = (file: string): boolean =>
    nodeFs.lstatSync(file, { throwIfNoEntry: false }) !== undefined &&
    !removed.some((path) => file === path || file.startsWith(`${path}/`))
  return Object.fromEntries(Object.entries(files).filter(([file]) => isThere(file)))
}

/** A file that is removed is no longer in any list once the manifest is written. */
function serviceFiles({ paths, facts: { supervisor } }: SetupContext): string[] {
  const { serviceName } = paths
  const program =
    supervisor && path.join(supervisor.programsDirectory, `${serviceName}${supervisor.extension}`)
  return [`/etc/systemd/system/${serviceName}.service`, ...(program ? [program] : [])]
}

function refuseLinksOnTheWay(changes: readonly Change[], prefix: string): void {
  const tools = { fs: nodeFs, prefix, uid: process.geteuid?.() ?? -1 }
  const problems = new Map<string, MagnetarError>()
  for (const change of changes) {
    try {
      for (const file of pathOf(change)) refuseLinks(file, MAY_END_IN[change.kind], tools)
    } catch (error) {
      if (!(error instanceof MagnetarError)) throw error
      problems.set(error.message, error)
    }
  }
  const [first] = problems.values()
  if (!first) return
  const { fix } = first
  throw new MagnetarError('SETUP_CONFLICT', [...problems.keys()].join('\n'), fix === undefined ? {} : { fix })
}

function pathOf(change: Change): string[] {
  return change.kind === 'command' ? [] : [change.path]
}
