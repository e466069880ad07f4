import { type ConfigNode, isNull } from './node.js'
import type { Problems } from './problems.js'

/** Parts of Pulsar that this release does not have. The sentence follows the keys that ask for it. */
export const FEATURES = {
  message_queue: 'this release serves REST only: nothing is read from or sent to the message queue',
  object_store: 'this release has no object store: the staging action object_store_copy fails',
  toolbox: 'this release has no toolbox: tools are NOT checked against a white-list',
  user_auth:
    'this release has no user authentication: jobs are accepted from everyone who has the private token',
  sentry: 'this release does not report to Sentry',
  cvmfsexec: 'this release does not set up CVMFS for jobs: it must be mounted on the machines that run them',
  external_drmaa:
    'this release runs jobs as the user of the server only, so it does not start with this manager; type: queued_drmaa does that',
  condor: 'this release does not submit to HTCondor: jobs fail',
  coexecution: 'this release does not write jobs for another container to run: jobs fail',
  cli: 'of job plugins this release has only Slurm, of shell plugins only LocalShell: with others jobs fail',
} as const satisfies Record<string, string>

export type Feature = keyof typeof FEATURES

/** Gathers what asks for missing features, so that each is told once, however many keys there are. */
export interface FeatureRequests {
  addKey(feature: Feature, key: string): void
  addManager(feature: Feature, manager: string): void
  warn(problems: Problems): void
}

const SHOWN_NAMES = 4

export function createFeatureRequests(): FeatureRequests {
  const keys = new Map<Feature, string[]>()
  const managers = new Map<Feature, string[]>()
  const warnOf = (
    requests: typeof keys,
    phrase: (names: string, many: boolean) => string,
    problems: Problems,
  ) => {
    for (const [feature, names] of requests) {
      problems.warn(undefined, `${phrase(listNames(names), names.length > 1)}: ${FEATURES[feature]}`)
    }
  }
  return {
    addKey: (feature, key) => void keys.set(feature, [...(keys.get(feature) ?? []), key]),
    addManager: (feature, name) => void managers.set(feature, [...(managers.get(feature) ?? []), name]),
    warn(problems) {
      warnOf(keys, (names, many) => `${names} ${many ? 'are' : 'is'} set`, problems)
      warnOf(managers, (names, many) => `manager${many ? 's' : ''} ${names}`, problems)
    },
  }
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES).join(', ')
  return names.length > SHOWN_NAMES ? `${shown} and ${names.length - SHOWN_NAMES} more` : shown
}

const OFF_WORDS = new Set(['', 'false', 'no', 'off', 'none', 'null', '0'])

/** Whether a value asks for anything: not null, off, empty, or a mapping of such values or with `use: false`. */
export function asksForSomething(node: ConfigNode): boolean {
  if (isNull(node)) return false
  if (node.kind === 'sequence') return node.items.length > 0
  if (node.kind === 'scalar') return !OFF_WORDS.has(String(node.value).toLowerCase())
  const use = node.entries.get('use')
  if (use && !asksForSomething(use)) return false
  return [...node.entries.values()].some(asksForSomething)
}
