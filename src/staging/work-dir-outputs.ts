import { filesByDirectory } from './files-by-directory.js'
import { compileFnmatch } from './fnmatch.js'
import type { PlanBuilder } from './output-plan.js'
import { joinPath, relativePath } from './posix-path.js'
import type { ClientOutputs } from './remote-staging.js'

/** The files that a tool leaves in its working directory under names it chose itself. Answers with the output files that are left. */
export function planWorkDirOutputs(
  plan: PlanBuilder,
  { workDirOutputs, workingDirectory, outputFiles }: ClientOutputs,
  working: readonly string[],
): readonly string[] {
  if (workDirOutputs.length > 0 && workingDirectory === undefined) {
    plan.fail('client_outputs has work_dir_outputs but no working_directory to find them in')
    return outputFiles
  }
  const wanted = workDirOutputs.map(({ source, destination }) => {
    return { name: relativePath(source, workingDirectory ?? ''), destination }
  })
  const listed = new Set(working)
  const below = filesByDirectory(working, new Set(wanted.map(({ name }) => name)))
  const collected = new Map<string, number>()
  const expected = countEach(outputFiles)
  for (const { name, destination } of wanted) {
    const files = below.get(name)
    if (files) {
      for (const file of files) {
        plan.add('output_workdir', file, joinPath(destination, file.slice(name.length + 1)))
      }
      continue
    }
    plan.add('output_workdir', findFile(name, listed), destination)
    const count = (collected.get(destination) ?? 0) + 1
    collected.set(destination, count)
    if (count > (expected.get(destination) ?? 0)) {
      plan.fail('work_dir_outputs has a destination that is not among output_files', destination)
    }
  }
  return withoutFirst(outputFiles, collected)
}

/** The name itself, or the first that it matches as a glob, or, so that it is missed under its own name, itself. */
function findFile(name: string, listed: ReadonlySet<string>): string {
  if (listed.has(name) || !/[*?[]/.test(name)) return name
  const matches = compileFnmatch(name)
  return [...listed].find(matches) ?? name
}

function countEach(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}

/** Of items that are equal, the first ones are taken away (Python's list.remove). */
function withoutFirst(items: readonly string[], counts: Map<string, number>): string[] {
  return items.filter((item) => {
    const left = counts.get(item) ?? 0
    counts.set(item, left - 1)
    return left <= 0
  })
}
