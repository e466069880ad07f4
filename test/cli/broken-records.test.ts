import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path, { resolve } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { runCommand } from '../../src/lib/exec.js'
import { openLevelStore } from '../../src/store/level-store.js'
import { freePort } from '../helpers/free-port.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { writeNodeConfig } from '../peers/pulsar-config.js'

/* A node whose server does not run, and whose records nobody can read: a disk that failed, a wrong rm, a full /tmp. */

let directory: string
let store: string

beforeEach(async () => {
  directory = await tempDirectory()
  await writeNodeConfig({ directory }, await freePort())
  store = path.join(directory, 'persisted_data', 'magnetar-store')
  mkdirSync(path.dirname(store), { recursive: true })
  await (await openLevelStore(store)).close()
})

function run(words: readonly string[], env: Record<string, string> = {}) {
  return runCommand(process.execPath, [resolve('bin', 'magnetar.js'), ...words, '--config', directory], {
    timeoutMs: 60_000,
    env: { ...process.env, NO_COLOR: '1', MAGNETAR_PREFIX: '', PULSAR_CONFIG_DIR: '', ...env },
    cwd: directory,
  })
}

async function doctorFindings(): Promise<{ id: string; message: string; fix: string | null }[]> {
  return JSON.parse((await run(['doctor', '--no-job', '--json'])).stdout).findings
}

describe('records that cannot be opened', () => {
  beforeEach(() => writeFileSync(path.join(store, 'CURRENT'), 'garbage'))

  it('are named as they stand, without a stack trace, and status says the rest', async () => {
    const status = await run(['status'])
    expect(status.code).toBe(1)
    expect(status.stdout).toMatch(/^Node +The server is not running, and its records cannot be read\.$/m)
    expect(status.stdout).toMatch(/^Jobs +not known$/m)
    expect(status.stdout).toMatch(/^Disk +/m)
    expect(status.stderr).toContain(`cannot open the job records in ${store}: `)
    expect(status.stderr).toContain(`mv ${store} ${store}.broken`)
    expect(status.stderr).not.toMatch(/magnetar-records-|^ +at /m)
    const json = await run(['status', '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({
      running: false,
      recordsError: { code: 'STORE_BROKEN' },
      disks: [{ directory: expect.any(String) }],
    })
    for (const words of [['jobs'], ['audit'], ['jobs', 'show', '1']]) {
      const { code, stderr } = await run(words)
      expect(code).toBe(1)
      expect(stderr).toMatch(/\[STORE_BROKEN\]\n$/)
      expect(stderr).not.toMatch(/magnetar-records-|^ +at /m)
    }
  })

  it('are a finding of doctor', async () => {
    expect(await doctorFindings()).toContainEqual(
      expect.objectContaining({
        id: 'records-broken',
        message: expect.stringContaining(store),
        fix: expect.stringContaining(`mv ${store} ${store}.broken`),
      }),
    )
  })
})

describe('records that are gone', () => {
  beforeEach(() => {
    for (const id of ['11', '12']) {
      mkdirSync(path.join(directory, 'staging', id), { recursive: true })
      writeFileSync(path.join(directory, 'staging', id, '.magnetar-job'), '')
    }
  })

  it('make audit say that it can prove nothing', async () => {
    rmSync(store, { recursive: true })
    const audit = await run(['audit'])
    expect(audit.stdout).toContain('2 job directories')
    expect(audit.stdout).not.toContain('Nothing is broken')
    expect(audit.code).toBe(1)
    const json = await run(['audit', '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, directoriesWithoutJournal: 2 })
    expect(await doctorFindings()).toContainEqual(expect.objectContaining({ id: 'records-missing' }))
  })

  it('are missed by nobody on a node without jobs', async () => {
    rmSync(store, { recursive: true })
    rmSync(path.join(directory, 'staging'), { recursive: true })
    expect(await run(['audit'])).toMatchObject({ code: 0 })
    expect((await doctorFindings()).map(({ id }) => id)).toContain('records')
  })
})

it('a TMPDIR that takes no copy of the records is named, with another', async () => {
  // Nobody can make a directory there.
  const status = await run(['status'], { TMPDIR: '/sys' })
  expect(status.code).toBe(1)
  expect(status.stdout).toMatch(/^Disk +/m)
  expect(status.stderr).toContain('cannot be copied to /sys to be read: ')
  expect(status.stderr).toMatch(/Fix: Name a directory .*TMPDIR=\/var\/tmp .*\[COPY_FAILED\]\n$/)
})

it('a TMPDIR that is not there is done without', async () => {
  for (const words of [['status'], ['jobs']])
    expect((await run(words, { TMPDIR: path.join(directory, 'nowhere') })).stderr).not.toContain(
      'COPY_FAILED',
    )
  expect(readdirSync(directory)).not.toContain('nowhere')
})
