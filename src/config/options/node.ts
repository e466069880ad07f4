import { later, type Option } from '../option.js'
import { anything, duration, flag, path, requiredPath, text, wholeNumber } from '../option-types.js'

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
  allow_without_token: {
    own: true,
    type: flag,
    default: false,
    description:
      'Serve without a private_token also on an address that other machines can reach. For a network in which a firewall or a proxy lets only Galaxy through: whoever else reaches the port can run commands as the user of the server.',
  },
  allow_root: {
    own: true,
    type: flag,
    default: false,
    description:
      'Serve as root. For containers that have no other user: jobs run as root then, and a root that is the one of the host can do everything there.',
  },
  requests_per_client: {
    own: true,
    type: wholeNumber(0, 'a whole number, 0 for no limit'),
    default: 1000,
    description:
      'Requests of one address that are answered at once; more of them get 429 with Retry-After. Behind a proxy on this machine the address is the last one of X-Forwarded-For. The Pulsar client asks again for a status or an output, and does not for a submit or an upload, so keep it above the threads of all the handlers of a Galaxy. At most three quarters of the connections that the server takes.',
  },
  maximum_upload_size: {
    own: true,
    type: wholeNumber(-1, 'a whole number of bytes, or -1 for no limit'),
    default: -1,
    description: 'Bytes of one uploaded file; a larger one gets 413 and is not stored. -1: no limit.',
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
