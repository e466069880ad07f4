import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { MagnetarError } from '../../src/lib/errors.js'
import { applyPlan } from '../../src/setup/apply/apply.js'
import { readManifest } from '../../src/setup/manifest.js'
import { type MoveActions, type MoveStage, moveRelease } from '../../src/setup/release/move-release.js'
import {
  planRollback,
  planUpgrade,
  resumeMove,
  type UpgradeContext,
} from '../../src/setup/release/upgrade.js'
import type { Manifest, Plan } from '../../src/setup/types.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { contextFor, writePackage } from './install-fixture.js'

let root: string
let prefix: string
let context: UpgradeContext

beforeEach(async () => {
  const directory = await tempDirectory()
  root = join(directory, 'checkout')
  prefix = join(directory, 'prefix')
  writePackage(root, '1.0.0')
  const first = contextFor(prefix, root, { node: 'download' })
  addRuntime(first.paths.runtimes, 'a')
  const manifest: Manifest = { version: 1, answers: { user: 'me' }, files: {}, madeUser: false }
  context = { ...first, manifest, pinned: pinned('a') }
  // The first installation, as setup makes it: an upgrade of a node whose link leads nowhere yet.
  mkdirSync(join(prefix, 'lib/releases/0'))
  writeFileSync(
    join(prefix, 'lib/releases/0/release.json'),
    '{"version":"0","digest":"x","installed":"2000"}',
  )
  symlinkSync('releases/0', join(prefix, 'lib/current'))
  await move()
  rmSync(join(prefix, 'lib/releases/0'), { recursive: true })
  rmSync(join(prefix, 'lib/previous'))
})

function addRuntime(runtimes: string, name: string): void {
  mkdirSync(join(runtimes, name, 'bin'), { recursive: true })
  symlinkSync(process.execPath, join(runtimes, name, 'bin', 'node'))
  const about = { version: process.versions.node, integrity: `sha512-${name}` }
  writeFileSync(join(runtimes, name, 'runtime.json'), JSON.stringify(about))
}

function pinned(name: string) {
  return { name, version: process.versions.node, integrity: `sha512-${name}`, bytes: 1 }
}

interface Doings {
  /** What happened, in order: "apply 1.1.0" with what runs after it, "restart 1.1.0", "verify 1.1.0". */
  readonly log: string[]
  readonly actions: MoveActions
}

/** Real applying; a service and a job that do what the test says, and note which release they met. */
function actionsThat(
  options: {
    restart?: (release: string) => void | Promise<void>
    verify?: (release: string) => void
    apply?: (plan: Plan, signal: AbortSignal) => Promise<void>
  } = {},
): Doings {
  const log: string[] = []
  const actions: MoveActions = {
    apply:
      options.apply ??
      (async (plan, signal) => {
        const { interrupted } = await applyPlan(plan, {
          prefix,
          manifestFile: context.paths.manifest,
          keep: false,
          signal,
        })
        log.push(`apply ${current()}`)
        if (interrupted) throw signal.reason
      }),
    async restart(signal) {
      signal.throwIfAborted()
      log.push(`restart ${current()}`)
      await options.restart?.(current())
      signal.throwIfAborted()
    },
    async verify(signal) {
      signal.throwIfAborted()
      log.push(`verify ${current()}`)
      options.verify?.(current())
      return { ran: true, states: ['complete'], ms: 1, node: 'here' }
    },
  }
  return { log, actions }
}

async function move(actions = actionsThat().actions, signal = context.signal) {
  const result = await moveRelease(await planUpgrade(context), actions, signal)
  context = { ...context, manifest: (await readManifest(context.paths)) ?? context.manifest }
  return result
}

async function rollback(to?: string, actions = actionsThat().actions) {
  const result = await moveRelease(await planRollback(context, to), actions, context.signal)
  context = { ...context, manifest: (await readManifest(context.paths)) ?? context.manifest }
  return result
}

function current(): string {
  return readlinkSync(join(prefix, 'lib', 'current')).replace('releases/', '')
}

