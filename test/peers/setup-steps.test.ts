import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { appYmlStep } from '../../src/setup/steps/app-yml.js'
import { directoriesStep } from '../../src/setup/steps/directories.js'
import { localEnvStep } from '../../src/setup/steps/local-env.js'
import { resolversStep } from '../../src/setup/steps/resolvers.js'
import { serverIniStep } from '../../src/setup/steps/server-ini.js'
import { userStep } from '../../src/setup/steps/user.js'
import type { Answers, CommandChange } from '../../src/setup/types.js'
import { freePort } from '../helpers/free-port.js'
import { needs } from '../helpers/needs.js'
import { startServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { contextFor, setUp } from '../setup/context-fixture.js'
import { missingForPrivateRoot, type PrivateRoot, startPrivateRoot } from './private-root.js'
import { findPulsarVenv, withPython } from './pulsar-venv.js'
import { forkedServer } from './python-pulsar.js'

const { venv, missing } = findPulsarVenv()

describe('the Python Pulsar 0.16.0', () => {
  it.each(['slurm', 'local'] as const)(
    'serves from the files that setup writes (%s), and knows the token',
    needs(missing),
    async (manager) => {
      if (!venv) throw new Error('no Python Pulsar')
      const port = await freePort()
      const token = 'yes'
      const answers: Partial<Answers> = {
        manager,
        port,
        partition: 'debug',
        nativeSpecification: '--time=60',
      }
      const context = contextFor({
        root: false,
        prefix: join(await tempDirectory(), 'pulsar'),
        answers,
        token,
      })
      await setUp(context, [directoriesStep, appYmlStep, serverIniStep, localEnvStep, resolversStep])
      const { deps, etc, serverIni } = context.paths
      // Looked for at the start; without it one would be downloaded.
      const conda = join(deps, '_conda', 'bin', 'conda')
      await mkdir(dirname(conda), { recursive: true })
      const info = JSON.stringify({ conda_version: '24.1.0', default_prefix: join(deps, '_conda') })
      await writeFile(conda, `#!/bin/sh\necho "$@" >> ${deps}/asked\necho '${info}'\n`)
      await chmod(conda, 0o755)
      const url = `http://127.0.0.1:${port}/`
      const server = await startServerProcess({
        command: join(venv.bin, 'pulsar-serve'),
        args: [serverIni],
        cwd: etc,
        env: { ...withPython(venv), PULSAR_CONFIG_DIR: etc },
        url,
        start: forkedServer,
      })
      try {
        const set = (given: string): Promise<Response> =>
          fetch(`${url}jobs?job_id=1&private_token=${given}`, { method: 'POST' })
        expect((await set('wrong')).status).toBe(401)
        const answer = await set(token)
        expect(await answer.json()).toMatchObject({
          job_directory: join(context.paths.jobs, '1'),
          job_id: '1',
        })
        // Which proves that the file of resolvers was read too.
        expect(await readFile(join(deps, 'asked'), 'utf8')).toContain('info --json')
      } finally {
        await server.stop()
      }
    },
  )
})

describe('the user of a node', needs(missingForPrivateRoot()), () => {
  const user = 'magnetar-test'
  let root: PrivateRoot

  beforeAll(async () => {
    root = await startPrivateRoot()
  })
  afterAll(() => root.stop())

  const inRoot = (file: string): Promise<string> => readFile(join(root.path, file), 'utf8')
  const databases = ['/etc/passwd', '/etc/shadow', '/etc/group', '/etc/gshadow', '/etc/subuid', '/etc/subgid']
  const contents = (): Promise<string[]> => Promise.all(databases.map((file) => inRoot(file).catch(() => '')))

  async function run(argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await root.run(argv)
    if (code !== 0) throw new Error(`${argv.join(' ')}: ${code} ${stderr}`)
    return stdout
  }

  /** The plan was made outside, where these accounts and directories are not there either. */
  async function commands(answers: Partial<Answers>): Promise<Pick<CommandChange, 'argv' | 'undo'>[]> {
    const context = contextFor({ prefix: '/srv/pulsar', answers: { user, group: user, ...answers } })
    const { changes, conflicts } = await userStep.plan(context, [])
    expect(conflicts).toEqual([])
    return changes.flatMap((change): Pick<CommandChange, 'argv' | 'undo'>[] => {
      if (change.kind === 'command') return [change]
      return change.kind === 'directory'
        ? [{ argv: ['mkdir', change.path], undo: ['rmdir', change.path] }]
        : []
    })
  }

  it.each<[string, Partial<Answers>, RegExp]>([
    ['as by hand', {}, /^magnetar-test:x:\d{3}:\d{3}::\/home\/pulsar:\/bin\/bash$/],
    [
      'with numbers, home and shell of its own',
      { uid: 4711, gid: 4712, home: '/home/pulsar/inner', shell: '/bin/sh' },
      /^magnetar-test:x:4711:4712::\/home\/pulsar\/inner:\/bin\/sh$/,
    ],
    ['in another group', { group: 'magnetar-others' }, /^magnetar-test:x:\d{3}:\d{3}::\/home\/pulsar:/],
  ])('is made %s, and taken back without a trace', async (_what, answers, entry) => {
    const before = await contents()
    const made = await commands({ home: '/home/pulsar', ...answers })
    for (const { argv } of made) await run(argv)
    expect((await run(['getent', 'passwd', user])).trim()).toMatch(entry)
    expect((await run(['id', '-gn', user])).trim()).toBe(answers.group ?? user)
    const home = answers.home ?? '/home/pulsar'
    expect((await run(['stat', '-c', '%U', home])).trim()).toBe(user)
    for (const { undo } of made.toReversed()) await run(undo ?? ['false'])
    expect(await contents()).toEqual(before)
    expect((await root.run(['stat', home])).code).toBe(1)
  })
})
