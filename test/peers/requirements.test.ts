import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { findModulecmd } from './find-modules.js'
import { startMagnetar } from './magnetar-server.js'
import { findPulsarVenv, type PulsarVenv } from './pulsar-venv.js'
import { startPythonPulsar } from './python-pulsar.js'

// What the real client says that a tool requires, provided by the real server and by ours, with the same configuration.

const { venv, missing } = findPulsarVenv()
const modulecmd = findModulecmd()

const servers = [
  { name: 'Python Pulsar', isOurs: false, start: startPythonPulsar },
  {
    name: 'Magnetar',
    isOurs: true,
    start: (_venv: PulsarVenv, options: Parameters<typeof startMagnetar>[0]) => startMagnetar(options),
  },
]

const zlib = { name: 'zlib', type: 'package', version: '1.2.8' }
const absent = { name: 'nobody-has-this', type: 'package', version: '1' }

describe.each(servers)('a tool with requirements on $name', needs(missing ?? modulecmd.missing), (server) => {
  let node: ServerProcess
  let deps: string

  async function put(path: string, text: string, mode = 0o644): Promise<void> {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
    await chmod(path, mode)
  }

  beforeAll(async () => {
    const directory = await tempDirectory()
    deps = join(directory, 'deps')
    await put(join(deps, 'zlib', '1.2.8', 'bin', 'zlib-says'), '#!/bin/sh\necho deflated\n', 0o755)
    await put(join(directory, 'm', 'bwa', '0.7'), '#%Module\nsetenv BWA aligned\n')
    await put(
      join(directory, 'dependency_resolvers_conf.xml'),
      `<dependency_resolvers>
  <galaxy_packages />
  <modules modulecmd="${modulecmd.program}" modulepath="${join(directory, 'm')}" />
</dependency_resolvers>`,
    )
    if (!venv) throw new Error(missing)
    node = await server.start(venv, { directory, app: { tool_dependency_dir: deps } })
  })
  afterAll(() => node?.stop())

  async function run(id: string, command: string, requirements: unknown): Promise<Record<string, unknown>> {
    const program = fileURLToPath(new URL('run-with-requirements.py', import.meta.url))
    const args = [program, node.url, id, command, JSON.stringify(requirements)]
    const { exitCode, output } = await runCommand(join(venv?.bin ?? '', 'python'), args)
    expect(exitCode, output).toBe(0)
    return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Record<string, unknown>
  }

  it('provides them', async () => {
    const bwa = { name: 'bwa', type: 'package', version: '0.7' }
    const status = await run('1', 'zlib-says; echo "$BWA $PACKAGE_BASE"', [bwa, zlib, zlib])
    expect(status).toMatchObject({
      complete: 'true',
      returncode: 0,
      job_stdout: `deflated\naligned ${join(deps, 'zlib', '1.2.8')}\n`,
    })
  })

  it('runs the tool without what nothing provides', async () => {
    const status = await run('2', 'zlib-says && nobody-has-this', [absent, zlib])
    expect(status).toMatchObject({ complete: 'true', returncode: 127, job_stdout: 'deflated\n' })
    if (server.isOurs) {
      expect(node.logs()).toContain('nothing provides nobody-has-this 1: the job runs without')
      expect(node.logs()).toContain(`${join(deps, absent.name, '1', 'bin')}.`)
    }
  })
})
