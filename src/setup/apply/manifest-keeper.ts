import { existsSync } from 'node:fs'
import path from 'node:path'
import { parseManifest, readManifestText, renderManifest } from '../manifest.js'
import type { Change, FileChange, Manifest, Plan } from '../types.js'

/** Says when the manifest has to be written, and with what. The changes it gives are made as those of the plan are. */
export interface ManifestKeeper {
  /**
   * As soon as there is a directory for it after the user was made: a run that is killed later must not forget that uninstall --purge
   * may remove them.
   */
  rememberUser(done: readonly Change[]): FileChange | undefined
  /** When all is done. */
  finish(): FileChange | undefined
  /** When the plan ends before its end and nothing is undone: what was written is remembered, so that it is not taken for edited by hand. */
  breakOff(done: readonly Change[]): FileChange | undefined
  /** One of these changes was made. */
  wrote(change: FileChange): void
}

const NOTHING: Manifest = { version: 1, answers: {}, files: {}, madeUser: false }

/**
 * @param file where the manifest is; undefined: none is kept
 * @throws MagnetarError SETUP_CONFLICT or NOT_PERMITTED, as readManifest
 */
export async function createManifestKeeper(plan: Plan, file: string | undefined): Promise<ManifestKeeper> {
  let text = file === undefined ? undefined : await readManifestText(file)
  const before = text === undefined || file === undefined ? undefined : parseManifest(text, file)
  const base = before ?? NOTHING
  let remembered = base.madeUser

  const change = (manifest: Manifest): FileChange | undefined => {
    const after = renderManifest(manifest)
    if (file === undefined || after === text || !existsSync(path.dirname(file))) return undefined
    return {
      kind: 'file',
      step: 'manifest',
      title: `write ${file}`,
      counts: 'other',
      path: file,
      mode: 0o644,
      // Of whoever runs this: what root is to believe must be root's.
      owner: undefined,
      before: text,
      after,
      secretKeys: [],
      backup: false,
    }
  }
  const madeUser = (done: readonly Change[]): boolean =>
    base.madeUser || (plan.manifest.madeUser && done.some(({ counts }) => counts === 'user'))

  // Whose node it is must be known from the first on: the user that was made, the instance, the service.
  const answers = before === undefined ? plan.manifest.answers : base.answers

  return {
    rememberUser: (done) =>
      remembered || !madeUser(done) ? undefined : change({ ...base, answers, madeUser: true }),
    finish: () => change(plan.manifest),
    breakOff: (done) =>
      change({ ...base, answers, files: filesAfter(plan, base, done), madeUser: madeUser(done) }),
    wrote({ after }): void {
      text = after
      remembered = true
    },
  }
}

/** The new entry of a file whose changes are all made, the old one of the others. */
function filesAfter(plan: Plan, before: Manifest, done: readonly Change[]): Manifest['files'] {
  const isDone = new Set(done)
  const waiting = plan.changes.flatMap((change) =>
    isDone.has(change) || change.kind === 'command' ? [] : [change.path],
  )
  const waits = (file: string): boolean =>
    waiting.some((each) => file === each || file.startsWith(`${each}/`))
  const { files } = plan.manifest
  return Object.fromEntries([
    ...Object.entries(before.files).filter(([file]) => waits(file)),
    ...Object.entries(files).filter(([file]) => !waits(file)),
  ])
}
