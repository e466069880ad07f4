import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { type BareHost, startBareHost } from './bare-host.js'
import { condaMissing } from './conda/local-conda.js'
import { type CondaMirror, makeMirror } from './conda/mirror.js'
import { findSlurm } from './find-slurm.js'
import { findJobFilesPeer, startJobFilesPeer } from './job-files-peer.js'
import { startMagnetar } from './magnetar-server.js'
import { missingForPrivateRoot } from './private-root.js'
import { missingSupervisor } from './private-supervisor.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { shareLoadedPython } from './python-program.js'
import { type SentJob, sendJobs, toolOf } from './send-jobs.js'

// The exercise's last part (reference: exercise.md §6): a node that setup made, its own resolver file, and jobs of the real client.

const { venv } = findPulsarVenv()
const python = join(venv?.bin ?? '', 'python')
const missing = condaMissing ?? missingForPrivateRoot() ?? (await missingSupervisor())

const ENVS = '/srv/pulsar/var/deps/_conda/envs'
const zlib = toolOf(['zlib', '1.2.8'])
const topTool = toolOf(['pair-top', '3.0'])
const twoTool = toolOf(['pair-top', '3.0'], ['acted', '1.0'])

for (const manager of ['local', 'slurm'] as const) {
  const lacking = missing ?? (manager === 'slurm' ? findSlurm().missing : undefined)
  describe(`requirements of the exercise on a new node, manager ${manager}`, needs(lacking), () => {
    let host: BareHost
    let mirror: CondaMirror

    async function onHost(...argv: string[]): Promise<string> {
      const { code, stdout, stderr } = await host.root.run(argv, { timeoutMs: 120_000 })
      expect(code, stdout + stderr).toBe(0)
      return stdout
    }
    const magnetar = (...args: string[]): Promise<string> =>
      onHost(process.execPath, resolve('bin', 'magnetar.js'), ...args)
    const log = (): string => readFileSync(host.file('/srv/pulsar/var/uwsgi.log'), 'utf8')
    const creates = async (): Promise<string[]> =>
      (await mirror.calls()).filter(([command]) => command === 'create').map((call) => call.at(-1) ?? '')
    const runPython = shareLoadedPython(() => host.root.path.replace(/root$/, 'ns/net'))
    /** By the client on the machine itself, in the network of the host. */
    const send = (...jobs: SentJob[]): ReturnType<typeof sendJobs> =>
      sendJobs({
        run: runPython,
        url: 'http://127.0.0.1:8913/',
        token: 'foo',
        jobs,
      })
    const whenAnswers = () =>
      waitFor(async () => (await host.root.run(['curl', '-s', 'http://127.0.0.1:8913/healthz'])).code === 0, {
        what: 'node that answers',
        timeoutMs: 30_000,
      })
    async function restart(): Promise<void> {
      await onHost('supervisorctl', 'restart', 'pulsar')
      await whenAnswers()
    }

    beforeAll(async () => {
      host = await startBareHost({ slurm: manager === 'slurm', supervisor: true })
      await letEnter(host, python)
      await mkdir(host.file('/opt/mirror'), { recursive: true })
      mirror = await makeMirror(host.file('/opt/mirror'), '/opt/mirror', python)
      await onHost('sh', '-c', 'printf foo > /etc/token; chmod 600 /etc/token')
      const given = [
        '--manager',
        manager,
        '--conda',
        '--token-file',
        '/etc/token',
        '--node',
        process.execPath,
      ]
      const said = await magnetar('setup', '--yes', ...given)
      expect(said).toContain(
        "su -s /bin/sh pulsar -c '/srv/pulsar/bin/magnetar deps install zlib'\nWithout a network: ",
      )
    })
    afterAll(() => host?.stop())

    const configure = (key: string, value: string): Promise<string> =>
      magnetar('config', 'set', '--config', '/srv/pulsar/etc', key, value)

    it('has no network: the log says so at the start, and the first job, each with what to do', async () => {
      const words = 'Conda could not be installed'
      await waitFor(() => log().includes(words), { what: 'line in the log' })
      const line = log()
        .split('\n')
        .find((each) => each.includes(words))
      expect(line).toMatch(
        /WARNI .*cannot fetch https:\/\/github\.com\/.*config set conda_installer .*conda_exec/,
      )
      const [status] = await send({ id: '1', command: 'zlib-hello', tool: zlib })
      expect(status).toMatchObject({ complete: 'true', status: 'failed' })
      expect(status?.stderr).toMatch(
        /^The tool requires zlib 1\.2\.8, .*cannot fetch https:\/\/github\.com\/(.|\n)*config set conda_installer /,
      )
      expect(existsSync(host.file(`${ENVS}/..`))).toBe(false)
    })

    if (manager === 'local')
      it('fails jobs for a wrong checksum of the installer, then for channels that cannot be reached, and says which', async () => {
        await configure('conda_installer', mirror.installer)
        await configure('conda_installer_sha256', '0'.repeat(64))
        await restart()
        const [sum] = await send({ id: '11', command: 'zlib-hello', tool: zlib })
        expect(sum).toMatchObject({ status: 'failed' })
        expect(sum?.stderr).toMatch(
          /zlib 1\.2\.8.*\/opt\/mirror\/installer\.sh has the SHA-256 .* should have 0{64}/,
        )
        expect(await mirror.installations()).toBe(0)
        await configure(
          'conda_installer_sha256',
          createHash('sha256')
            .update(readFileSync(host.file(mirror.installer)))
            .digest('hex'),
        )
        await restart()
        const [channel] = await send({ id: '12', command: 'zlib-hello', tool: zlib })
        expect(channel).toMatchObject({ status: 'failed' })
        expect(channel?.stderr).toMatch(/could not install zlib 1\.2\.8 .*: a channel cannot be reached/)
        expect(channel?.stderr).toContain('conda-forge, bioconda')
        expect(await mirror.installations()).toBe(1)
      })

    it('makes the environment for the first job, and nothing for the second', async () => {
      await configure('conda_installer', mirror.installer)
      await configure('conda_ensure_channels', mirror.channel)
      await restart()
      const before = (await creates()).length
      const command = 'zlib-hello; echo "$CONDA_DEFAULT_ENV"'
      const [first] = await send({ id: '2', command, tool: zlib })
      const environment = `${ENVS}/__zlib@1.2.8`
      expect(first).toMatchObject({
        status: 'complete',
        returncode: 0,
        job_stdout: `zlib 1.2.8 in ${environment}\n${environment}\n`,
        job_stderr: '',
        stderr: '',
        working_directory_contents: [],
      })
      expect((await creates()).slice(before)).toEqual(['zlib=1.2.8'])
      const calls = (await mirror.calls()).length
      const [second] = await send({ id: '3', command, tool: zlib })
      expect(second).toMatchObject({ status: 'complete', job_stdout: first?.job_stdout })
      expect(await mirror.calls()).toHaveLength(calls)
      expect(await mirror.installations()).toBe(1)
      expect(log()).toContain('Using dependency zlib version 1.2.8 of type conda')
      expect(statSync(host.file(environment)).uid).toBe(statSync(host.file('/srv/pulsar')).uid)
    })

    it('makes one environment for twenty jobs at once', async () => {
      const ids = Array.from({ length: 20 }, (_each, index) => `2${index}`)
      const before = (await creates()).length
      const all = await send(...ids.map((id) => ({ id, command: 'pair-top', tool: topTool })))
      for (const status of all)
        expect(status).toMatchObject({ status: 'complete', job_stdout: 'pair-base 2.0\npair-top 3.0\n' })
      expect((await creates()).slice(before)).toEqual(['pair-top=3.0'])
    })

    it('gives sets of packages, what their activation sets, and any version', async () => {
      const [two, any] = await send(
        { id: '4', command: 'set -u; pair-top; acted; basename "$CONDA_PREFIX"', tool: twoTool },
        { id: '5', command: 'basename "$CONDA_DEFAULT_ENV"; zlib-hello', tool: toolOf(['zlib']) },
      )
      const [name] = readdirSync(host.file(ENVS)).filter((each) => each.startsWith('mulled-v1-'))
      expect(two).toMatchObject({
        returncode: 0,
        job_stdout: `pair-base 2.0\npair-top 3.0\nacted home: ${ENVS}/${name}/share/acted, set: it's $set\n${name}\n`,
      })
      expect(any).toMatchObject({
        returncode: 0,
        job_stdout: `__zlib@_uv_\nzlib 1.2.11 in ${ENVS}/__zlib@_uv_\n`,
      })
    })

    it('shows the admin, as the user of the node, what there is', async () => {
      const program = '/srv/pulsar/bin/magnetar'
      const listed = await onHost('su', '-s', '/bin/sh', 'pulsar', '-c', `${program} deps list --json`)
      const { environments } = JSON.parse(listed) as {
        environments: { name: string; requirements: string[] }[]
      }
      expect(environments.map(({ requirements }) => requirements.join())).toEqual(
        expect.arrayContaining(['zlib 1.2.8', 'zlib', 'pair-top 3.0', 'pair-top 3.0,acted 1.0']),
      )
      const there = await onHost('su', '-s', '/bin/sh', 'pulsar', '-c', `${program} deps install zlib=1.2.8`)
      expect(there).toContain('Nothing to do')
    })

    it('fails the job that asks for a package which no channel has, and not the next', async () => {
      const [unknown] = await send({ id: '6', command: 'true', tool: toolOf(['zlib', '9.9']) })
      expect(unknown).toMatchObject({ status: 'failed' })
      expect(unknown?.stderr).toMatch(
        /could not install zlib 9\.9 .*: no channel has the package in that version/,
      )
      expect(unknown?.stderr).toContain(mirror.channel)
      const [next] = await send({ id: '7', command: 'zlib-hello', tool: zlib })
      expect(next).toMatchObject({ status: 'complete', returncode: 0 })
    })

    if (manager === 'local')
      it('fails the job when the disk is full, and not that of a tool whose packages are there', async () => {
        const packages = `${ENVS}/../pkgs`
        await onHost(
          'sh',
          '-c',
          `mv ${packages} ${packages}.kept && mkdir ${packages} && mount -t tmpfs -o size=4k,mode=777 tmpfs ${packages}`,
        )
        const [full, next] = await send(
          { id: '9', command: 'true', tool: toolOf(['pair-base', '2.0']) },
          { id: '10', command: 'zlib-hello', tool: zlib },
        )
        await onHost('sh', '-c', `umount ${packages} && rmdir ${packages} && mv ${packages}.kept ${packages}`)
        expect(full).toMatchObject({ status: 'failed' })
        expect(full?.stderr).toMatch(/could not install pair-base 2\.0 .*: the disk is full/)
        expect(full?.stderr).toContain('magnetar deps prune')
        expect(next).toMatchObject({ status: 'complete', returncode: 0 })
        await restart()
        const [again] = await send({ id: '13', command: 'pair-base', tool: toolOf(['pair-base', '2.0']) })
        expect(again).toMatchObject({ status: 'complete', job_stdout: 'pair-base 2.0\n' })
      })

    it('goes on after kill -9 in the middle of making one, without what was half made', async () => {
      await mirror.stopAt('installed')
      const sent = send({ id: '8', command: 'acted', tool: toolOf(['acted', '1.0']) })
      await waitFor(() => existsSync(mirror.stopped) && readFileSync(mirror.stopped, 'utf8') !== '', {
        what: 'conda in the middle',
        timeoutMs: 30_000,
      })
      const conda = readFileSync(mirror.stopped, 'utf8')
      await mirror.stopAt(undefined)
      const [server = ''] = (await onHost('supervisorctl', 'pid', 'pulsar')).trim().split('\n')
      process.kill(Number(server), 'SIGKILL')
      process.kill(Number(conda), 'SIGKILL')
      await waitFor(() => log().includes('it was cut off while it was made'), {
        what: 'the new server making it again',
        timeoutMs: 30_000,
      })
      const [status] = await sent
      expect(status).toMatchObject({
        status: 'complete',
        job_stdout: `acted home: ${ENVS}/__acted@1.0/share/acted, set: it's $set\n`,
      })
      expect(
        readdirSync(host.file(`${ENVS}/../.magnetar`)).filter((each) => each.endsWith('.creating')),
      ).toEqual([])
    })
  })
}

