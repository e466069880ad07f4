import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { runCommand } from '../../src/lib/exec.js'
import type { ActionSpec, LocalFile, StagingAction, Transferred } from '../../src/staging/action.js'
import { remoteRsyncTransfer } from '../../src/staging/actions/remote-rsync-transfer.js'
import { remoteScpTransfer } from '../../src/staging/actions/remote-scp-transfer.js'
import { readPeer } from '../../src/staging/ssh/peer.js'
import * as scp from '../../src/staging/ssh/scp-command.js'
import { withKey } from '../../src/staging/ssh/session.js'
import { TransferError } from '../../src/staging/transfer-error.js'
import { describeStagingAction, type OtherEnd } from '../conformance/staging-action.js'
import { freePort } from '../helpers/free-port.js'
import { generated } from '../helpers/job-files/content.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { createTransferTools, openBelow, type TestTools } from '../helpers/transfer-tools.js'
import { waitFor, waitForEvent } from '../helpers/wait-for.js'
import { missingSshd, type PrivateSshd, startPrivateSshd } from './private-sshd.js'

const missing = await missingSshd()
let sshd: PrivateSshd | undefined

beforeAll(async () => {
  if (missing === undefined) sshd = await startPrivateSshd(join(await tempDirectory(), 'sshd'))
})
afterAll(() => sshd?.stop())

function theSshd(): PrivateSshd {
  if (!sshd) throw new Error('no private sshd')
  return sshd
}

async function galaxyHost(action: StagingAction): Promise<OtherEnd> {
  const root = await tempDirectory()
  const at = (name: string) => join(root, 'files', name)
  const spec = (name: string) => ({ action_type: action.type, path: at(name), ...theSshd().ssh })
  return {
    offer: async (name, content) => {
      await mkdir(join(root, 'files'), { recursive: true })
      await writeFile(at(name), content)
      return spec(name)
    },
    offerNothing: async (name) => spec(name),
    expect: async (name) => spec(name),
    delivered: (name) => readFile(at(name)).catch(() => undefined),
  }
}

const actions = [remoteRsyncTransfer, remoteScpTransfer]
const MIB = 1024 * 1024
/** For a machine that is busy with other things; nothing waits for it to pass. */
const timeoutMs = 60_000
const caught = (error: unknown): unknown => error

for (const action of actions) describeStagingAction({ action, missing, open: () => galaxyHost(action) })

interface Places {
  readonly galaxy: string
  readonly job: string
  /** A file of the job. */
  at(...components: string[]): LocalFile
  /** The action for a file of Galaxy's. */
  spec(name: string, more?: Partial<ActionSpec>): ActionSpec
}

async function places(action: StagingAction): Promise<Places> {
  const root = await tempDirectory()
  const [galaxy, job] = [join(root, 'galaxy'), join(root, 'job')]
  await mkdir(galaxy)
  await mkdir(job)
  onTestFinished(() => theSshd().open())
  return {
    galaxy,
    job,
    at: (...components) => ({ base: job, components }),
    spec: (name, more) => ({ action_type: action.type, path: join(galaxy, name), ...theSshd().ssh, ...more }),
  }
}

function stageIn(action: StagingAction, spec: ActionSpec, to: LocalFile, tools = createTransferTools()) {
  return requireStage(action.stageIn?.(spec, to, tools))
}

function stageOut(action: StagingAction, spec: ActionSpec, from: LocalFile, tools = createTransferTools()) {
  return requireStage(action.stageOut?.(spec, from, tools))
}

function requireStage(work: Promise<Transferred> | undefined): Promise<Transferred> {
  if (!work) throw new Error('it does not move files')
  return work
}

/** Of which each means something to rsync, scp, a shell or a protocol, and beside it a file that it might be taken for. */
const NAMES: readonly (readonly [string, string?])[] = [
  ['a*b', 'aXb'],
  ['[1]?', '1x'],
  ['back\\slash', 'backslash'],
  ['new\nline'],
  ['~', 'x'],
  ['{a,b}', 'a'],
  [' $(touch ran);`touch ran`|&<>%s host:x "it\'s" #! '],
]

