import { findNearest } from '../../config/nearest.js'
import type { AnswerProblem, Given } from './given.js'
import { type OptionName, VARIABLE_PREFIX, variableOf } from './option.js'
import { SETUP_OPTIONS } from './options/index.js'

/** Read elsewhere: what `--yes` and `--answers` say, and a Supervisor that is not at its usual place. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  MAGNETAR_SETUP_YES: 'yes: as --yes',
  MAGNETAR_SETUP_ANSWERS: 'as --answers',
  MAGNETAR_SETUP_SUPERVISOR_CONF: 'configuration file of the Supervisor to use',
}

const IN_THE_CLEAR = 'MAGNETAR_SETUP_TOKEN'

/** The answers in the environment; a variable without a value counts as not set. `directory` is where relative paths are from. */
export function readEnvironment(
  env: NodeJS.ProcessEnv,
  directory: string,
): { given: Map<OptionName, Given>; problems: AnswerProblem[] } {
  const given = new Map<OptionName, Given>()
  const problems: AnswerProblem[] = []
  const names = new Map(SETUP_OPTIONS.map(({ name }) => [variableOf(name), name]))
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(VARIABLE_PREFIX) || !text || Object.hasOwn(OTHER_VARIABLES, variable)) continue
    const name = names.get(variable)
    if (name) given.set(name, { text, spelled: variable, directory })
    else problems.push({ name: undefined, kind: 'invalid', spelled: variable, message: explain(variable) })
  }
  return { given, problems }

  function explain(variable: string): string {
    if (variable === IN_THE_CLEAR)
      return `other programs can read the environment; put the token into a file and name that in ${variableOf('tokenFile')}`
    // Compared without the beginning that all of them share.
    const known = [...names.keys(), ...Object.keys(OTHER_VARIABLES)].map(withoutPrefix)
    const nearest = findNearest(withoutPrefix(variable), known)
    return nearest
      ? `there is no such variable; is ${VARIABLE_PREFIX}${nearest.toUpperCase()} meant?`
      : 'there is no such variable'
  }
}

function withoutPrefix(variable: string): string {
  return variable.slice(VARIABLE_PREFIX.length).toLowerCase()
}
