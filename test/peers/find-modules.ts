import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

const MODULES = resolve('.peers', 'modules')

export interface FoundProgram {
  readonly program: string
  /** Why there is none, as a sentence for `needs`. */
  readonly missing: string | undefined
}

/** modulecmd of Environment Modules, unpacked by `npm run peers`. */
export function findModulecmd(): FoundProgram {
  const libraries = join(MODULES, 'environment-modules', 'usr', 'lib')
  // Below the name of the machine's architecture.
  const names = existsSync(libraries) ? readdirSync(libraries) : []
  return choose(
    names.map((name) => join(libraries, name, 'modulecmd.tcl')),
    'Environment Modules',
  )
}

/** Lmod's program, likewise. */
export function findLmod(): FoundProgram {
  return choose([join(MODULES, 'lmod', 'usr', 'share', 'lmod', 'lmod', 'libexec', 'lmod')], 'Lmod')
}

function choose(files: readonly string[], name: string): FoundProgram {
  const program = files.find((file) => existsSync(file))
  return program === undefined
    ? { program: '', missing: `no ${name} in .peers/modules; run "npm run peers"` }
    : { program, missing: undefined }
}