describe.each(actions.map((action) => [action.type, action] as const))(
  '%s',
  needs(missing),
  (_type, action) => {
    it('takes every name for what it is, both ways', async () => {
      const { galaxy, job, at, spec } = await places(action)
      const moves = NAMES.map(async ([name, decoy], index) => {
        const directory = join(galaxy, `d${index}`, name)
        await mkdir(directory, { recursive: true })
        if (decoy !== undefined) {
          await writeFile(join(directory, decoy), 'decoy')
          await mkdir(join(dirname(directory), decoy), { recursive: true })
          await writeFile(join(dirname(directory), decoy, name), 'decoy')
        }
        await writeFile(join(directory, name), `content ${index}`)
        const remote = spec(join(`d${index}`, name, name))
        await stageIn(action, remote, at(name))
        expect(await readFile(join(job, name), 'utf8')).toBe(`content ${index}`)
        await writeFile(join(job, name), `result ${index}`)
        await stageOut(action, remote, at(name))
        await stageOut(action, spec(join(`new${index}`, name)), at(name))
        expect(await readFile(join(directory, name), 'utf8')).toBe(`result ${index}`)
        expect(await readdir(join(galaxy, `new${index}`))).toEqual([name])
        expect((await readdir(directory)).sort()).toEqual([name, decoy ?? name].filter(unique).sort())
        if (decoy !== undefined) expect(await readFile(join(directory, decoy), 'utf8')).toBe('decoy')
      })
      await Promise.all(moves)
      expect((await readdir(job)).sort()).toEqual(NAMES.map(([name]) => name).sort())
    })

    it('takes a name that is a pattern and an escaped one at once, or says why not', async () => {
      const { galaxy, job, at, spec } = await places(action)
      const name = 'a\\*b'
      await writeFile(join(job, name), 'content')
      await writeFile(join(galaxy, 'a\\Xb'), 'decoy')
      await stageOut(action, spec(name), at(name))
      expect(await readFile(join(galaxy, name), 'utf8')).toBe('content')
      expect(await readFile(join(galaxy, 'a\\Xb'), 'utf8')).toBe('decoy')
      if (action === remoteRsyncTransfer)
        expect(await stageIn(action, spec(name), at('f')).catch(caught)).toMatchObject({
          transient: false,
          message: expect.stringContaining('use remote_scp_transfer'),
        })
      else expect(await stageIn(action, spec(name), at('f'))).toMatchObject({ bytes: 7 })
    })

    it('brings what a link leads to', async () => {
      const { galaxy, job, at, spec } = await places(action)
      await writeFile(join(galaxy, 'real'), 'content')
      await symlink('real', join(galaxy, 'link'))
      await stageIn(action, spec('link'), at('f'))
      expect(await readFile(join(job, 'f'), 'utf8')).toBe('content')
    })

    it('fails for good with a directory, both ways', async () => {
      const { galaxy, job, at, spec } = await places(action)
      await mkdir(join(galaxy, 'directory'))
      await writeFile(join(job, 'f'), 'content')
      const failures = [
        await stageIn(action, spec('directory'), at('new')).catch(caught),
        await stageOut(action, spec('directory'), at('f')).catch(caught),
      ]
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(TransferError)
        expect(failure).toMatchObject({
          transient: false,
          message: expect.stringMatching(/is a directory|regular file/i),
        })
      }
      expect(await readdir(join(galaxy, 'directory'))).toEqual([])
      expect(await readdir(job)).toEqual(['f'])
    })

    it('says for good that a key is not taken, and does not say the key', async () => {
      const { galaxy, job, at, spec } = await places(action)
      await writeFile(join(galaxy, 'f'), 'content')
      await writeFile(join(job, 'out'), 'content')
      const wrong = { ssh_key: theSshd().wrongKey }
      for (const failure of [
        await stageIn(action, spec('f', wrong), at('f')).catch(caught),
        await stageOut(action, spec('out', wrong), at('out')).catch(caught),
      ]) {
        expect(failure).toBeInstanceOf(TransferError)
        expect(failure).toMatchObject({
          transient: false,
          message: expect.stringMatching(
            /Permission denied \(publickey\).*authorized_keys of that user there/,
          ),
        })
        for (const line of theSshd().wrongKey.split('\n').slice(1, -2))
          expect(String(failure)).not.toContain(line)
      }
      expect(await readdir(job)).toEqual(['out'])
      expect(await readdir(galaxy)).toEqual(['f'])
    })

    it('may be tried again when the host is down', async () => {
      const { galaxy, job, at, spec } = await places(action)
      await writeFile(join(galaxy, 'f'), 'content')
      await writeFile(join(job, 'out'), 'content')
      const down = { ssh_port: await freePort() }
      for (const failure of [
        await stageIn(action, spec('f', down), at('f')).catch(caught),
        await stageOut(action, spec('out', down), at('out')).catch(caught),
      ]) {
        expect(failure).toBeInstanceOf(TransferError)
        expect(failure).toMatchObject({
          transient: true,
          message: expect.stringMatching(/Connection refused/),
        })
      }
      expect((await readdir(job)).filter((name) => !name.startsWith('.'))).toEqual(['out'])
    })

    it('keeps the mode of a file that it replaces', async () => {
      const { galaxy, job, at, spec } = await places(action)
      await writeFile(join(galaxy, 'f'), 'old')
      await chmod(join(galaxy, 'f'), 0o664)
      await writeFile(join(job, 'f'), 'newer', { mode: 0o600 })
      await stageOut(action, spec('f'), at('f'))
      expect((await stat(join(galaxy, 'f'))).mode & 0o777).toBe(0o664)
      expect(await readFile(join(galaxy, 'f'), 'utf8')).toBe('newer')
      expect(await readdir(galaxy)).toEqual(['f'])
    })

    it('stops at once when it is cancelled, on both sides, and leaves no key and no file', async () => {
      const { galaxy, job, at, spec } = await places(action)
      await writeFile(join(galaxy, 'in'), generated(8 * MIB, 1).read(0, 8 * MIB))
      await writeFile(join(job, 'out'), generated(8 * MIB, 2).read(0, 8 * MIB))
      const halts: ['from' | 'to', (tools: TestTools) => Promise<unknown>][] = [
        ['from', (tools) => stageIn(action, spec('in'), at('in'), tools)],
        ['to', (tools) => stageOut(action, spec('out'), at('out'), tools)],
      ]
      for (const [direction, start] of halts) {
        await theSshd().gate('hold', direction, 3 * MIB)
        const tools = createTransferTools()
        const failed = start(tools).catch(caught)
        await theSshd().held()
        expect(clients()).not.toEqual([])
        // While it runs: the key is neither in arguments or environments of any process, nor in any file that has a name.
        expect(placesOfKey()).toEqual([])
        tools.cancel()
        expect(await failed).toMatchObject({ message: 'cancelled by the test' })
        await waitFor(() => clients().length === 0, { what: 'end of this side', timeoutMs })
        await waitFor(() => servers().length === 0, { what: 'end of the other side', timeoutMs })
        expect(openBelow(dirname(galaxy))).toEqual([])
        expect(heldKeys()).toEqual([])
        await theSshd().open()
      }
      expect(placesOfKey()).toEqual([])
      expect((await readdir(job)).filter((name) => !name.startsWith('.'))).toEqual(['out'])
      expect((await readdir(galaxy)).filter((name) => !name.startsWith('.'))).toEqual(['in'])
    })

    it('is right at last when the connection is cut on the way', async () => {
      const { galaxy, job, at, spec } = await places(action)
      const [input, output] = [generated(8 * MIB, 3).read(0, 8 * MIB), generated(8 * MIB, 4).read(0, 8 * MIB)]
      await writeFile(join(galaxy, 'in'), input)
      await writeFile(join(job, 'out'), output)
      const attempts: ['from' | 'to', (tools: TestTools) => Promise<Transferred>][] = [
        ['from', (tools) => stageIn(action, spec('in'), at('in'), tools)],
        ['to', (tools) => stageOut(action, spec('out'), at('out'), tools)],
      ]
      for (const [direction, start] of attempts) {
        await theSshd().gate('cut', direction, 5 * MIB)
        const tools = createTransferTools()
        const failure = await start(tools).catch(caught)
        expect(failure).toBeInstanceOf(TransferError)
        expect(failure).toMatchObject({ transient: true })
        for (const directory of [job, galaxy])
          expect((await readdir(directory)).filter((name) => !/^\.|^(in|out)$/.test(name))).toEqual([])
        expect(existsSync(join(job, 'in')) && direction === 'from').toBe(false)
        expect(existsSync(join(galaxy, 'out'))).toBe(false)
        await theSshd().open()
        const again = tools.again()
        const done = await start(again)
        expect(done.bytes).toBe(8 * MIB)
        expect(done.resumedFrom + again.moved()).toBe(8 * MIB)
        // rsync goes on; what was on its way in buffers counts for nothing.
        if (action === remoteRsyncTransfer) expect(done.resumedFrom).toBeGreaterThan(3 * MIB)
        else expect(done.resumedFrom).toBe(0)
      }
      expect((await readFile(join(job, 'in'))).equals(input)).toBe(true)
      expect((await readFile(join(galaxy, 'out'))).equals(output)).toBe(true)
      expect((await readdir(job)).sort()).toEqual(['in', 'out'])
      expect((await readdir(galaxy)).sort()).toEqual(['in', 'out'])
    })
  },
)

