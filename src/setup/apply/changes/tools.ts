import nodeFs from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { FileSystem } from '../../../lib/atomic-file.js'
import { removeTree } from '../../../lib/remove-tree.js'
import { flushTree } from '../flush-tree.js'
import { createOwnerLookUp } from '../owner.js'
import type { ChangeTools } from './change-kind.js'

/** A tree of many files is removed in steps of this length, between other work (a signal, the spinner). */
const STEP_MS = 20

/** What tests put in the place of the real thing, to fail or to end the process in the middle. */
export type ReplacedTools = Partial<Pick<ChangeTools, 'fs' | 'flushTree' | 'removeTree'>>

/** What changes work with, on the real file system unless a test gives another. */
export function createTools(
  prefix: string,
  signal: AbortSignal,
  replaced: ReplacedTools = {},
): Omit<ChangeTools, 'progress'> {
  const owners = createOwnerLookUp()
  const fs: FileSystem = replaced.fs ?? nodeFs
  return {
    fs,
    prefix,
    uid: process.geteuid?.() ?? -1,
    signal,
    asides: new Set(),
    findIds: async (owner) => owner && owners.find(owner, signal),
    forgetIds: owners.forget,
    flushTree: replaced.flushTree ?? ((tree) => flushTree(tree, signal)),
    removeTree: replaced.removeTree ?? removeInSteps,
  }
}

async function removeInSteps(tree: string, budgetMs = Number.POSITIVE_INFINITY): Promise<boolean> {
  const untilMs = performance.now() + budgetMs
  while (!removeTree(tree, STEP_MS)) {
    if (performance.now() > untilMs) return false
    await setImmediate()
  }
  return true
}
