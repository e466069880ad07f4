import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeFacts, gatherFacts } from '../../src/setup/facts.js'
import { findExistingNode } from '../../src/setup/probes/existing-node.js'
import { probeModules } from '../../src/setup/probes/modules.js'
import { readOsName } from '../../src/setup/probes/os-release.js'
import { isPortFree, nextFreePort } from '../../src/setup/probes/port.js'
import { probeSupervisor, readInclude } from '../../src/setup/probes/supervisor.js'
import { readSystemdVersion } from '../../src/setup/probes/systemd.js'
import type { Facts } from '../../src/setup/types.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { rootFacts, userFacts } from './answer-fixtures.js'

const signal = (): AbortSignal => AbortSignal.timeout(20_000)

/** Programs of the machine that answer as told; nothing else is on the PATH. */
async function fakePrograms(programs: Readonly<Record<string, string>>): Promise<string> {
  const directory = await tempDirectory()
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(directory, name), 0o755)
  }
  process.env.PATH = directory
  return directory
}

async function writeAll(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}

const saved = { ...process.env }
beforeEach(() => {
  for (const name of ['LMOD_CMD', 'MODULEPATH', 'MODULESHOME', 'MAGNETAR_SETUP_SUPERVISOR_CONF'])
    delete process.env[name]
})
afterEach(() => {
  process.env = { ...saved }
})

describe('gathering facts', () => {
  const UP = "echo 'Slurmctld(primary) at head is UP'"

  it('finds the Slurm that answers, its default partition and what is down left out', async () => {
    await fakePrograms({
      scontrol: UP,
      sinfo: `if [ "$1" = --version ]; then echo 'slurm-wlm 22.05.8'; else printf 'long\\037up\\0373\\ndebug*\\037up\\0371\\nlong\\037up\\0372\\nold\\037down\\0379\\n'; fi`,
    })
    expect((await gatherFacts(signal())).slurm).toEqual({
      found: true,
      version: '22.05.8',
      partitions: [
        { name: 'long', isDefault: false, nodes: 5 },
        { name: 'debug', isDefault: true, nodes: 1 },
      ],
    })
  })

  it.each<[string, Record<string, string>, string]>([
    ['there is none', {}, 'there is no sinfo on the PATH'],
    [
      'its controller is down',
      {
        sinfo: 'echo slurm 23.11.4; [ "$1" = --version ] || exit 1',
        scontrol: "echo 'Slurmctld(primary) at head is DOWN'; exit 1",
      },
      'scontrol ping says: Slurmctld(primary) at head is DOWN',
    ],
    [
      'it refuses',
      {
        scontrol: UP,
        sinfo: '[ "$1" = --version ] || { echo "sinfo: error: Munge encode failed" >&2; exit 1; }',
      },
      'sinfo says: Munge encode failed',
    ],
    [
      'no partition is up',
      { scontrol: UP, sinfo: `printf 'old\\037down\\0379\\n'` },
      'No partition is up for this user; see sinfo -s.',
    ],
  ])('says why there is no Slurm to use: %s', async (_what, programs, why) => {
    await fakePrograms(programs)
    expect((await gatherFacts(signal())).slurm).toEqual({ found: false, why })
  })

  it('finds nothing on a machine that has nothing, and does not fail', async () => {
    await fakePrograms({})
    process.env.MAGNETAR_SETUP_SUPERVISOR_CONF = '/nonexistent/supervisord.conf'
    const facts = await gatherFacts(signal())
    expect(facts).toMatchObject({ supervisor: undefined, systemd: undefined })
    expect(facts.node).toEqual({ path: process.execPath, version: process.versions.node })
    expect(facts.os.name).not.toBe('')
    expect(facts.cpus).toBeGreaterThan(0)
  })

  it('knows who runs it, by name of user and group', async () => {
    const { account } = await gatherFacts(signal())
    expect(account.uid).toBe(process.geteuid?.())
    expect(account.isRoot).toBe(account.uid === 0)
    expect(account.group).not.toMatch(/^\d+$/)
  })

  it('does not wait for a program that hangs', async () => {
    await fakePrograms({
      scontrol: 'exec /bin/sleep 60',
      sinfo: 'exec /bin/sleep 60',
      systemctl: 'exec /bin/sleep 60',
    })
    const facts = await gatherFacts(signal())
    expect(facts.slurm.found).toBe(false)
    expect(facts.systemd).toBeUndefined()
  })

  it('ends at once when it is told to', async () => {
    await fakePrograms({ scontrol: 'exec /bin/sleep 60', sinfo: 'exec /bin/sleep 60' })
    const controller = new AbortController()
    const gathering = gatherFacts(controller.signal)
    controller.abort(new Error('enough'))
    await expect(gathering).rejects.toThrow('enough')
  })
})

