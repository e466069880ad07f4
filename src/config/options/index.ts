import type { OptionTable } from '../option.js'
import { dependencyOptions } from './dependencies.js'
import { managerOnlyOptions } from './manager.js'
import { messagingOptions } from './messaging.js'
import { nodeOptions } from './node.js'
import { objectStoreOptions } from './object-store.js'
import { loggerOptions, serverMainOptions, uwsgiOptions } from './server.js'
import { sharedOptions } from './shared.js'
import { transferOptions } from './transfers.js'

/** What may stand at the top of app.yml. */
export const appOptions = {
  ...nodeOptions,
  ...sharedOptions,
  ...transferOptions,
  ...messagingOptions,
  ...dependencyOptions,
  ...objectStoreOptions,
} as const

/** What may stand in a manager. */
export const managerOptions = { ...sharedOptions, ...managerOnlyOptions } as const

interface OptionGroup {
  readonly title: string
  /** Where the options stand. */
  readonly where: string
  readonly options: OptionTable
}

/** The chapters of docs/options.md. */
export const OPTION_GROUPS: readonly OptionGroup[] = [
  { title: 'The node', where: 'At the top of app.yml.', options: nodeOptions },
  {
    title: 'Jobs',
    where: 'At the top of app.yml, for all managers, or in one manager, which goes first.',
    options: sharedOptions,
  },
  {
    title: 'Managers',
    where: 'In `managers: NAME:` or in `manager:` of app.yml.',
    options: managerOnlyOptions,
  },
  { title: 'Transfers', where: 'At the top of app.yml.', options: transferOptions },
  { title: 'Server', where: 'In `[server:main]` of server.ini.', options: serverMainOptions },
  { title: 'uWSGI', where: 'In `[uwsgi]` of server.ini.', options: uwsgiOptions },
  {
    title: 'Logging',
    where: 'In `[logger_pulsar]` or `[logger_root]` of server.ini.',
    options: loggerOptions,
  },
  { title: 'Message queue and relay', where: 'At the top of app.yml.', options: messagingOptions },
  {
    title: 'Tool dependencies',
    where:
      'At the top of app.yml. [Tool dependencies](dependencies.md) explains them. What begins with the type of a resolver counts for all resolvers of that type that do not say it themselves.',
    options: dependencyOptions,
  },
  { title: 'Object store', where: 'At the top of app.yml.', options: objectStoreOptions },
]
