import type { Option } from '../option.js'
import { fileMode, flag, path, seconds, text, wholeNumber } from '../option-types.js'

/** Of app.yml as well as of one manager, where they override. */
export const sharedOptions = {
  staging_directory: {
    type: { ...path, nullable: false },
    default: 'files/staging',
    description:
      'Parent of the job directories; made when it is missing. A relative path starts at the directory in which the server is started.',
  },
  assign_ids: {
    type: text,
    default: 'galaxy',
    description:
      '`galaxy` uses the job ids that Galaxy sends, `uuid` makes new ones: needed when several Galaxies share a manager.',
  },
  galaxy_home: {
    type: path,
    default: undefined,
    defaultText: '`$GALAXY_HOME`',
    description:
      'Where Galaxy is installed on this machine, for tools that use its libraries. `none`: nowhere.',
  },
  debug: {
    type: flag,
    default: false,
    description: 'Keep the directories of finished jobs.',
  },
  maximum_stream_size: {
    type: wholeNumber(-1, 'a whole number of bytes, or -1 for no limit'),
    default: 1024 * 1024,
    description:
      'Bytes of standard output and standard error that are sent to Galaxy; -1, and 0 in app.yml: no limit.',
  },
  job_directory_mode: {
    type: fileMode,
    default: undefined,
    defaultText: '0777 less the umask',
    description: 'Mode with which job directories are made; the umask applies.',
  },
  send_stdout_update: {
    type: flag,
    default: false,
    description:
      "Send a running job's standard output and error to Galaxy; for jobs with which Galaxy says where it takes files.",
  },
  stdout_update_interval: {
    type: seconds,
    default: 3,
    description: 'Seconds between two updates.',
  },
  stdout_update_timeout: {
    type: seconds,
    default: 30,
    description: 'Seconds that one update may take.',
  },
  stdout_update_chunk_size: {
    type: wholeNumber(1, 'a whole number of bytes, 1 or more'),
    default: 512 * 1024,
    description: 'Bytes of one update at most.',
  },
} as const satisfies Record<string, Option>
