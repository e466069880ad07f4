import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { isTrue, textOption } from '../options.js'
import type { ResolverType } from '../types.js'
import { createModuleList, parseTerseAvail } from './module-list.js'
import { askModules, createModuleResolver } from './module-resolver.js'

/** Lmod through its own program (galaxy/tool_util/deps/resolvers/lmod.py). */
export const lmodResolver: ResolverType = {
  type: 'lmod',
  create(spec, context) {
    const { env } = context
    const named = textOption(spec, 'lmodexec') ?? env.LMOD_CMD
    const program = named && resolve(context.cwd, named)
    const settarg = textOption(spec, 'settargexec') ?? env.LMOD_SETTARG_CMD
    const modulePath = textOption(spec, 'modulepath') ?? env.MODULEPATH ?? ''
    const listBy = (options: readonly string[]) =>
      createModuleList(
        async (signal) =>
          parseTerseAvail(await askModules([program ?? '', ...options], modulePath, context, signal)),
        { keep: false },
      )
    const all = listBy(['-t', 'avail'])
    const defaults = listBy(['-t', '-d', 'avail'])
    return createModuleResolver(spec, {
      has: (name, version, signal) => (version === undefined ? defaults : all).has(name, version, signal),
      broken: whyBroken(program, modulePath),
      modulePath,
      // Galaxy says `lmod load`, which takes the shell for granted; this is the form that Lmod documents.
      loadCommand: (module) => [program ?? '', 'bash', 'load', module],
      ...(settarg ? { afterwards: [settarg, '-s', 'sh'] } : {}),
      isVersionless: isTrue(spec.options.versionless),
      skipsCheck: isTrue(spec.options.skip_availability_check),
    })
  },
}

function whyBroken(program: string | undefined, modulePath: string): string | undefined {
  if (!program)
    return 'Lmod is not known: set lmodexec of the resolver lmod (LMOD_CMD in a login shell has it)'
  if (!existsSync(program)) return `${program} does not exist: correct lmodexec of the resolver lmod`
  if (modulePath === '')
    return 'there is no path of modules: set modulepath of the resolver lmod (MODULEPATH in a login shell has it)'
  return undefined
}
