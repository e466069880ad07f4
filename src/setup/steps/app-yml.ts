import { editYaml, readYamlValue } from '../../config/edit/yaml.js'
import { renderYaml } from '../../lib/edit/quote-yaml.js'
import { readToken } from '../answers/token.js'
import { defineStep } from '../define-step.js'
import {
  type AppKey,
  appYmlDialect,
  inShortWords,
  wantedManagerKeys,
  wantedNodeKeys,
} from '../files/app-yml-keys.js'
import { currentText, type InspectedFile, inspectConfigFile, planConfigFile } from '../files/config-file.js'
import { isEditRefused, mergeText } from '../files/config-text.js'
import { furtherManagerOptions, furtherOptions } from '../files/further-options.js'
import { findOtherManagers } from '../files/other-managers.js'
import { renderAppYml } from '../files/render/app-yml.js'
import { type Conflict, isExplicit, type SetupContext } from '../types.js'

interface State {
  readonly file: InspectedFile
  /** As the server reads it. */
  readonly token: string | undefined
}

const STEP = 'app-yml'

/** etc/app.yml: the token, how jobs run, where everything is. */
export const appYmlStep = defineStep<State>({
  id: STEP,
  title: 'configuration of the node',
  async inspect(context) {
    const file = await inspectConfigFile(context.paths.appYml, context)
    const text = currentText(file)
    return { file, token: text === undefined ? undefined : await readToken(text) }
  },
  plan(context, { file, token }) {
    const { manifest, paths, force } = context
    const current = currentText(file)
    const managers = planManagers(context, current)
    const { first, last } = wantedNodeKeys(context)
    const merged = mergeText<AppKey>({
      path: paths.appYml,
      current: managers.text,
      fresh: freshAppYml(context),
      wanted: [...first, ...managers.rows, ...last],
      dialect: appYmlDialect(token),
      written: manifest?.files[paths.appYml],
      force,
    })
    return planConfigFile(context, file, {
      step: STEP,
      path: paths.appYml,
      what: 'the configuration of the node',
      secret: true,
      secretKeys: ['private_token'],
      text: merged.text,
      managed: merged.managed,
      backup: merged.backup || managers.text !== current,
      conflicts: [...managers.conflicts, ...merged.conflicts],
      notes: [...managers.notes, ...merged.notes],
    })
  },
})

/** A new app.yml: as pulsar-config writes it, with the keys of the exercise, and what else could be said as comments. */
export function freshAppYml(context: Pick<SetupContext, 'answers' | 'sources' | 'paths' | 'token'>): string {
  const { answers, paths, token } = context
  const drmaa = answers.manager === 'drmaa'
  const head = renderAppYml({ privateToken: token, autoConda: false, drmaa })
  const rows = wantedManagerKeys(context)
    .filter(({ path, value }) => value !== undefined && !(drmaa && path[1] === 'type'))
    .map(({ path, value }) => `  ${path[1]}: ${renderYaml(value ?? null)}`)
  const last = wantedNodeKeys(context)
    .last.filter(({ value }) => value !== undefined)
    .map(({ path, value }) => `${path[0]}: ${renderYaml(value ?? null)}`)
  const lines = [
    ...(drmaa ? [] : ['manager:']),
    ...rows,
    ...furtherManagerOptions(answers),
    ...last,
    ...furtherOptions(paths),
  ]
  return `${head}${lines.join('\n')}\n`
}

interface ManagersPlan {
  /** The file without what would stand before `manager`. */
  readonly text: string | undefined
  readonly rows: readonly AppKey[]
  readonly conflicts: readonly Conflict[]
  readonly notes: readonly string[]
}

/** The rows of the manager, unless the file has managers in a way that makes `manager` useless. */
function planManagers(context: SetupContext, current: string | undefined): ManagersPlan {
  const { answers, sources, paths, force } = context
  const rows = wantedManagerKeys(context)
  const plain = { text: current, rows, conflicts: [], notes: [] }
  if (current === undefined) return plain
  try {
    const other = findOtherManagers(current, answers.manager)
    if (other === undefined)
      return readYamlValue(current, ['manager', 'type']) === 'slurm'
        ? { ...plain, rows: inShortWords(rows) }
        : plain
    const explicit = isExplicit(sources.manager)
    if (other.fits || !explicit)
      return { ...plain, rows: [], notes: [`kept: ${other.key} in app.yml (setup would write manager)`] }
    if (force) return { ...plain, text: editYaml(current, [{ path: [other.key], value: undefined }]) }
    const message = `${paths.appYml} has ${other.key}, none of which is known to run jobs as --manager ${answers.manager} says, and manager has no effect beside it. It is left as it is; --force replaces it by manager and keeps a backup`
    return { ...plain, rows: [], conflicts: [{ path: paths.appYml, key: other.key, message }] }
  } catch (error) {
    // No YAML: what is to be said about that is said when it is edited.
    if (isEditRefused(error)) return plain
    throw error
  }
}
