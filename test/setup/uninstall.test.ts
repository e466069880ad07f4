import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { applyPlan } from '../../src/setup/apply/apply.js'
import { locateNode } from '../../src/setup/locate-node.js'
import { readManifest, renderManifest } from '../../src/setup/manifest.js'
import { appYmlStep } from '../../src/setup/steps/app-yml.js'
import { directoriesStep } from '../../src/setup/steps/directories.js'
import { steps } from '../../src/setup/steps/index.js'
import { localEnvStep } from '../../src/setup/steps/local-env.js'
import { serverIniStep } from '../../src/setup/steps/server-ini.js'
import type { Manifest, SetupContext } from '../../src/setup/types.js'
import { planUninstall, type UninstallPlan, type UninstallRequest } from '../../src/setup/uninstall.js'
import { freePort } from '../helpers/free-port.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { contextFor, setUp } from './context-fixture.js'
import { snapshot } from './tree-snapshot.js'

const signal = new AbortController().signal

/** A node as setup leaves it, with a release of one file. */
async function makeNode(prefix?: string): Promise<SetupContext> {
  const context = contextFor({
    root: false,
    prefix: prefix ?? join(await tempDirectory(), 'node'),
    answers: { manager: 'local', dependencies: 'none', port: await freePort() },
  })
  await setUp(context, [directoriesStep, appYmlStep, serverIniStep, localEnvStep])
  const { bin, releases, runtimes, current, jobs } = context.paths
  mkdirSync(join(releases, '0.1.0'))
  mkdirSync(join(runtimes, '20.0.0'))
  symlinkSync('releases/0.1.0', current)
  writeFileSync(join(bin, 'pulsar'), '#!/bin/sh\n')
  writeFileSync(join(jobs, 'a-job'), '')
  const manifest = await manifestOf(context)
  const files = { ...manifest.files, [join(bin, 'pulsar')]: { whole: '0'.repeat(64) } }
  writeFileSync(context.paths.manifest, renderManifest({ ...manifest, files }))
  return context
}

async function manifestOf({ paths }: SetupContext): Promise<Manifest> {
  const manifest = await readManifest(paths)
  if (!manifest) throw new Error('no manifest')
  return manifest
}

async function plan(context: SetupContext, more: Partial<UninstallRequest> = {}): Promise<UninstallPlan> {
  const { paths, facts } = context
  const manifest = await readManifest(paths)
  return planUninstall({ paths, manifest, facts, purge: false, force: false, signal, ...more }, steps)
}

async function carryOut({ paths }: SetupContext, planned: UninstallPlan, at = signal): Promise<void> {
  await applyPlan(planned.plan, {
    prefix: paths.prefix,
    manifestFile: planned.manifestFile,
    keep: false,
    signal: at,
  })
}