function newer(version = '1.1.0'): void {
  writePackage(root, version, { 'dist/bundle/later.js': `export const later = '${version}'\n` })
  const launcher = join(root, 'templates', 'bin', 'launcher')
  writeFileSync(launcher, `${readFileSync(launcher, 'utf8')}# ${version}\n`)
}

async function runs(): Promise<string> {
  const { output } = await runCommand(join(prefix, 'bin', 'pulsar'), [])
  return (JSON.parse(output) as { version: string }).version
}

function launcherOf(): string {
  return (
    readFileSync(join(prefix, 'bin', 'pulsar'), 'utf8')
      .trim()
      .split('\n')
      .at(-1) ?? ''
  )
}

describe('an upgrade', () => {
  it('installs beside, switches last, restarts, sends a job, and says so to the manifest', async () => {
    newer()
    const planned = await planUpgrade(context)
    expect(planned).toMatchObject({ from: '1.0.0', to: '1.1.0' })
    expect(planned.plan.changes.map(({ title }) => title.replaceAll(prefix, ''))).toEqual([
      'install release 1.1.0 in /lib/releases/1.1.0',
      'run release 1.1.0 with Node.js a',
      'replace /bin/magnetar',
      'replace /bin/pulsar',
      'replace /bin/pulsar-main',
      'replace /bin/pulsar-serve',
      'replace /bin/pulsar-config',
      'remember release 1.0.0 as the one before',
      'switch to release 1.1.0',
    ])
    const { log, actions } = actionsThat()
    const stages: MoveStage[] = []
    const result = await moveRelease(planned, actions, context.signal, (stage) => stages.push(stage))
    expect(result).toMatchObject({ kind: 'moved', verified: { ran: true }, warnings: [] })
    expect(log).toEqual(['apply 1.1.0', 'restart 1.1.0', 'verify 1.1.0'])
    expect(stages).toEqual(['apply', 'restart', 'verify'])
    expect(await runs()).toBe('1.1.0')
    const manifest = await readManifest(context.paths)
    expect(manifest?.answers).toEqual({ user: 'me' })
    expect(Object.keys(manifest?.files ?? {})).toContain(join(prefix, 'bin', 'pulsar'))
  })

  it('has nothing to do for the release that runs', async () => {
    expect((await planUpgrade(context)).plan.changes).toEqual([])
  })

  it.each([
    ['the job fails', { verify: fail }, ['apply 1.1.0', 'restart 1.1.0', 'verify 1.1.0']],
    ['the service does not start', { restart: fail }, ['apply 1.1.0', 'restart 1.1.0']],
  ])('is taken back when %s: link, commands, service', async (_when, failing, before) => {
    newer()
    const { log, actions } = actionsThat(failing)
    const result = await move(actions)
    expect(result).toMatchObject({ kind: 'taken back', why: { message: 'no good' }, interrupted: false })
    expect(log).toEqual([...before, 'apply 1.0.0', 'restart 1.0.0'])
    expect(await runs()).toBe('1.0.0')
    expect(launcherOf()).not.toContain('1.1.0')
    expect(existsSync(join(prefix, 'lib', 'previous'))).toBe(false)
    // What was installed is there for the next try, which only switches.
    const again = await planUpgrade(context)
    expect(again.plan.changes.some(({ kind }) => kind === 'tree')).toBe(false)
    expect(await move()).toMatchObject({ kind: 'moved' })
    expect(await runs()).toBe('1.1.0')
  })

  function fail(release: string): void {
    if (release === '1.1.0') throw new Error('no good')
  }

  it('is taken back when it is interrupted after the switch', async () => {
    newer()
    const stop = new AbortController()
    const { log, actions } = actionsThat({ restart: () => stop.abort(new Error('Ctrl-C')) })
    const result = await move(actions, stop.signal)
    expect(result).toMatchObject({ kind: 'taken back', interrupted: true })
    expect(log).toEqual(['apply 1.1.0', 'restart 1.1.0', 'apply 1.0.0', 'restart 1.0.0'])
    expect(await runs()).toBe('1.0.0')
  })

  it('leaves the node as it was when it is interrupted before the switch', async () => {
    newer()
    const planned = await planUpgrade(context)
    const stop = new AbortController()
    const applied: string[] = []
    const { actions } = actionsThat({
      async apply(plan, signal) {
        const { interrupted } = await applyPlan(plan, {
          prefix,
          manifestFile: context.paths.manifest,
          keep: false,
          signal,
          onEvent({ type, change }) {
            if (type !== 'done') return
            applied.push(change.title)
            if (change.title === `replace ${prefix}/bin/pulsar-main`) stop.abort(new Error('Ctrl-C'))
          },
        })
        if (interrupted) throw signal.reason
      },
    })
    const result = await moveRelease(planned, actions, stop.signal)
    expect(result).toMatchObject({ kind: 'taken back', interrupted: true })
    expect(applied).not.toContain('switch to release 1.1.0')
    expect(await runs()).toBe('1.0.0')
    expect(launcherOf()).not.toContain('1.1.0')
    expect(await move()).toMatchObject({ kind: 'moved' })
  })

  it('fails as applying fails, without a restart, when nothing was switched', async () => {
    newer()
    const { log, actions } = actionsThat({
      async apply() {
        throw new MagnetarError('SETUP_FAILED', 'no room')
      },
    })
    await expect(move(actions)).rejects.toThrow('no room')
    expect(log).toEqual([])
  })

  it('says how to go on when the way back fails too', async () => {
    newer()
    let restarts = 0
    const { actions } = actionsThat({
      restart() {
        restarts += 1
        throw new Error(`restart ${restarts} failed`)
      },
    })
    await expect(move(actions)).rejects.toMatchObject({
      code: 'SETUP_FAILED',
      message:
        'release 1.1.0 did not do (restart 1 failed), and going back to 1.0.0 failed as well: restart 2 failed',
      fix: 'Correct that, then: magnetar rollback --to 1.0.0',
    })
    expect(await runs()).toBe('1.0.0')
  })

  it('goes on where it was killed after the switch: restart, job, and back when that fails', async () => {
    newer()
    const killed = actionsThat({ restart: () => Promise.reject(new Error('killed')) })
    const { plan } = await planUpgrade(context)
    await killed.actions.apply(plan, context.signal)
    const resumed = await resumeMove(context, await planUpgrade(context))
    expect(resumed).toMatchObject({ from: '1.0.0', to: '1.1.0', plan: { changes: [] } })
    const { log, actions } = actionsThat({ verify: failOn('1.1.0') })
    expect(await moveRelease(resumed, actions, context.signal)).toMatchObject({ kind: 'taken back' })
    expect(log).toEqual(['apply 1.1.0', 'restart 1.1.0', 'verify 1.1.0', 'apply 1.0.0', 'restart 1.0.0'])
    expect(await runs()).toBe('1.0.0')
  })

  it('throws what went wrong when there is nothing to go back to', async () => {
    const resumed = await resumeMove(context, await planUpgrade(context))
    const { actions } = actionsThat({ verify: failOn('1.0.0') })
    await expect(moveRelease(resumed, actions, context.signal)).rejects.toThrow('no good')
  })

  it('keeps the last three releases, and removes older ones only after the job went through', async () => {
    for (const version of ['1.1.0', '1.2.0']) {
      newer(version)
      await move()
    }
    newer('1.3.0')
    expect(await move(actionsThat({ verify: failOn('1.3.0') }).actions)).toMatchObject({ kind: 'taken back' })
    expect(existsSync(join(prefix, 'lib/releases/1.0.0'))).toBe(true)
    expect(await move()).toMatchObject({ kind: 'moved', warnings: [] })
    expect(existsSync(join(prefix, 'lib/releases/1.0.0'))).toBe(false)
    expect(existsSync(join(prefix, 'lib/releases/1.1.0'))).toBe(true)
  })

  function failOn(wanted: string): (release: string) => void {
    return (release) => {
      if (release === wanted) throw new Error('no good')
    }
  }

  it('brings the runtime that the new release names, and takes that back as well', async () => {
    addRuntime(context.paths.runtimes, 'b')
    context = { ...context, pinned: pinned('b'), runtime: { ...context.runtime, keep: false } }
    // The same release on another runtime: no other link changes.
    const runtime = (): string => readlinkSync(join(prefix, 'lib/releases/1.0.0/node'))
    expect((await planUpgrade(context)).plan.changes).toHaveLength(1)
    await move(actionsThat({ verify: failOn('1.0.0') }).actions)
    expect(runtime()).toContain('/a/')
    expect(await move()).toMatchObject({ kind: 'moved' })
    expect(runtime()).toContain('/b/')
    expect(existsSync(join(context.paths.runtimes, 'a'))).toBe(false)
  })

  it('leaves commands alone that were edited by hand, and says so', async () => {
    writeFileSync(join(prefix, 'bin', 'pulsar'), '#!/bin/sh\n# mine\n')
    newer()
    const { plan } = await planUpgrade(context)
    expect([...plan.conflicts.map(({ message }) => message), ...plan.notes].join()).toContain('bin/pulsar')
    await move()
    expect(readFileSync(join(prefix, 'bin', 'pulsar'), 'utf8')).toContain('# mine')
  })

  it('is refused where setup has made no node', async () => {
    rmSync(join(prefix, 'lib', 'current'))
    await expect(planUpgrade(context)).rejects.toMatchObject({ code: 'NODE_NOT_FOUND' })
    await expect(planRollback(context, undefined)).rejects.toMatchObject({ code: 'NODE_NOT_FOUND' })
  })
})

