import { later, type Option } from '../option.js'
import { anything } from '../option-types.js'

/** Galaxy's object store. */
export const objectStoreOptions = {
  object_store_config_file: later(anything, 'object_store', "Galaxy's object store configuration."),
  object_store_config: later(anything, 'object_store', 'The same, as a mapping.'),
  'object_store_*': later(anything, 'object_store', 'Directories and umask of the object store.', {
    quiet: true,
  }),
} as const satisfies Record<string, Option>
