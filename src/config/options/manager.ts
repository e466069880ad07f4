import { later, type Option } from '../option.js'
import {
  anything,
  concurrency,
  flag,
  oneOf,
  path,
  pause,
  retries,
  seconds,
  text,
  tmpDirectory,
} from '../option-types.js'
import type { ManagerType } from '../types.js'

export const MANAGER_TYPES = [
  'queued_python',
  'unqueued',
  'slurm',
  'queued_cli',
  'queued_drmaa',
  'queued_drmaa_xsede',
  'queued_external_drmaa',
  'queued_condor',
  'coexecution',
] as const satisfies readonly ManagerType[]

const QUIET = { quiet: true } as const

type RetryOptions<Prefix extends string> = Record<`${Prefix}_max_retries`, Option<number, undefined>> &
  Record<`${Prefix}_${'interval_start' | 'interval_step' | 'interval_max'}`, Option<number, number>>

/** How often and how soon a failed transfer is tried again (managers/util/retry.py). */
function retryOptions<const Prefix extends string>(prefix: Prefix, what: string): RetryOptions<Prefix> {
  const interval = (seconds_: number, description: string): Option<number, number> => ({
    type: pause,
    default: seconds_,
    description,
  })
  return {
    [`${prefix}_max_retries`]: {
      type: retries,
      default: undefined,
      defaultText: 'for a day',
      description: `Attempts after the first at ${what}, when the network, Galaxy or the disk fails: 0 for ever, -1 none.`,
      differs: 'Without it transfers are tried again for a day; there they are tried once.',
    },
    [`${prefix}_interval_start`]: interval(2, 'Seconds before the second attempt.'),
    [`${prefix}_interval_step`]: interval(2, 'Seconds added before each further attempt.'),
    [`${prefix}_interval_max`]: interval(30, 'Seconds between two attempts at most.'),
  } as RetryOptions<Prefix>
}

/** What only a manager has. */
export const managerOnlyOptions = {
  type: {
    type: oneOf(MANAGER_TYPES),
    default: 'queued_python',
    description:
      'How jobs are run: `queued_python` some at a time and `unqueued` at once, both on this machine; `slurm`, and `queued_cli` with `job_plugin: Slurm`, through sbatch; `queued_drmaa` through [a DRMAA library](drmaa.md).',
  },
  name: {
    type: text,
    default: undefined,
    defaultText: '`_default_`',
    description: 'Under the singular `manager` only: its name.',
    differs: 'There the start fails.',
  },
  num_concurrent_jobs: {
    type: concurrency,
    default: 1,
    differs: 'Less than 0 is 0, and told.',
    description: 'queued_python: how many jobs run at once; `"*"`: as many as there are CPUs.',
  },
  native_specification: {
    type: text,
    default: undefined,
    description: "Options of the scheduler's own command; used instead of those that Galaxy sends.",
  },
  job_name_template: {
    type: text,
    default: 'pulsar_$job_id',
    description: 'Name of the job in the scheduler.',
    differs: 'Nothing in it is the default.',
  },
  drmaa_library_path: {
    own: true,
    type: path,
    default: undefined,
    defaultText: '`$DRMAA_LIBRARY_PATH`, or `libdrmaa.so` where the system finds it',
    description: "queued_drmaa: the cluster's DRMAA library.",
  },
  drmaa_fallback: {
    own: true,
    type: flag,
    default: true,
    description:
      "queued_drmaa: whether jobs are submitted with Slurm's own commands on a host that has them, when the library cannot be used.",
  },
  job_plugin: { type: text, default: undefined, description: 'queued_cli: the scheduler, `Slurm`.' },
  shell_plugin: {
    type: text,
    default: undefined,
    defaultText: '`LocalShell`',
    description: 'queued_cli: how its commands are run.',
  },
  'shell_*': later(anything, 'cli', 'queued_cli: options of a remote shell plugin.', {
    secret: true,
    quiet: true,
  }),
  'job_*': {
    type: text,
    default: undefined,
    description:
      'queued_cli and slurm: `job_time`, `job_ncpus`, `job_partition`, or an option of sbatch as it is: `"job_--mem": 4G`. Used as the text written.',
    differs: 'Without quotes it is the text written: `1:00:00` is 3600 there.',
  },
  'env_*': {
    type: text,
    default: undefined,
    description: '`env_NAME: value` sets the variable NAME in the job script; `$VAR` in the value expands.',
    differs:
      'Without quotes `1.50` stays 1.50. Nothing is empty; there every job fails. What no shell can set is left out, and told.',
  },
  tmp_dir: {
    type: tmpDirectory,
    default: undefined,
    defaultText: '`tmp` in the job directory',
    description: 'The tmp directory of jobs: a path, or a shell expression that prints one.',
  },
  galaxy_virtual_env: {
    type: path,
    default: undefined,
    defaultText: '`$GALAXY_VIRTUAL_ENV`',
    description: 'Virtual environment of Galaxy, activated in the job script.',
  },
  galaxy_config_file: { type: path, default: undefined, description: 'Reported to Galaxy.' },
  galaxy_dataset_files_path: { type: path, default: undefined, description: 'Reported to Galaxy.' },
  galaxy_datatypes_config_file: { type: path, default: undefined, description: 'Reported to Galaxy.' },
  min_polling_interval: {
    type: pause,
    default: 0.5,
    description: 'Seconds between two questions to the scheduler, at least.',
  },
  return_code_wait: {
    type: seconds,
    default: 15,
    description:
      "Seconds that a job's return code may take to show up on a shared file system after the scheduler says the job ended.",
    own: true,
  },
  monitor: later(anything, 'coexecution', 'coexecution: how the end of a job is seen.', QUIET),
  cvmfsexec: later(anything, 'cvmfsexec', 'Set up CVMFS for the job.'),
  ...retryOptions('preprocess_action', 'fetching an input'),
  ...retryOptions('postprocess_action', 'delivering an output'),
  'submit_*': later(anything, 'condor', 'queued_condor: lines of the submit file.', QUIET),
  production: later(anything, 'external_drmaa', 'queued_external_drmaa.', QUIET),
  chown_working_directory_script: later(anything, 'external_drmaa', 'queued_external_drmaa.', QUIET),
  drmaa_launch_script: later(anything, 'external_drmaa', 'queued_external_drmaa.', QUIET),
  drmaa_kill_script: later(anything, 'external_drmaa', 'queued_external_drmaa.', QUIET),
  user_mapping_script: later(anything, 'external_drmaa', 'queued_external_drmaa.', QUIET),
  user_mapping_timeout: later(anything, 'external_drmaa', 'queued_external_drmaa.', QUIET),
} as const satisfies Record<string, Option>
