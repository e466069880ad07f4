import { createRandom, type Random } from '../random.js'

/** A configuration directory `etc`, and how a server is started on it. */
export interface Configuration {
  readonly name: string
  /** Path below the directory of the case -> content. `ROOT` in it is that directory. */
  readonly files: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  /** How it is named to the server. */
  readonly by: 'directory' | 'app.yml' | 'base64'
}

/** Values as they stand in a file: what is right, what is written without care, what is wrong. */
type Values = readonly string[]

const FLAGS: Values = [
  'true',
  'false',
  'True',
  'yes',
  'no',
  '"true"',
  '"False"',
  '"yes"',
  '"no"',
  '1',
  '0',
  '~',
  '""',
  '"1"',
  'maybe',
]
const RETRIES: Values = ['10', '"5"', '0', '-1', '-5', '~', '3.5', '"x"', '""']
const INTERVALS: Values = ['2', '"2"', '0.5', '60', '"1.5"', 'true', '0', '~', '"x"', '-1']

/** At the top of app.yml and in a manager. */
const SHARED: Readonly<Record<string, Values>> = {
  staging_directory: ['ROOT/staging', 'rel/staging', '"jobs"', './x/../y', '"ROOT/a b"', '12', '~'],
  assign_ids: ['galaxy', 'uuid', 'none', 'job_plus_uuid', 'UUID', '~', 'yes', '""'],
  galaxy_home: ['/opt/galaxy', 'none', 'None', '~', '""', '7'],
  debug: FLAGS,
  maximum_stream_size: [
    '1048576',
    '0',
    '"0"',
    '-1',
    '"2048"',
    '1e6',
    '1_000',
    '1.5',
    '4.0e+3',
    'true',
    '~',
    '""',
    '" 12 "',
    '0x10',
  ],
  job_directory_mode: [
    '0777',
    '"0750"',
    '"0o750"',
    '750',
    '"750"',
    '0750',
    '488',
    '~',
    '"rwx"',
    '0o700',
    '"0640"',
    '""',
  ],
  send_stdout_update: FLAGS,
  stdout_update_interval: INTERVALS,
  stdout_update_timeout: INTERVALS,
  stdout_update_chunk_size: ['65536', '"1024"', '1.5', '~', '"x"', '0'],
}

const TOP: Readonly<Record<string, Values>> = {
  ...SHARED,
  private_token: [
    'foo',
    '"12345"',
    '12345',
    '0123',
    '1e3',
    '1.0',
    'yes',
    '2020-01-01',
    '1:30',
    '~',
    '""',
    "'it''s'",
  ],
  persistence_directory: ['ROOT/active', 'rel/active', '__none__', '~', '""', 'var', '3'],
  job_metrics_config_file: ['metrics.yml', 'metrics.xml', 'missing.xml', 'ROOT/etc/metrics.yml', '~', '""'],
  file_cache_dir: ['ROOT/cache', 'cache', 'missing/cache', '~', '""'],
  tool_dependency_dir: ['ROOT/deps', 'deps', 'none', 'NONE', '~', '""'],
  use_tool_dependencies: ['true', 'false', '"false"', '~'],
  conda_auto_init: ['true', 'false', '"True"', 'yes', '~'],
  conda_prefix: ['/opt/conda', '~', 'rel/conda'],
  dependency_resolvers_config_file: ['resolvers.xml', 'resolvers.yml', 'missing.xml', '~'],
  dependency_resolution: [
    '{use: false}',
    '{resolvers: []}',
    '{resolvers: [{type: conda, auto_init: false}]}',
    '~',
    '{default_base_path: ROOT/deps}',
  ],
  message_queue_url: [
    'amqp://u:p@mq.example.org:5672//v',
    '"pyamqp://u:p@mq.example.org//v?ssl=1"',
    '""',
    '~',
    'https://relay.example.org',
  ],
  message_queue_consume: FLAGS,
  amqp_acknowledge: FLAGS,
  amqp_publish_retry: FLAGS,
  amqp_heartbeat: ['true', '580', 'none', '~'],
  sentry_dsn: ['https://key@sentry.example.org/4', '""', '~'],
  user_auth: ['{authentication: [{type: allow_all}], authorization: [{type: allow_all}]}', '~', '{}'],
  ensure_cleanup: FLAGS,
  config_dir: ['ROOT/elsewhere'],
  log_level: ['DEBUG'],
  container_image_cache_path: ['/data/cache'],
  min_polling_interval: ['0.5', '15'],
  preprocess_action_max_retries: ['30'],
  no_such_option: ['x', '[1, 2]', '{a: b}'],
  object_store_config_file: ['ROOT/etc/metrics.xml'],
}