describe('a node that is killed', needs(missing), () => {
  /** The program with its worker threads beside it, as in the bundle of a release. */
  async function buildProgram(): Promise<string> {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'package.json'), '{"type": "module"}')
    const bundle = await rolldown({
      input: {
        run: 'test/peers/ssh-staging-run.ts',
        'staging-worker': 'src/staging/http/staging-worker.ts',
        'copy-worker': 'src/staging/copy/copy-worker.ts',
      },
      platform: 'node',
      logLevel: 'silent',
    })
    await bundle.write({ dir: directory, format: 'esm', entryFileNames: '[name].js' })
    await bundle.close()
    return join(directory, 'run.js')
  }

  let program = ''
  beforeAll(async () => {
    if (missing === undefined) program = await buildProgram()
  })

  function startProgram(request: object): ChildProcess {
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdin?.end(JSON.stringify(request))
    return child
  }

  it.each(
    actions.map((action) => [action.type, action] as const),
  )('in the middle of %s leaves no program and no key, and the next goes on', async (_type, action) => {
    const { galaxy, job, at, spec } = await places(action)
    const content = generated(8 * MIB, 5).read(0, 8 * MIB)
    await writeFile(join(galaxy, 'in'), content)
    const note = join(dirname(job), 'note')
    const request = { action: spec('in'), to: at('in'), note }
    await theSshd().gate('hold', 'from', 5 * MIB)
    const first = startProgram(request)
    await theSshd().held()
    const part = join(job, (await readdir(job))[0] ?? 'no part')
    // The gate holds what comes after; what it passed may still be on its way to the disk.
    await waitFor(async () => (await stat(part)).size > 3 * MIB, { what: 'bytes of the part', timeoutMs })
    first.kill('SIGKILL')
    await waitForEvent(first, 'exit', { what: 'end of the node', timeoutMs })
    await waitFor(() => clients().length === 0, { what: 'end of its programs', timeoutMs })
    expect(placesOfKey()).toEqual([])
    expect(await readdir(job)).toHaveLength(1)

    await theSshd().open()
    const second = startProgram(request)
    let printed = ''
    second.stdout?.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
    expect(await waitForEvent(second, 'close', { what: 'end of the second attempt', timeoutMs })).toEqual([
      0,
      null,
    ])
    const done: unknown = JSON.parse(printed)
    expect(done).toMatchObject({ bytes: 8 * MIB })
    if (action === remoteRsyncTransfer) expect((done as Transferred).resumedFrom).toBeGreaterThan(3 * MIB)
    expect((await readFile(join(job, 'in'))).equals(content)).toBe(true)
    expect(await readdir(job)).toEqual(['in'])
  })
})

