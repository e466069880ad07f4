import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { activeKey } from '../../src/jobs/record.js'
import { tryStart } from '../../src/node/try-start.js'
import { openLevelStore } from '../../src/store/level-store.js'
import { freePort } from '../helpers/free-port.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { writeFiles } from '../setup/install-fixture.js'

let root: string
const write = async (app: string, ini = ''): Promise<void> =>
  writeFiles(root, {
    'etc/app.yml': `private_token: x\nstaging_directory: ${root}/jobs\npersistence_directory: ${root}/active\n${app}`,
    'etc/server.ini': `[server:main]\nport = ${await freePort()}\n${ini}`,
  })
const tried = async (): Promise<string[]> => {
  const config = await loadConfig({ configDirectory: join(root, 'etc'), env: {}, cwd: root })
  return tryStart(config, {})
}

const listing = (directory: string): string[] =>
  readdirSync(directory).map((name) => `${name} ${readFileSync(join(directory, name)).toString('base64')}`)

beforeEach(async () => {
  root = await tempDirectory()
})

describe('a start that is only tried', () => {
  it('leaves nothing behind', async () => {
    await write('')
    expect(await tried()).toEqual([])
    expect(readdirSync(root)).toEqual(['etc'])
  })

  it.each([
    {
      what: 'a file where jobs are to go',
      files: { jobs: '' },
      app: '',
      why: /^staging_directory: cannot use/,
    },
    {
      what: 'a place for the cache where none can be',
      files: {},
      app: `file_cache_dir: /proc/nowhere\n`,
      why: /^file_cache_dir: cannot use/,
    },
    {
      what: 'a type that no server starts with',
      files: {},
      app: 'managers: {a: {type: queued_external_drmaa}}\n',
      why: /queued_external_drmaa/,
    },
    {
      what: 'a certificate that is none',
      files: { 'etc/pem': 'nothing' },
      app: '',
      ini: 'ssl_pem = pem\n',
      why: /^cannot use ssl_pem/,
    },
  ])('fails as the start would: $what', async ({ files, app, ini, why }) => {
    writeFiles(root, files)
    await write(app, ini?.replace('pem\n', `${root}/etc/pem\n`))
    await expect(tried()).rejects.toThrow(why)
  })

  it('fails with records that the start could not read, and leaves them as they are', async () => {
    await write('')
    const directory = join(root, 'active', 'magnetar-store')
    mkdirSync(join(root, 'active'))
    const store = await openLevelStore(directory)
    await store.write([{ type: 'put', key: activeKey('_default_', '1'), value: { id: '1' } }])
    await store.close()
    // What is in its log goes into a table with the next start.
    await (await openLevelStore(directory)).close()
    expect(await tried()).toEqual([])
    for (const damaged of [/\.ldb$/, /./]) {
      const names = readdirSync(directory).filter((each) => damaged.test(each))
      expect(names).not.toEqual([])
      for (const name of names) writeFileSync(join(directory, name), randomBytes(4096))
      const before = listing(directory)
      await expect(tried()).rejects.toMatchObject({ code: 'STORE_BROKEN' })
      expect(listing(directory)).toEqual(before)
    }
  })

  it('is what every server command does with MAGNETAR_TRY_START', async () => {
    await write('allow_root: true\n')
    const env = { MAGNETAR_TRY_START: '1', MAGNETAR_PREFIX: undefined, MODE: undefined }
    const pulsar = [resolve('bin', 'pulsar.js'), '-c', join(root, 'etc')]
    const ran = await runCommand(process.execPath, pulsar, { env, timeoutMs: 60_000 })
    expect(ran).toMatchObject({ exitCode: 0, output: expect.stringContaining('the server would start') })
    expect(existsSync(join(root, 'active'))).toBe(false)
    await write('allow_root: true\nmanagers: {a: {type: queued_external_drmaa}}\n')
    expect(await runCommand(process.execPath, pulsar, { env, timeoutMs: 60_000 })).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('[SCHEDULER_UNSUPPORTED]'),
    })
  })

  it('ends what local_env.sh runs when it is stopped, and says that it was that', async () => {
    await write('allow_root: true\n')
    const pidFile = join(root, 'pid')
    writeFiles(root, {
      'etc/local_env.sh': `sleep 1000 &\necho $! > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; wait\n`,
    })
    const env = { ...process.env, MAGNETAR_TRY_START: '1', MAGNETAR_PREFIX: undefined, MODE: undefined }
    const argv = [resolve('bin', 'pulsar.js'), '-c', join(root, 'etc')]
    const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'ignore', 'pipe'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    await waitFor(() => existsSync(pidFile), { what: 'local_env.sh', timeoutMs: 30_000 })
    const pid = readFileSync(pidFile, 'utf8').trim()
    const state = (): string => {
      if (!existsSync(`/proc/${pid}/stat`)) return 'Z'
      return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.[0] ?? 'Z'
    }
    expect(state()).not.toBe('Z')
    child.kill('SIGTERM')
    await once(child, 'close')
    expect(said).toMatch(/local_env\.sh: was still running when the start was stopped/)
    await waitFor(() => state() === 'Z', { what: 'the end of sleep', timeoutMs: 30_000 })
  }, 60_000)
})