describe('a rollback', () => {
  it('goes to the release before, with its commands, and from there back again', async () => {
    newer()
    await move()
    const { log, actions } = actionsThat()
    expect(await rollback(undefined, actions)).toMatchObject({ kind: 'moved' })
    expect(log).toEqual(['apply 1.0.0', 'restart 1.0.0', 'verify 1.0.0'])
    expect(await runs()).toBe('1.0.0')
    expect(launcherOf()).not.toContain('1.1.0')
    await rollback()
    expect(await runs()).toBe('1.1.0')
  })

  it('goes to the release named', async () => {
    for (const version of ['1.1.0', '1.2.0']) {
      newer(version)
      await move()
    }
    await rollback('1.0.0')
    expect(await runs()).toBe('1.0.0')
    expect(readlinkSync(join(prefix, 'lib', 'previous'))).toBe('releases/1.2.0')
    expect((await planRollback(context, '1.0.0')).plan.changes).toEqual([])
  })

  it('is taken back when the old release does not do any more', async () => {
    newer()
    await move()
    const { actions } = actionsThat({
      verify(release) {
        if (release === '1.0.0') throw new Error('no good')
      },
    })
    expect(await rollback(undefined, actions)).toMatchObject({ kind: 'taken back' })
    expect(await runs()).toBe('1.1.0')
    expect(launcherOf()).toContain('1.1.0')
  })

  it('says what there is when there is none to go to', async () => {
    await expect(planRollback(context, undefined)).rejects.toMatchObject({
      code: 'RELEASE_UNKNOWN',
      message: expect.stringContaining('no release ran before 1.0.0'),
      fix: 'There is no other release to go back to.',
    })
    newer()
    await move()
    await expect(planRollback(context, '0.9')).rejects.toMatchObject({
      message: 'release 0.9 is not installed',
      fix: 'There are: 1.0.0. Choose one: magnetar rollback --to 1.0.0',
    })
  })

  it('does not go to a release that is damaged, or whose runtime does not run', async () => {
    newer()
    await move()
    const file = join(prefix, 'lib/releases/1.0.0/dist/bundle/later.js')
    const text = readFileSync(file)
    rmSync(file)
    await expect(planRollback(context, undefined)).rejects.toThrow(/1.0.0 is damaged/)
    writeFileSync(file, text)
    rmSync(join(prefix, 'lib/releases/1.0.0/node'))
    await expect(planRollback(context, undefined)).rejects.toMatchObject({ code: 'RUNTIME_UNAVAILABLE' })
  })
})
