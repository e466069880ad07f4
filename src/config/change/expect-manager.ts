import { MagnetarError } from '../../lib/errors.js'
import type { LoadOptions } from '../load.js'
import { findNearest } from '../nearest.js'
import { createProblems } from '../problems.js'
import { readSources } from '../sources.js'

/**
 * Sees to it that an option set for `manager` (or `managers.NAME`) has an effect, and makes no new manager out of a typing error.
 * @throws MagnetarError EDIT_REFUSED with the name to use instead; ConfigError when the files cannot be read
 */
export async function expectManager(options: LoadOptions, manager: string, key: string): Promise<void> {
  const problems = createProblems()
  const { app } = await readSources(options, problems)
  problems.throwIfAny()
  const legacy = app.get('job_managers_config')
  if (legacy?.kind === 'scalar' && legacy.text !== '' && legacy.type !== 'null')
    throw refuse(
      `the managers are in ${legacy.text} (job_managers_config)`,
      'Change that file with an editor.',
    )
  const managers = app.get('managers')
  if (managers === undefined) {
    if (manager === 'manager' || !app.has('manager')) return
    throw refuse('the node has one manager, under "manager"', `Its options are set as manager.${key}`)
  }
  const names = managers.kind === 'mapping' ? [...managers.entries.keys()] : []
  if (manager === 'manager')
    throw refuse(
      'the node has managers with names, so "manager" has no effect',
      `Use ${names.map((name) => `managers.${name}.${key}`).join(' or ') || `managers.NAME.${key}`}`,
    )
  const name = manager.slice('managers.'.length)
  if (names.includes(name) || key === 'type') return
  const nearest = findNearest(name, names)
  throw refuse(
    `there is no manager ${name}${nearest === undefined ? '' : `. Is ${nearest} meant?`}`,
    `The node has ${names.join(', ') || 'none'}. To make a new one, set managers.${name}.type first.`,
  )
}

function refuse(message: string, fix: string): MagnetarError {
  return new MagnetarError('EDIT_REFUSED', message, { fix })
}
