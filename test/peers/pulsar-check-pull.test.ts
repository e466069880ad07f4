import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority, opensslMissing } from '../helpers/certificates.js'
import { needs } from '../helpers/needs.js'
import type { CommandResult } from '../helpers/run-command.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { type CheckedServer, checkedSchedulers, checkedServers } from './check-servers.js'
import { findSlurm } from './find-slurm.js'
import { findJobFilesPeer, type JobFilesPeer, startJobFilesPeer } from './job-files-peer.js'
import { startMagnetar } from './magnetar-server.js'
import { startPrivateSlurm } from './private-slurm.js'
import type { NodeOptions } from './pulsar-config.js'
import { findPulsarVenv, type PulsarVenv, withPython } from './pulsar-venv.js'
import { shareLoadedPython } from './python-program.js'

// The real client's own check again (see pulsar-check.test.ts), now with files that the server fetches from Galaxy and delivers there.
// Galaxy's side is the Python one too. Both servers must make the same requests, each once.

const token = 'correct horse battery staple?&='

interface PullCase {
  readonly name: string
  /** Of pulsar.client.test.check.run. */
  readonly options: Readonly<Record<string, unknown>>
  readonly manager?: 'second'
  /** The files travel by the job files API. */
  readonly overHttp: boolean
  readonly onSlurm?: true
}

const cases: readonly PullCase[] = [
  {
    name: 'remote_transfer',
    options: {
      default_file_action: 'remote_transfer',
      test_env: true,
      test_rewrite_action: true,
      explicit_tool_declarations: true,
    },
    overHttp: true,
    onSlurm: true,
  },
  {
    name: 'remote_transfer_tus on a named manager, from a client on curl',
    options: {
      default_file_action: 'remote_transfer_tus',
      job_id: '815',
      transport: 'curl',
      test_unicode: true,
      cleanup: false,
    },
    manager: 'second',
    overHttp: true,
    onSlurm: true,
  },
  {
    name: 'remote_transfer on a named manager, from a client that does not know where the job directories are',
    options: {
      default_file_action: 'remote_transfer',
      jobs_directory: undefined,
      legacy_galaxy_json: true,
    },
    manager: 'second',
    overHttp: true,
  },
  { name: 'remote_copy', options: { default_file_action: 'remote_copy' }, overHttp: false },
]

const { venv, missing } = findPulsarVenv()
const runPython = shareLoadedPython()
const lacking = missing ?? (venv && findJobFilesPeer(venv))

for (const scheduler of checkedSchedulers) {
  const lacks = lacking ?? (scheduler.slurm ? findSlurm().missing : undefined)
  describe(`pulsar-check in pull mode with ${scheduler.name}`, needs(lacks), () => {
    let slurm: Awaited<ReturnType<typeof startPrivateSlurm>> | undefined
    /** By the name of the case: what the Python Pulsar asked Galaxy for. */
    const fair = new Map<string, string[]>()
    const wanted = cases.filter(({ onSlurm }) => !scheduler.slurm || onSlurm)
    beforeAll(async () => {
      if (scheduler.slurm) slurm = await startPrivateSlurm(await tempDirectory())
    })
    afterAll(() => slurm?.stop())
    for (const server of checkedServers) {
      describe(`on ${server.name}`, () =>
        runCases(server, scheduler.manager, wanted, fair, () => slurm?.env ?? {}))
    }
  })
}

// The Python server cannot do this: its curl trusts the authorities that came with it, and there is no option for others.
it(
  'pulsar-check in pull mode from a Galaxy whose certificate a private authority signed',
  needs(lacking ?? opensslMissing()),
  async () => {
    const directory = await tempDirectory()
    const authority = createAuthority(directory)
    const tls = { ...authority.issue('IP:127.0.0.1'), ca: await readFile(authority.file, 'utf8') }
    const galaxy = await startJobFilesPeer(installed(venv), directory, tls)
    const home = join(directory, 'node')
    const app = { transfer_ca_file: authority.file }
    const node = await startMagnetar({ directory: home, app, env: withPython(installed(venv)) })
    const check = await pulsarCheck(galaxy, {
      url: node.url,
      jobs_directory: join(home, 'staging'),
      default_file_action: 'remote_transfer_tus',
    })
    expect(check.exitCode, `${check.output}\n${node.logs()}`).toBe(0)
    expect(galaxy.takeRequests()).toContain('GET input …/dataset_0.dat 200')
    await Promise.all([node.stop(), galaxy.stop()])
  },
)

function runCases(
  server: CheckedServer,
  manager: object,
  wanted: readonly PullCase[],
  fair: Map<string, string[]>,
  env: () => NonNullable<NodeOptions['env']>,
): void {
  let home: string
  let node: ServerProcess
  let galaxy: JobFilesPeer

  beforeAll(async () => {
    const directory = await tempDirectory()
    home = join(directory, 'node')
    galaxy = await startJobFilesPeer(installed(venv), directory)
    const second = { ...manager, staging_directory: join(home, 'second') }
    const app = { private_token: token, managers: { _default_: manager, second } }
    node = await server.start(installed(venv), { directory: home, app, env: env() })
  })
  afterAll(() => Promise.all([node?.stop(), galaxy?.stop()]))

  for (const { name, options, manager: named, overHttp } of wanted) {
    it(name, async () => {
      const staging = join(home, named ?? 'staging')
      const check = await pulsarCheck(galaxy, {
        url: new URL(named ? `managers/${named}/` : '', node.url).href,
        private_token: token,
        jobs_directory: staging,
        ...options,
      })
      expect(check.exitCode, `${check.output}\n${node.logs()}`).toBe(0)
      expect(existsSync(join(staging, String(options.job_id ?? '123456')))).toBe(options.cleanup === false)
      const requests = galaxy.takeRequests()
      if (!overHttp) return expect(requests).toEqual([])
      expect(requests).toContain('GET input …/dataset_0.dat 200')
      expect(requests).toContain('POST output …/dataset_1_files/extra 200')
      const expected = fair.get(name)
      if (expected) expect(requests).toEqual(expected)
      else fair.set(name, requests)
    })
  }
}

/** Its temporary files, which are Galaxy's here, go where the job files server finds them. */
function pulsarCheck(
  galaxy: JobFilesPeer,
  options: Readonly<Record<string, unknown>>,
): Promise<CommandResult> {
  const all = { files_endpoint: galaxy.endpoint, ...options }
  const program = resolve('test', 'peers', 'pulsar-check-pull.py')
  return runPython(program, [JSON.stringify(all)], {
    env: { TMPDIR: galaxy.root },
    timeoutMs: 150_000,
  })
}

function installed(found: PulsarVenv | undefined): PulsarVenv {
  if (!found) throw new Error(missing)
  return found
}