describe('scp by the old protocol', needs(missing), () => {
  it('takes every name for what it is, both ways', async () => {
    const { galaxy, job, spec } = await places(remoteScpTransfer)
    for (const [index, [name, decoy]] of NAMES.entries()) {
      await writeFile(join(galaxy, name), `content ${index}`)
      if (decoy !== undefined && !existsSync(join(galaxy, decoy)))
        await writeFile(join(galaxy, decoy), 'decoy')
      const peer = readPeer(spec(name))
      await withKey(peer, async (options) => {
        const target = join(job, String(index))
        const run = (args: string[]) => runCommand('scp', ['-O', ...args], { timeoutMs: 60_000 })
        expect(await run(scp.fetchArgs(peer, options, target, 'legacy'))).toMatchObject({
          code: 0,
          stderr: '',
        })
        expect(await readFile(target, 'utf8')).toBe(`content ${index}`)
        await writeFile(target, `result ${index}`)
        const back = scp.deliverArgs(peer, options, target, peer.path, 'legacy')
        expect(await run(back)).toMatchObject({ code: 0, stderr: '' })
        expect(await readFile(join(galaxy, name), 'utf8')).toBe(`result ${index}`)
      })
    }
  })
})

const unique = (name: string, index: number, all: readonly string[]): boolean => all.indexOf(name) === index

