import type { Option } from '../option.js'
import {
  bytes,
  fileMode,
  flag,
  path,
  pause,
  requiredPath,
  seconds,
  streamSize,
  strictFlag,
  text,
} from '../option-types.js'

/** Of app.yml as well as of one manager, where they override. */
export const sharedOptions = {
  staging_directory: {
    type: requiredPath,
    default: 'files/staging',
    description:
      'Parent of the job directories; made when it is missing. A relative path starts at the directory in which the server is started.',
    differs: 'Without a value it is refused; there it is the directory in which the server is started.',
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
    type: strictFlag,
    default: false,
    description: 'Keep the directories of finished jobs.',
    differs: 'A word other than true counts as false, as there, but is told.',
  },
  maximum_stream_size: {
    type: streamSize,
    default: 1024 * 1024,
    description:
      'Bytes of standard output and standard error that are sent to Galaxy; -1, and 0 in app.yml: no limit.',
  },
  job_directory_mode: {
    type: fileMode,
    default: undefined,
    defaultText: '0777 less the umask',
    description: 'Mode with which job directories are made; the umask applies.',
    differs:
      'Octal with quotes and without, at the top and in a manager; there one of the two fails in either place. A mode that keeps the owner out is refused.',
  },
  send_stdout_update: {
    type: flag,
    default: false,
    description:
      "Send a running job's standard output and error to Galaxy; for jobs with which Galaxy says where it takes files.",
    differs: 'The text "false" is false, and told; there it is true.',
  },
  stdout_update_interval: {
    type: { ...pause, nullable: true },
    default: 3,
    description: 'Seconds between two updates.',
  },
  stdout_update_timeout: {
    type: { ...seconds, nullable: true },
    default: 30,
    description: 'Seconds that one update may take.',
  },
  stdout_update_chunk_size: {
    type: bytes,
    default: 512 * 1024,
    description: 'Bytes of one update at most.',
  },
} as const satisfies Record<string, Option>
