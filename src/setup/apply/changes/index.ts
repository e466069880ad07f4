import type { Change } from '../../types.js'
import type { ApplyChange, ChangeTools, Undo } from './change-kind.js'
import { applyCommand } from './command.js'
import { applyDirectory } from './directory.js'
import { applyFile } from './file.js'
import { applyLink } from './link.js'
import { applyRemove } from './remove.js'
import { applyTree } from './tree.js'

type Kinds = { readonly [K in Change['kind']]: ApplyChange<Extract<Change, { kind: K }>> }

const kinds: Kinds = {
  directory: applyDirectory,
  file: applyFile,
  link: applyLink,
  tree: applyTree,
  remove: applyRemove,
  command: applyCommand,
}

/**
 * Makes one change; undefined when nothing has to be taken back. When it throws, everything is as before, except for what a command
 * did before it failed.
 */
export function applyChange(change: Change, tools: ChangeTools): Promise<Undo | undefined> {
  // The table pairs each kind with its function, which a lookup by a union cannot express.
  const apply = kinds[change.kind] as ApplyChange<Change>
  return apply(change, tools)
}
