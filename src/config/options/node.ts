import { later, type Option } from '../option.js'
import { anything, duration, path, requiredPath, text, wholeNumber } from '../option-types.js'

/** What the node as a whole does. */
export const nodeOptions = {
  private_token: {
    type: text,
    default: undefined,
    defaultText: 'none: everyone is let in',
    description: 'What Galaxy must send with every request. Put it in quotes.',
    differs: 'A number without quotes is the text written, and told; there every request is refused.',
    secret: true,
  },
  private_token_next: {
    own: true,
    type: text,
    default: undefined,
    description:
      'A second token that is let in while the first one is changed: written by `magnetar token rotate`, taken away by `magnetar token rotate --finish`. Has no effect without private_token.',
    secret: true,
  },
  expire_jobs_after: {
    own: true,
    type: duration,
    default: undefined,
    defaultText: 'never',
    description:
      'Directories and records of jobs that are over for so long, and that nobody has collected and cleaned, are removed: a number with m, h, d or w, such as `30d`.',
  },
  journal_keep: {
    own: true,
    type: duration,
    default: undefined,
    defaultText: '90d',
    description:
      'How long the journal, in which everything that happens to a job is written and which `magnetar audit` reads, is kept: a number with m, h, d or w.',
  },
  journal_events: {
    own: true,
    type: wholeNumber(1000, 'a whole number, 1000 or more'),
    default: 200_000,
    description:
      'How many events the journal keeps at most, the latest; a job makes about eight, and one more for every file that this node moves. Ten thousand take about 2 MB.',
  },
  persistence_directory: {
    type: path,
    default: 'files/persisted_data',
    description:
      'Where the records of jobs are kept over a restart; `__none__`: nowhere. A relative path starts at the directory in which the server is started.',
  },
  file_cache_dir: {
    type: path,
    default: undefined,
    description: 'A directory for input files that several jobs use; made when it is missing.',
    differs: 'Where it is missing, the Python Pulsar does not start.',
  },
  job_metrics_config_file: {
    type: requiredPath,
    default: 'job_metrics_conf.xml',
    description:
      'What is measured of every job: XML, or YAML if the name ends in .yml or .yaml. Relative to the configuration directory.',
  },
  config_dir: {
    type: path,
    default: undefined,
    defaultText: 'the directory given with --config',
    description: 'The directory to which the names of other configuration files are relative.',
  },
  managers: {
    type: anything,
    default: undefined,
    defaultText: 'one, `_default_`, of type queued_python',
    description: 'Named managers: a mapping from name to options, see below.',
  },
  manager: {
    type: anything,
    default: undefined,
    description:
      'The options of a single manager, named `_default_` or by a key `name`. Not together with `managers`.',
  },
  job_managers_config: {
    type: path,
    default: undefined,
    description: 'An old ini file with sections `[manager:NAME]`; goes before `managers` and `manager`.',
  },
  logging: {
    type: anything,
    default: undefined,
    description: 'With --app_conf_base64 only: the level is taken from `loggers.pulsar` or `root`.',
    differs: 'Only the level is read.',
  },
  ensure_cleanup: {
    type: anything,
    default: undefined,
    description: 'Wait for threads at the end.',
    ignored: 'the server always cleans up when it stops',
  },
  job_metrics: {
    type: anything,
    default: undefined,
    description: 'Only for programs that embed Pulsar.',
    ignored: 'it is not for configuration files; use job_metrics_config_file',
  },
  log_level: {
    type: anything,
    default: undefined,
    description: 'Not an option of Pulsar, but often seen.',
    ignored: 'Pulsar does not read it either; set level under [logger_pulsar] of server.ini',
  },
  container_image_cache_path: {
    type: anything,
    default: undefined,
    description: 'Not an option of Pulsar, but often seen.',
    ignored: 'Pulsar does not read it either; containers are chosen by Galaxy',
  },
  container_resolvers: {
    type: anything,
    default: undefined,
    description: 'Not an option of Pulsar, but often seen.',
    ignored: 'Pulsar does not read it either; containers are chosen by Galaxy',
  },
  tool_config_files: later(anything, 'toolbox', 'Toolbox files: only the tools in them are run.'),
  tool_config_file: later(anything, 'toolbox', 'The same, one file.'),
  user_auth: later(anything, 'user_auth', 'How users are authenticated and authorized.'),
  sentry_dsn: later(anything, 'sentry', 'Where errors are reported to.', { secret: true }),
  sentry_event_level: later(anything, 'sentry', 'From which level on.', {
    defaultText: 'WARNING',
    quiet: true,
  }),
} as const satisfies Record<string, Option>
