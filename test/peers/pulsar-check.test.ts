import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import type { CommandResult } from '../helpers/run-command.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { type CheckedServer, checkedSchedulers, checkedServers } from './check-servers.js'
import { findSlurm } from './find-slurm.js'
import { startPrivateSlurm } from './private-slurm.js'
import type { AppOptions, NodeOptions } from './pulsar-config.js'
import { findPulsarVenv, type PulsarVenv } from './pulsar-venv.js'
import { shareLoadedPython } from './python-program.js'

// The real client's own check, on the same table of cases, against the real server and against ours: what passes there must
// pass here, and the real server shows that the cases are fair. pulsar-check ends with 0 when the job's every output, stream,
// return code and directory was right.

/** The job id that pulsar-check uses when none is given. */
const defaultJobId = '123456'

const token = 'correct horse battery staple?&='

interface Case {
  readonly name: string
  readonly args: readonly string[]
  readonly node?: 'open' | 'private'
  /** Below the server's URL. */
  readonly path?: string
  /** Where, in the node's directory, the job is that pulsar-check was told to leave; undefined: it cleans the job. */
  readonly leaves?: string
  readonly output?: RegExp
}

const cases: readonly Case[] = [
  { name: 'standard transport', args: ['--transport', 'urllib'] },
  { name: 'curl transport', args: ['--transport', 'curl'] },
  { name: 'file cache', args: ['--cache'] },
  { name: 'file cache over curl', args: ['--cache', '--transport', 'curl'] },
  // pulsar-check only prints the error of a download that must fail; without an error it prints nothing.
  { name: 'download of a missing output', args: ['--test_errors'], output: /PulsarClientTransportError/ },
  {
    name: 'explicit tool files and legacy galaxy.json',
    args: ['--explicit_tool_declarations', '--legacy_galaxy_json'],
  },
  {
    name: 'given job id',
    args: ['--job_id', 'galaxy-4711', '--disable_cleanup'],
    leaves: 'staging/galaxy-4711',
  },
  {
    name: 'named manager',
    args: ['--job_id', '815', '--disable_cleanup'],
    path: 'managers/second/',
    leaves: 'second/815',
  },
  { name: 'private token', args: ['--private_token', token], node: 'private' },
  {
    name: 'private token over curl with the file cache',
    args: ['--private_token', token, '--transport', 'curl', '--cache'],
    node: 'private',
  },
]

const { venv, missing } = findPulsarVenv()
const runPython = shareLoadedPython()

for (const scheduler of checkedSchedulers) {
  const lacks = missing ?? (scheduler.slurm ? findSlurm().missing : undefined)
  describe(`pulsar-check with ${scheduler.name}`, needs(lacks), () => {
    let slurm: Awaited<ReturnType<typeof startPrivateSlurm>> | undefined
    beforeAll(async () => {
      if (scheduler.slurm) slurm = await startPrivateSlurm(await tempDirectory())
    })
    afterAll(() => slurm?.stop())
    for (const server of checkedServers) {
      describe(`on ${server.name}`, () => runCases(server, scheduler.manager, () => slurm?.env ?? {}))
    }
  })
}

function runCases(server: CheckedServer, manager: object, env: () => NonNullable<NodeOptions['env']>): void {
  let directory: string
  let nodes: { open: ServerProcess; private: ServerProcess }

  /** A node with two managers and a file cache, all below `home`. */
  function startNode(home: string, options: AppOptions): Promise<ServerProcess> {
    const second = { ...manager, staging_directory: join(home, 'second') }
    const app = { file_cache_dir: join(home, 'cache'), managers: { _default_: manager, second }, ...options }
    return server.start(installed(venv), { directory: home, app, env: env() })
  }

  beforeAll(async () => {
    directory = await tempDirectory()
    nodes = {
      open: await startNode(join(directory, 'open'), {}),
      private: await startNode(join(directory, 'private'), { private_token: token }),
    }
  })
  afterAll(() => Promise.all([nodes?.open.stop(), nodes?.private.stop()]))

  for (const { name, args, node = 'open', path = '', leaves, output } of cases) {
    it(name, async () => {
      const check = await pulsarCheck(nodes[node], path, args, directory)
      expect(check.exitCode, check.output).toBe(0)
      if (output) expect(check.output).toMatch(output)
      const home = join(directory, node)
      if (leaves) expect(existsSync(join(home, leaves, 'working')), leaves).toBe(true)
      else expect(existsSync(join(home, 'staging', defaultJobId)), 'the cleaned job').toBe(false)
    })
  }

  it('refuses a wrong private token', async () => {
    const check = await pulsarCheck(nodes.private, '', ['--private_token', 'wrong'], directory)
    expect(check.exitCode).not.toBe(0)
    expect(check.output).toMatch(/401/)
  })
}

/** `temporary` takes what pulsar-check leaves behind when it is told to leave the job. */
function pulsarCheck(
  server: ServerProcess,
  path: string,
  args: readonly string[],
  temporary: string,
): Promise<CommandResult> {
  const url = new URL(path, server.url).href
  return runPython(join(installed(venv).bin, 'pulsar-check'), ['--url', url, ...args], {
    env: { TMPDIR: temporary },
    timeoutMs: 150_000,
  })
}

function installed(found: PulsarVenv | undefined): PulsarVenv {
  if (!found) throw new Error(missing)
  return found
}