const TYPES: Values = [
  'queued_python',
  'queued_python',
  'unqueued',
  'queued_cli',
  'queued_drmaa',
  'queued_drmaa_xsede',
  'queued_condor',
  'coexecution',
  'queued_pbs',
  'slrum',
  '"unqueued"',
  '~',
  '""',
]

const MANAGER: Readonly<Record<string, Values>> = {
  ...SHARED,
  num_concurrent_jobs: ['4', '"4"', '"*"', "'*'", '0', '"many"', '2.7', '-1', 'true', '~', '""'],
  min_polling_interval: INTERVALS,
  preprocess_action_max_retries: RETRIES,
  preprocess_action_interval_start: INTERVALS,
  preprocess_action_interval_step: INTERVALS,
  preprocess_action_interval_max: INTERVALS,
  preprocess_action_description: ['fetching'],
  postprocess_action_max_retries: RETRIES,
  postprocess_action_interval_max: INTERVALS,
  galaxy_virtual_env: ['/opt/galaxy/.venv', '~', '""'],
  galaxy_config_file: ['/opt/galaxy/config/galaxy.ini', '~', '5'],
  galaxy_dataset_files_path: ['/data/files'],
  galaxy_datatypes_config_file: ['/opt/galaxy/datatypes_conf.xml', '""'],
  tmp_dir: ['/scratch', 'true', 'false', '"yes"', '"no"', '$(mktemp -d)', '1', '~', '""', '0'],
  native_specification: ['"-p long"', '-n1', '~', '""', '5'],
  job_name_template: ['galaxy_$job_id', '"${job_id}_x"', '~', '""'],
  job_plugin: ['Slurm', 'Torque', 'Nonsense', '~'],
  shell_plugin: ['LocalShell', 'SecureShell', '~'],
  shell_hostname: ['head'],
  job_time: ['"01:00:00"', '1:00:00', '60', '~'],
  'job_--mem': ['4G', '~'],
  job_ncpus: ['4', '010', '"4"', '2.50'],
  env_PATH: ['/opt/bin:$PATH', '"a b"'],
  env_Flag: ['yes', '010', '1.50', '~', '""', '2020-01-01', '1e5'],
  ENV_UPPER: ['x'],
  'env_with-dash': ['x'],
  env_list: ['[a, b]'],
  submit_universe: ['vanilla'],
  SUBMIT_Request_Memory: ['4G'],
  cvmfsexec: ['{mode: mountrepo, path: /opt/cvmfsexec, repositories: [a.example.org]}', '~', '{mode: bogus}'],
  monitor: ['background', 'none', 'sometimes'],
  user_mapping_script: ['/bin/map'],
  no_such_option: ['x'],
  private_token: ['misplaced'],
}

/** Of the variables' values only what can stand in a variable. */
const VARIABLES: readonly (readonly [string, Values])[] = [
  ['PULSAR_CONFIG_OVERRIDE_PRIVATE_TOKEN', ['over', '99']],
  ['PULSAR_CONFIG_PRIVATE_TOKEN', ['under']],
  ['PULSAR_CONFIG_OVERRIDE_STAGING_DIRECTORY', ['ROOT/env-staging', 'env-staging']],
  ['PULSAR_CONFIG_PERSISTENCE_DIRECTORY', ['ROOT/env-active', '__none__']],
  ['PULSAR_CONFIG_OVERRIDE_MAXIMUM_STREAM_SIZE', ['0', '2048']],
  ['PULSAR_CONFIG_JOB_DIRECTORY_MODE', ['0750', '750']],
  ['PULSAR_CONFIG_OVERRIDE_DEBUG', ['true', 'false', '1']],
  ['PULSAR_CONFIG_SEND_STDOUT_UPDATE', ['true', 'false', '']],
  ['PULSAR_CONFIG_OVERRIDE_MESSAGE_QUEUE_URL', ['amqp://u:p@h//', '']],
  ['PULSAR_CONFIG_ASSIGN_IDS', ['uuid']],
  ['PULSAR_CONFIG_FILE', ['ROOT/etc/server.ini']],
  ['GALAXY_HOME', ['/env/galaxy', 'none']],
  ['GALAXY_VIRTUAL_ENV', ['/env/venv']],
]