describe('telling the facts', () => {
  it('is one line', () => {
    const more = { port: { number: 8913, free: true }, existing: 'none' } as const
    expect(describeFacts(rootFacts, more)).toBe(
      'Debian 12 · root · Slurm 22.05.8 (partition debug, 1 node; partition big, 20 nodes) · supervisor 4.2.5 running · no systemd · port 8913 free · no Pulsar here yet',
    )
  })

  it('says what is not there, and why', () => {
    expect(describeFacts(userFacts)).toBe('Debian 12 · ann · no Slurm · no supervisor · no systemd')
    const down: Facts = {
      ...userFacts,
      slurm: { found: false, why: 'scontrol ping says: Slurmctld(primary) at head is DOWN' },
      systemd: { version: '252', running: true },
      modules: true,
    }
    expect(describeFacts(down, { port: { number: 1, free: false }, existing: 'python-pulsar' })).toBe(
      'Debian 12 · ann · no usable Slurm (scontrol ping says: Slurmctld(primary) at head is DOWN) · no supervisor · systemd 252 · environment modules · port 1 in use · a Python Pulsar is here',
    )
  })

  it('does not list a hundred partitions, and the default one first', () => {
    const partitions = Array.from({ length: 10 }, (_, at) => ({
      name: `p${at}`,
      isDefault: at === 9,
      nodes: 2,
    }))
    const line = describeFacts({ ...rootFacts, slurm: { found: true, version: '24.11', partitions } })
    expect(line).toContain(
      'Slurm 24.11 (partition p9, 2 nodes; partition p0, 2 nodes; partition p1, 2 nodes; 7 more)',
    )
  })
})

describe('the name of the system', () => {
  it.each([
    ['PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n', 'Debian 12'],
    ['NAME="Rocky Linux"\nVERSION_ID="9.3"\n', 'Rocky Linux 9.3'],
    ["NAME='Ubuntu'\nVERSION_ID='24.04'\n", 'Ubuntu 24.04'],
    ['NAME=Arch\\ Linux\n', 'Arch Linux'],
    ['PRETTY_NAME="Something"\n', 'Something'],
    ['# nothing\n', undefined],
  ])('is read from %j', (text, name) => {
    expect(readOsName(text)).toBe(name)
  })

  it('goes with systemd’s version', () => {
    expect(readSystemdVersion('systemd 252 (252.39-1~deb12u1)\n+PAM\n')).toBe('252')
    expect(readSystemdVersion('sh: not found')).toBeUndefined()
  })
})

describe('Supervisor', () => {
  const conf = '/etc/supervisor/supervisord.conf'

  it.each<[string, string, ReturnType<typeof readInclude>]>([
    [
      'Debian’s',
      '[include]\nfiles = /etc/supervisor/conf.d/*.conf\n',
      { programsDirectory: '/etc/supervisor/conf.d', extension: '.conf' },
    ],
    [
      'relative to the file, with an inline comment',
      '[include]\nfiles=supervisord.d/*.ini ; ours\n',
      { programsDirectory: '/etc/supervisor/supervisord.d', extension: '.ini' },
    ],
    [
      'of several, the first that is a directory of programs',
      '[include]\nfiles = /srv/*/one.conf /a/b.conf\n  %(here)s/more/*.conf\n',
      { programsDirectory: '/etc/supervisor/more', extension: '.conf' },
    ],
    ['commented', '[include]\n;files = /a/*.conf\n', undefined],
    ['in another section', '[supervisord]\nfiles = /a/*.conf\n', undefined],
    ['without extension', '[include]\nfiles = /a/*\n', undefined],
    ['none', '[supervisord]\nnodaemon=true\n', undefined],
  ])('includes programs from: %s', (_what, text, expected) => {
    expect(readInclude(text, conf)).toEqual(expected)
  })

  it.each([
    ['running', 'echo 4.2.5', true],
    ['not running', 'echo "unix:///var/run/supervisor.sock no such file"; exit 4', false],
    ['closed to this user', 'echo "error: <class \'PermissionError\'>"; exit 0', false],
  ])('is asked through its own configuration whether it runs: %s', async (_what, answer, running) => {
    const directory = await tempDirectory()
    const configFile = join(directory, 'supervisord.conf')
    await writeFile(configFile, '[include]\nfiles = conf.d/*.conf\n')
    process.env.MAGNETAR_SETUP_SUPERVISOR_CONF = configFile
    await fakePrograms({
      supervisord: 'echo 4.2.5',
      supervisorctl: `[ "$1 $2 $3" = "-c ${configFile} version" ] || exit 9; ${answer}`,
    })
    expect(await probeSupervisor(signal())).toEqual({
      version: '4.2.5',
      running,
      configFile,
      programsDirectory: join(directory, 'conf.d'),
      extension: '.conf',
    })
  })

  it.each([
    ['is not there', 'unix://@/none.sock ; the usual', false],
    ['is there', 'unix://@/supervisord.conf', true],
    ['may be anywhere', 'unix:///%(ENV_RUN)s/supervisor.sock', true],
    ['is none but an address', 'http://127.0.0.1:9001', true],
    ['goes on in the next line', 'unix://@/none.sock\n  /supervisord.conf', true],
    ['is named twice', 'unix://@/none.sock\nserverurl=unix://@/supervisord.conf', true],
  ])('is asked whether it runs unless its socket cannot be reached: it %s', async (_what, url, running) => {
    const directory = await tempDirectory()
    const configFile = join(directory, 'supervisord.conf')
    const text = `[supervisorctl]\nserverurl = ${url}\n\n[include]\nfiles = conf.d/*.conf\n`
    await writeFile(configFile, text.replaceAll('@', directory))
    process.env.MAGNETAR_SETUP_SUPERVISOR_CONF = configFile
    await fakePrograms({ supervisord: 'echo 4.2.5', supervisorctl: 'echo 4.2.5' })
    expect((await probeSupervisor(signal()))?.running).toBe(running)
  })
})

