import type { AnswerSource, Facts, Manifest } from '../types.js'
import type { Machine, OptionName } from './option.js'

/** What somebody wrote. */
export interface Given {
  readonly text: string
  /** For messages: `--port`, `MAGNETAR_SETUP_PORT`, `node.yml: port`. */
  readonly spelled: string
  /** Relative paths are taken from here. */
  readonly directory: string
}

export type GivenAnswers = ReadonlyMap<OptionName, Given>

/** All that was given, the strongest first. */
export interface AnswerLayers {
  readonly flags: GivenAnswers
  readonly environment: GivenAnswers
  readonly answersFile: GivenAnswers
  readonly wizard: GivenAnswers
}

export const NOTHING_GIVEN: AnswerLayers = {
  flags: new Map(),
  environment: new Map(),
  answersFile: new Map(),
  wizard: new Map(),
}

export interface AnswerProblem {
  /** undefined: of no option that there is. */
  readonly name: OptionName | undefined
  readonly kind: 'invalid' | 'missing' | 'not permitted'
  /** Where it was given, else the flag that would say otherwise. */
  readonly spelled: string
  /** Sentence without full stop. */
  readonly message: string
}

/** What the rules look at, and may correct: an answer that goes with another one. */
export interface CheckedState {
  readonly given: AnswerLayers
  readonly values: Partial<Record<OptionName, unknown>>
  readonly sources: Partial<Record<OptionName, AnswerSource>>
  readonly facts: Facts
  readonly machine: Machine
  /** Other files at the prefix do not matter. */
  readonly force: boolean
  readonly manifest: Manifest | undefined
}

/** The strongest thing that was written for an option. */
export function findGiven(
  layers: AnswerLayers,
  name: OptionName,
): (Given & { source: AnswerSource }) | undefined {
  for (const [source, layer] of [
    ['flag', layers.flags],
    ['environment', layers.environment],
    ['answers file', layers.answersFile],
    ['wizard', layers.wizard],
  ] as const) {
    const found = layer.get(name)
    if (found) return { ...found, source }
  }
  return undefined
}