const SIDE_FILES: Readonly<Record<string, string>> = {
  'etc/metrics.yml': '- type: core\n- type: cpuinfo\n- type: uname\n  args: -s\n',
  'etc/metrics.xml': '<job_metrics><core /><env variables="HOSTNAME" /><hostname /></job_metrics>\n',
  'etc/resolvers.yml': '- type: galaxy_packages\n- type: conda\n  auto_init: false\n',
  'etc/resolvers.xml':
    '<dependency_resolvers><modules modulecmd="/usr/bin/modulecmd" /></dependency_resolvers>\n',
  'elsewhere/job_metrics_conf.xml': '<job_metrics><meminfo /></job_metrics>\n',
  'cache/.keep': '',
  'work/cache/.keep': '',
}

/** In which type of manager an option of few types is read. */
const TYPE_OF: readonly (readonly [RegExp, string])[] = [
  [/^(job|shell)_/, 'queued_cli'],
  [/^native_specification$/, 'queued_drmaa'],
  [/^submit_/i, 'queued_condor'],
  [/^monitor$/, 'coexecution'],
]

/** Every value of every option alone, in a file and under [app:main], and those of a manager in one. */
export function listConfigurations(): Configuration[] {
  const found: Configuration[] = []
  const add = (name: string, files: Record<string, string>): void => {
    found.push({ name, files: { ...SIDE_FILES, ...files }, env: {}, by: 'directory' })
  }
  const beside = (key: string): string => (key.startsWith('stdout_') ? 'send_stdout_update: true\n' : '')
  for (const [key, values] of Object.entries(TOP)) {
    for (const value of new Set(values)) {
      add(`${key}: ${value}`, { 'etc/app.yml': `${beside(key)}${key}: ${value}\n` })
      if (!/[{[]/.test(value))
        add(`${key} = ${iniText(value)}`, {
          'etc/app.yml': beside(key),
          'etc/server.ini': `[app:main]\n${key} = ${iniText(value)}\n`,
        })
    }
  }
  for (const [key, values] of Object.entries(MANAGER)) {
    const type = TYPE_OF.find(([names]) => names.test(key))?.[1] ?? 'queued_python'
    for (const value of new Set(values))
      add(`manager.${key}: ${value}`, {
        'etc/app.yml': `${beside(key)}manager:\n  type: ${type}\n  ${key}: ${value}\n`,
      })
  }
  for (const type of new Set(TYPES))
    add(`type: ${type}`, { 'etc/app.yml': `managers: {a: {type: ${type}}}\n` })
  add('an option that is not looked at', {
    'etc/app.yml': 'dependency_resolvers_config_file: ~\ndependency_resolution: {use: false}\n',
  })
  return found
}

/** The same configurations from the same seed. */
export function makeConfigurations(count: number, seed: number): Configuration[] {
  const random = createRandom(seed)
  return Array.from({ length: count }, (_, index) => makeConfiguration(`generated ${index}`, random))
}

function makeConfiguration(name: string, random: Random): Configuration {
  const files: Record<string, string> = { ...SIDE_FILES }
  // Few at a time: one that is refused hides all others.
  const app = pickOptions(TOP, random.below(6), random)
  const lines = Object.entries(app).map(([key, value]) => `${key}: ${value}\n`)
  const legacy = random.chance(0.08)
  if (legacy) {
    files['work/job_managers.ini'] = makeLegacy(random)
    lines.push('job_managers_config: job_managers.ini\n')
  }
  lines.push(makeManagers(random))
  files['etc/app.yml'] = random.chance(0.03) ? '' : lines.join('')
  if (random.chance(0.4)) files['etc/server.ini'] = makeServerIni(random, files)
  const env: Record<string, string> = {}
  for (const [variable, values] of random.chance(0.25) ? random.some(VARIABLES, 3) : [])
    env[variable] = random.pick(values)
  return {
    name,
    files,
    env,
    by: random.chance(0.1) && files['etc/app.yml'] !== undefined ? 'app.yml' : 'directory',
  }
}

function pickOptions(
  table: Readonly<Record<string, Values>>,
  most: number,
  random: Random,
): Record<string, string> {
  const keys = random.some(Object.keys(table), most)
  return Object.fromEntries(keys.map((key) => [key, pickValue(table[key] ?? [], random)]))
}

/** The first values of a list are those that sites write. */
function pickValue(values: Values, random: Random): string {
  return random.chance(0.55) ? random.pick(values.slice(0, 3)) : random.pick(values)
}

function makeManagers(random: Random): string {
  if (random.chance(0.25)) return ''
  if (random.chance(0.05))
    return random.pick([
      'managers:\n',
      'managers: {}\n',
      'managers: []\n',
      'manager:\n',
      'managers: {a: ~}\n',
      'manager: {}\n',
    ])
  if (random.chance(0.4)) {
    const named = random.chance(0.15) ? '  name: cluster\n' : ''
    return `manager:\n${makeManager(random, '  ')}${named}${random.chance(0.1) ? 'managers: {other: {}}\n' : ''}`
  }
  const names = ['production', 'test', '_default_'].slice(0, 1 + random.below(3))
  if (random.chance(0.1)) names.push(random.pick(['1', 'yes', 'a b', '2020-01-01']))
  return `managers:\n${[...new Set(names)].map((each) => `  ${each}:\n${makeManager(random, '    ')}`).join('')}`
}

function makeManager(random: Random, indent: string): string {
  const options: Record<string, string> = pickOptions(MANAGER, random.below(4), random)
  if (random.chance(0.8))
    options.type = random.chance(0.85) ? random.pick(TYPES.slice(0, 8)) : random.pick(TYPES)
  const lines = Object.entries(options).map(([key, value]) => `${indent}${key}: ${value}\n`)
  return lines.length === 0 ? `${indent}{}\n` : lines.join('')
}

/** A value of YAML as it would stand in an ini file. */
function iniText(value: string): string {
  const text = value.replace(/^(["'])(.*)\1$/, '$2').trim()
  return text === '~' ? '' : text
}

function makeLegacy(random: Random): string {
  const sections = ['[manager:_default_]', '[manager:cluster]', '[other]'].slice(0, 1 + random.below(3))
  const body = sections.map((section) => {
    const options = Object.entries(pickOptions(MANAGER, 3, random)).map(
      ([key, value]) => `${key} = ${iniText(value)}\n`,
    )
    const type = random.chance(0.93)
      ? `type = ${random.pick(['queued_python', 'unqueued', 'queued_cli'])}\n`
      : ''
    return `${section}\n${type}${options.join('')}`
  })
  const defaults = random.chance(0.3) ? '[DEFAULT]\nnum_concurrent_jobs = 3\n' : ''
  return random.chance(0.05) ? '[other]\nx = 1\n' : `${defaults}${body.join('')}`
}

function makeServerIni(random: Random, files: Record<string, string>): string {
  const lines = ['[server:main]\n']
  if (random.chance(0.5)) lines.push(`host = ${random.pick(['0.0.0.0', 'localhost', '::1'])}\n`)
  if (random.chance(0.5)) lines.push(`port = ${random.pick(['8913', '18920', '08913'])}\n`)
  lines.push(
    '[app:main]\n',
    ...random.some(['use = egg:x\n', 'paste.app_factory = pulsar.web.wsgi:app_factory\n'], 1),
  )
  const app = files['etc/app.yml']
  if (random.chance(0.4) && app !== undefined) {
    const path = random.pick(['app.yml', '%(here)s/app.yml', 'other.yml', 'sampled.yml'])
    lines.push(`app_config = ${path}\n`)
    if (path === 'other.yml') files['etc/other.yml'] = app
    if (path === 'sampled.yml') files['etc/sampled.yml.sample'] = app
  }
  for (const [key, value] of Object.entries(pickOptions(TOP, 3, random))) {
    if (!/[{[]/.test(value))
      lines.push(`${random.chance(0.2) ? key.toUpperCase() : key} = ${iniText(value)}\n`)
  }
  return lines.join('')
}