/** Command lines, with the environment where it may be seen, of every other process. */
function processes(): { pid: number; command: string; environment: string }[] {
  const read = (file: string): string => readQuietly(file).replaceAll('\0', ' ')
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => ({
      pid: Number(pid),
      command: read(`/proc/${pid}/cmdline`),
      environment: read(`/proc/${pid}/environ`),
    }))
}

/** The programs of this side. */
function clients(): string[] {
  return processes()
    .map(({ command }) => command)
    .filter((command) => command.includes(`Port=${theSshd().port}`))
}

/** What the other side runs. */
function servers(): string[] {
  const connection = new RegExp(`SSH_CONNECTION=127\\.0\\.0\\.1 \\d+ 127\\.0\\.0\\.1 ${theSshd().port} `)
  return processes()
    .filter(({ environment }) => connection.test(environment))
    .map(({ command }) => command)
}

/** Where a line of the private key can be found: in a command line, an environment, a file with a name. */
function placesOfKey(): string[] {
  const line = theSshd().key.split('\n')[2] ?? 'no key'
  const found = processes().filter(({ command, environment }) => `${command} ${environment}`.includes(line))
  const files = [tmpdir(), '/dev/shm'].flatMap((directory) => filesBelow(directory))
  return [
    ...found.map(({ pid, command }) => `${pid} ${command}`),
    ...files.filter((file) => readQuietly(file).includes(line)),
  ]
}

/** What others have below the same directory is not looked through. */
function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const file = join(directory, entry.name)
    if (entry.isDirectory() && /^(mt|magnetar)-/.test(entry.name)) return filesBelow(file)
    return entry.isFile() ? [file] : []
  })
}

/** Files of keys that this process still has open. */
function heldKeys(): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    const file = `/proc/self/fd/${fd}`
    const stats = statSync(file, { throwIfNoEntry: false })
    return stats?.isFile() && stats.nlink === 0 && readQuietly(file).includes('PRIVATE KEY')
  })
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    // It ended meanwhile, or belongs to somebody else.
    return ''
  }
}