describe(
  'a tool with requirements whose files the server fetches and delivers',
  needs(condaMissing ?? (venv && findJobFilesPeer(venv))),
  () => {
    it('reads and writes them with its packages', async () => {
      if (!venv) throw new Error(condaMissing)
      const directory = await tempDirectory()
      const mirror = await makeMirror(directory, directory, python)
      const galaxy = await startJobFilesPeer(venv, directory)
      const home = join(directory, 'node')
      const node = await startMagnetar({
        directory: home,
        app: {
          tool_dependency_dir: join(home, 'deps'),
          dependency_resolvers: [{ type: 'conda', auto_init: true, auto_install: true }],
          conda_installer: mirror.installer,
          conda_ensure_channels: [mirror.channel],
        },
      })
      await writeFile(join(galaxy.root, 'input'), 'of Galaxy\n')
      const job = { id: '1', command: '{ cat INPUT; zlib-hello; } > OUTPUT', tool: zlib }
      const [status] = await sendJobs({
        run: shareLoadedPython(),
        url: node.url,
        jobs: [{ ...job, galaxy: { endpoint: galaxy.endpoint, directory: galaxy.root } }],
      })
      expect(status, node.logs()).toMatchObject({ status: 'complete', returncode: 0 })
      const environment = join(home, 'deps', '_conda', 'envs', '__zlib@1.2.8')
      expect(await readFile(join(galaxy.root, 'output'), 'utf8')).toBe(
        `of Galaxy\nzlib 1.2.8 in ${environment}\n`,
      )
      expect(galaxy.takeRequests().some((each) => each.startsWith('POST output'))).toBe(true)
      await Promise.all([node.stop(), galaxy.stop()])
    })
  },
)

/** Lets the user of the node run a Python that is in a directory of root's. */
async function letEnter(host: BareHost, program: string): Promise<void> {
  const { output } = await runCommand(program, ['-c', 'import sys; print(sys._base_executable)'])
  const checkout = resolve('.')
  for (const path of [checkout, realpathSync(output.trim())]) {
    for (let directory = dirname(path); directory !== '/'; directory = dirname(directory))
      if (directory !== checkout && !directory.startsWith(`${checkout}/`))
        await host.root.run(['chmod', 'o+x', directory])
  }
}
