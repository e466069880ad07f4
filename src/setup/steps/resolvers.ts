import { defineStep } from '../define-step.js'
import { currentText, type InspectedFile, inspectConfigFile, planConfigFile } from '../files/config-file.js'
import { mergeWhole } from '../files/managed-file.js'
import { type ModuleSystem, probeModules } from '../probes/modules.js'
import { type DependencyChoice, isExplicit } from '../types.js'

interface State {
  readonly file: InspectedFile
  readonly modules: ModuleSystem | undefined
}

const STEP = 'resolvers'

/** etc/dependency_resolvers_conf.xml: where the programs come from that tools require. */
export const resolversStep = defineStep<State>({
  id: STEP,
  title: 'dependency resolvers',
  async inspect(context) {
    const file = await inspectConfigFile(context.paths.resolvers, context)
    const isAsked = context.answers.dependencies === 'modules'
    return { file, modules: isAsked ? await probeModules() : undefined }
  },
  plan(context, { file, modules }) {
    const { answers, manifest, paths, sources, force } = context
    const current = currentText(file)
    const wanted = renderResolvers(answers.dependencies, modules)
    const common = { step: STEP, path: paths.resolvers, what: 'the dependency resolvers', secret: false }
    const written = manifest?.files[paths.resolvers]
    // Where modules are is known to login shells; another one, or none, knows no better than the file.
    if (
      answers.dependencies === 'modules' &&
      current !== wanted &&
      /<(modules|lmod)[\s/>]/.test(current ?? '')
    )
      return planConfigFile(context, file, { ...common, ...NOTHING, text: current, managed: written ?? {} })
    const { action, ...merged } = mergeWhole({
      path: paths.resolvers,
      current,
      wanted,
      explicit: isExplicit(sources.dependencies),
      written,
      force,
    })
    const hasNone = answers.dependencies === 'modules' && modules === undefined
    return planConfigFile(context, file, {
      ...common,
      text: action === 'none' ? current : action === 'write' ? wanted : undefined,
      ...merged,
      notes: hasNone ? [...merged.notes, NO_MODULES] : merged.notes,
    })
  },
})

const NOTHING = { backup: false, conflicts: [], notes: [] }
const NO_MODULES =
  'there is no module command here (no modulecmd, no Lmod): tools find no modules until there is one'

/** undefined: nothing is resolved. The conda element says itself that it installs, whatever app.yml says for all. */
function renderResolvers(
  dependencies: DependencyChoice,
  modules: ModuleSystem | undefined,
): string | undefined {
  if (dependencies === 'none') return undefined
  const resolver =
    dependencies === 'conda' ? '<conda auto_install="True" auto_init="True" />' : renderModules(modules)
  return `<dependency_resolvers>\n  ${resolver}\n</dependency_resolvers>\n`
}

/** Program and path are written out: a service has not the profile that would set them. */
function renderModules(modules: ModuleSystem | undefined): string {
  if (modules === undefined) return '<modules />'
  const { kind, program, modulePath } = modules
  const attributes = [[kind === 'lmod' ? 'lmodexec' : 'modulecmd', program]]
  if (modulePath !== undefined) attributes.push(['modulepath', modulePath])
  return `<${kind} ${attributes.map(([name, value = '']) => `${name}="${escapeAttribute(value)}"`).join(' ')} />`
}

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