describe('environment modules', () => {
  it('are Lmod where LMOD_CMD leads to it', async () => {
    const directory = await fakePrograms({ lmod: 'exit 0', modulecmd: 'exit 0' })
    const env = { PATH: directory, LMOD_CMD: join(directory, 'lmod'), MODULEPATH: '/apps/modules' }
    expect(await probeModules(env)).toEqual({
      kind: 'lmod',
      program: join(directory, 'lmod'),
      modulePath: '/apps/modules',
    })
  })

  it('are what modulecmd is on the PATH, with the path the profile would have set', async () => {
    const directory = await fakePrograms({ modulecmd: 'exit 0' })
    expect(await probeModules({ PATH: directory, MODULESHOME: '/opt/modules' })).toEqual({
      kind: 'modules',
      program: join(directory, 'modulecmd'),
      modulePath: '/opt/modules/modulefiles',
    })
  })
})

describe('what a prefix holds', () => {
  it.each<[string, Record<string, string>, string]>([
    ['a node of ours', { 'lib/setup.json': '{}', 'bin/magnetar': '' }, 'magnetar'],
    ['what a killed first run left', { 'lib/releases/x': '' }, 'magnetar'],
    ['a virtualenv', { 'bin/pulsar': '', 'bin/pulsar-check': '', 'etc/app.yml': '' }, 'python-pulsar'],
    ['an Ansible node', { 'venv/bin/pulsar': '', 'config/app.yml': '' }, 'python-pulsar'],
    ['something else', { 'data/x': '' }, 'other files'],
    ['a configuration alone', { 'etc/app.yml': '' }, 'other files'],
  ])('%s', async (_what, files, expected) => {
    const prefix = await tempDirectory()
    await writeAll(prefix, files)
    expect(await findExistingNode(prefix)).toBe(expected)
  })

  it('is nothing where there is no directory, or an empty one', async () => {
    const prefix = await tempDirectory()
    expect(await findExistingNode(prefix)).toBe('none')
    expect(await findExistingNode(join(prefix, 'none'))).toBe('none')
  })

  it('is a node of ours when a kill left its first directories', async () => {
    const prefix = await tempDirectory()
    await mkdir(join(prefix, 'bin'))
    expect(await findExistingNode(prefix)).toBe('magnetar')
    await symlink('/nowhere', join(prefix, 'bin', 'x'))
    expect(await findExistingNode(prefix)).toBe('other files')
  })
})

describe('ports', () => {
  async function listen(): Promise<{ server: Server; port: number }> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    return { server, port: typeof address === 'object' && address ? address.port : 0 }
  }

  it('are in use while somebody listens, and free after', async () => {
    const { server, port } = await listen()
    expect(await isPortFree('localhost', port)).toBe(false)
    expect(await isPortFree('0.0.0.0', port)).toBe(false)
    expect(await nextFreePort('localhost', port)).toBeGreaterThan(port)
    await new Promise((resolve) => server.close(resolve))
    expect(await isPortFree('localhost', port)).toBe(true)
    expect(await nextFreePort('localhost', port)).toBe(port)
  })
})
