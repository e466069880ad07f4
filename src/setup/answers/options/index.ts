import type { OptionName, SetupOption } from '../option.js'
import { jobOptions } from './jobs.js'
import { networkOptions } from './network.js'
import { placeOptions } from './place.js'
import { runningOptions } from './running.js'

/** All options in the order in which they are resolved: a default may use the answers before it. */
export const SETUP_OPTION_GROUPS: readonly {
  readonly title: string
  readonly options: readonly SetupOption[]
}[] = [
  { title: 'Where and whose', options: placeOptions },
  { title: 'Jobs', options: jobOptions },
  { title: 'Who may send jobs', options: networkOptions },
  { title: 'Running', options: runningOptions },
]

export const SETUP_OPTIONS: readonly SetupOption[] = SETUP_OPTION_GROUPS.flatMap(({ options }) => options)

/** The record of an option. */
export function setupOption(name: OptionName): SetupOption {
  const found = SETUP_OPTIONS.find((option) => option.name === name)
  if (!found) throw new Error(`no option ${name}`)
  return found
}