describe('uninstall', () => {
  it('takes the program away, keeps configuration and jobs, and says so', async () => {
    const context = await makeNode()
    const { prefix, etc, lib, manifest } = context.paths
    const before = snapshot(etc)
    const planned = await plan(context)
    expect(planned.plan.notes).toEqual([
      expect.stringMatching(/^kept: .*etc and .*var.*--purge removes them too$/),
    ])
    await carryOut(context, planned)
    expect(readdirSync(prefix).sort()).toEqual(['etc', 'lib', 'var'])
    expect(readdirSync(lib)).toEqual(['setup.json'])
    expect(snapshot(etc)).toEqual(before)
    expect(existsSync(join(context.paths.jobs, 'a-job'))).toBe(true)
    expect(Object.keys((await manifestOf(context)).files).every((file) => file.startsWith(etc))).toBe(true)
    expect(existsSync(manifest)).toBe(true)

    const again = await plan(context)
    expect(again.plan.changes).toEqual([])
  })

  it('with purge leaves nothing, also later', async () => {
    const context = await makeNode()
    await carryOut(context, await plan(context))
    await carryOut(context, await plan(context, { purge: true }))
    expect(existsSync(context.paths.prefix)).toBe(false)
    const nothing = await plan(context, { purge: true })
    expect(nothing.plan.changes).toEqual([])
  })

  it('keeps what is not of setup, wherever it is', async () => {
    const context = await makeNode()
    const { bin, prefix } = context.paths
    writeFileSync(join(bin, 'mine'), 'x')
    writeFileSync(join(prefix, 'README'), 'x')
    await carryOut(context, await plan(context, { purge: true }))
    expect(readdirSync(bin)).toEqual(['mine'])
    expect(readdirSync(prefix).sort()).toEqual(['README', 'bin'])
  })

  it('puts everything back when a part of it fails', async () => {
    const context = await makeNode()
    const before = snapshot(context.paths.prefix)
    const { plan: planned, ...rest } = await plan(context, { purge: true })
    const failing = {
      kind: 'command',
      step: 's',
      title: 'fail',
      counts: 'other',
      argv: ['false'],
      timeoutMs: 5000,
      undo: undefined,
      touches: [],
    } as const
    const broken = { ...rest, plan: { ...planned, changes: [...planned.changes, failing] } }
    await expect(carryOut(context, broken)).rejects.toMatchObject({ code: 'SETUP_FAILED' })
    expect(snapshot(context.paths.prefix)).toEqual(before)
  })

  it('goes on where it was interrupted', async () => {
    const context = await makeNode()
    const planned = await plan(context, { purge: true })
    const controller = new AbortController()
    let done = 0
    await applyPlan(planned.plan, {
      prefix: context.paths.prefix,
      manifestFile: undefined,
      keep: false,
      signal: controller.signal,
      onEvent: ({ type }) => {
        if (type === 'done' && ++done === 3) controller.abort(new Error('Ctrl-C'))
      },
    })
    expect(existsSync(context.paths.prefix)).toBe(true)
    await carryOut(context, await plan(context, { purge: true }))
    expect(existsSync(context.paths.prefix)).toBe(false)
  })

  it('takes away what a first setup left that was killed before it could remember anything', async () => {
    const context = await makeNode()
    const { manifest, prefix } = context.paths
    rmSync(manifest)
    await carryOut(context, await plan(context, { purge: true }))
    expect(existsSync(prefix)).toBe(false)
  })

  it.each([
    ['bin/pulsar-check', /a Python Pulsar/],
    ['precious', /files that setup did not make/],
  ])('touches nothing where there is %s', async (file, words) => {
    const prefix = join(await tempDirectory(), 'node')
    mkdirSync(join(prefix, 'bin'), { recursive: true })
    writeFileSync(join(prefix, file), '')
    const context = contextFor({ root: false, prefix })
    await expect(plan(context)).rejects.toMatchObject({
      code: 'NODE_NOT_FOUND',
      message: expect.stringMatching(words),
    })
  })

  it('has nothing to do where there is nothing', async () => {
    const context = contextFor({ root: false, prefix: join(await tempDirectory(), 'node') })
    expect((await plan(context, { purge: true })).plan.changes).toEqual([])
  })

  it('lets running jobs go on, and refuses to take their files away', async () => {
    const context = await makeNode()
    const job = join(context.paths.jobs, '29')
    const child = spawn('sleep', ['600'], {
      env: { ...process.env, _GALAXY_JOB_DIR: join(job, 'working') },
      stdio: 'ignore',
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    const environment = `/proc/${child.pid}/environ`
    await waitFor(() => readFileSync(environment, 'utf8').includes(job), { what: 'job' })
    const planned = await plan(context)
    expect(planned.jobs).toEqual({ here: 1, onSlurm: 0 })
    expect(planned.plan.notes[0]).toBe(
      '1 job has not ended: it goes on, and the node takes up again what it finds when it is set up anew',
    )
    await expect(plan(context, { purge: true })).rejects.toMatchObject({
      code: 'SETUP_CONFLICT',
      message: '1 job has not ended, and --purge would take its files away',
    })
    const forced = await plan(context, { purge: true, force: true })
    expect(forced.plan.changes.length).toBeGreaterThan(0)
  })
})

describe('the node that is meant', () => {
  const account = { uid: 1000, user: 'ann', group: 'users', home: '/home/pulsar/ann', isRoot: false }
  const root = { ...account, uid: 0, isRoot: true }
  const unnamed = { prefix: undefined, instance: undefined }

  it.each([
    ['root', unnamed, {}, root, '/srv/pulsar', 'pulsar'],
    ['a user', unnamed, {}, account, '/home/pulsar/ann/pulsar', 'pulsar'],
    ['an instance', { ...unnamed, instance: 'two' }, {}, root, '/srv/pulsar-two', 'pulsar-two'],
    ['a prefix', { ...unnamed, prefix: '/opt/x/' }, { MAGNETAR_PREFIX: '/srv/y' }, root, '/opt/x', 'pulsar'],
    ['its own program', unnamed, { MAGNETAR_PREFIX: '/srv/y' }, root, '/srv/y', 'pulsar'],
    [
      'a variable',
      unnamed,
      { MAGNETAR_SETUP_PREFIX: '/srv/z', MAGNETAR_PREFIX: '/srv/y' },
      root,
      '/srv/z',
      'pulsar',
    ],
    [
      'its own program, of another instance',
      { ...unnamed, instance: 'b' },
      { MAGNETAR_PREFIX: '/srv/y' },
      root,
      '/srv/pulsar-b',
      'pulsar-b',
    ],
  ])('is that of %s', async (_what, wanted, env, who, prefix, serviceName) => {
    const { paths, manifest } = await locateNode(wanted, env, who)
    expect(paths).toMatchObject({ prefix, serviceName })
    expect(manifest).toBeUndefined()
  })

  it('has the instance that it was set up as', async () => {
    const prefix = join(await tempDirectory(), 'node')
    const context = contextFor({ root: false, prefix, answers: { instance: 'two' } })
    await setUp(context, [directoriesStep])
    const { paths, manifest } = await locateNode({ ...unnamed, prefix }, {}, account)
    expect(paths.serviceName).toBe('pulsar-two')
    expect(manifest?.answers.instance).toBe('two')
  })
})
