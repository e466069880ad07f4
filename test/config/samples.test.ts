import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'

const SAMPLES = fileURLToPath(new URL('fixtures/samples/', import.meta.url))

interface Expected {
  managers: string[]
  staging: string
  persistence: string
  /** A piece of each warning, in any order; there are no others. */
  warnings: string[]
}

const QUEUE = 'message_queue_url is set: this release serves REST only'
const CONDOR = 'this release does not submit to HTCondor'
const SENTRY = 'sentry_dsn is set'
const POLLING = 'min_polling_interval only works inside a manager'
const CACHE_PATH = 'container_image_cache_path has no effect'
const ASSIGN_IDS = 'means the same as galaxy'

function organisation(names: string[], staging: string, persistence: string): Expected {
  const managers = names.map((name) => `${name}:queued_drmaa`)
  return { managers, staging, persistence, warnings: [QUEUE, SENTRY] }
}

const DATA = { staging: '/data/share/staging', persistence: '/data/share/persisted_data' }
const MANAGERS_EU = ['production:queued_condor', 'test:queued_condor', 'benchmarking:queued_condor']

const EXPECTED: Record<string, Expected> = {
  'cloudman.app.yml': {
    managers: ['_default_:queued_drmaa'],
    staging: '/cwd/files/staging',
    persistence: '/cwd/files/persisted_data',
    warnings: [],
  },
  'dagobah-exercise.app.yml': {
    managers: ['_default_:queued_drmaa'],
    staging: '/srv/pulsar/var/jobs',
    persistence: '/srv/pulsar/var/active',
    warnings: [],
  },
  'eu-be01.app.yml': {
    ...DATA,
    managers: ['production', 'test', 'test01', 'benchmarking'].map((name) => `${name}:queued_condor`),
    warnings: [CACHE_PATH, POLLING, ASSIGN_IDS, QUEUE, CONDOR],
  },
  'eu-de03.app.yml': {
    ...DATA,
    managers: MANAGERS_EU,
    warnings: [CACHE_PATH, POLLING, ASSIGN_IDS, QUEUE, CONDOR],
  },
  'eu-generic.app.yml': {
    ...DATA,
    managers: ['benchmarking', 'production', 'test'].map((name) => `${name}:queued_condor`),
    warnings: [CACHE_PATH, POLLING, ASSIGN_IDS, QUEUE, CONDOR],
  },
  'gtn-2019-rest.app.yml': {
    managers: ['_default_:queued_python'],
    staging: '/mnt/pulsar/staging',
    persistence: '/mnt/pulsar/server/files/persisted_data',
    warnings: [],
  },
  'gtn-2023.app.yml': {
    managers: ['_default_:queued_python'],
    staging: '/mnt/pulsar/files/staging',
    persistence: '/mnt/pulsar/files/persisted_data',
    warnings: ['preprocess_action_max_retries', QUEUE],
  },
  'issue133.app.yml': {
    managers: ['_default_:queued_python'],
    staging: '/cwd/files/staging',
    persistence: '/cwd/files/persisted_data',
    warnings: [],
  },
  'issue209.app.yml': {
    managers: ['_default_:queued_python'],
    staging: '/tmpdata/pulsar/files/staging',
    persistence: '/tmpdata/pulsar/files/persisted_data',
    warnings: [],
  },
  'org-bridges2.app.yml': organisation(
    ['bridges', 'vgp_bridges2'],
    '/ocean/projects/mcb140028p/xcgalaxy/main/staging',
    '/ocean/projects/mcb140028p/xcgalaxy/main/pulsar/var',
  ),
  'org-expanse.app.yml': organisation(
    ['expanse', 'vgp_expanse'],
    '/expanse/lustre/scratch/xgalaxy/temp_project/main/staging',
    '/expanse/lustre/scratch/xgalaxy/temp_project/main/pulsar/var',
  ),
  'org-jetstream2.app.yml': organisation(
    ['jetstream2'],
    '/jetstream2/scratch/main/jobs',
    '/srv/pulsar/main/var/persisted_data',
  ),
  'org-stampede3.app.yml': organisation(
    ['stampede3', 'vgp_stampede3'],
    '/scratch/03166/xcgalaxy/main/staging',
    '/work2/03166/xcgalaxy/stampede3/main/pulsar/var/persisted_data',
  ),
  'role-readme-condor.app.yml': {
    managers: ['production:queued_condor', 'test:queued_condor'],
    staging: '/hpc/pulsar/staging',
    persistence: '/var/opt/pulsar/persisted_data',
    warnings: [POLLING, ASSIGN_IDS, QUEUE, CONDOR],
  },
}
function loadSample(name: string) {
  return loadConfig({
    configDirectory: '/no/such/directory',
    appConfPath: `${SAMPLES}${name}`,
    env: {},
    cwd: '/cwd',
  })
}

describe('configurations of real sites', () => {
  it('are all covered here', () => {
    expect(
      readdirSync(SAMPLES)
        .filter((name) => name.endsWith('app.yml'))
        .sort(),
    ).toEqual(Object.keys(EXPECTED).sort())
  })

  it.each(
    Object.entries(EXPECTED),
  )('%s loads, with one line for each part that is missing', async (name, expected) => {
    const config = await loadSample(name)
    expect(config.managers.map((manager) => `${manager.name}:${manager.type}`)).toEqual(expected.managers)
    expect(config.stagingDirectory).toBe(expected.staging)
    expect(config.persistenceDirectory).toBe(expected.persistence)
    for (const piece of expected.warnings) {
      expect(
        config.warnings.filter((warning) => warning.includes(piece)),
        piece,
      ).toHaveLength(1)
    }
    expect(config.warnings).toHaveLength(expected.warnings.length)
  })

  it('show no secret in any warning', async () => {
    for (const name of Object.keys(EXPECTED)) {
      expect((await loadSample(name)).warnings.join('\n')).not.toMatch(/secret|key@|guest:guest|user:pass/)
    }
  })

  it('of managers are read with their options', async () => {
    const { managers } = await loadSample('org-jetstream2.app.yml')
    expect(managers).toMatchObject([
      {
        stagingDirectory: '/jetstream2/scratch/main/jobs',
        galaxyHome: '/cvmfs/main.galaxyproject.org/galaxy',
        galaxyDatatypesConfigFile: '/cvmfs/main.galaxyproject.org/galaxy/config/datatypes_conf.xml.sample',
        minPollingIntervalMs: 15_000,
        maximumStreamSizeBytes: 1048576,
      },
    ])
  })

  it('of a server.ini from the Paste era give its address and level', async () => {
    const options = {
      configDirectory: SAMPLES,
      iniPath: 'cloudman.server.ini',
      appConfPath: `${SAMPLES}cloudman.app.yml`,
    }
    const config = await loadConfig({ ...options, env: {}, cwd: '/cwd', mode: 'uwsgi' })
    expect(config.server).toEqual({ host: '0.0.0.0', port: 8913, sslPem: undefined })
    expect(config.logging.level).toBe('debug')
    expect(config.privateToken).toBe('secret')
    expect(config.warnings.filter((warning) => warning.includes('[uwsgi] socket'))).toHaveLength(1)
  })
})
