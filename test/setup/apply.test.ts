import { existsSync, readdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MagnetarError, messageOf } from '../../src/lib/errors.js'
import type { ApplyEvent } from '../../src/setup/apply/apply.js'
import { ApplyError } from '../../src/setup/apply/apply-error.js'
import { parseManifest } from '../../src/setup/manifest.js'
import type { Change, CommandChange, Plan, TreeChange } from '../../src/setup/types.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { snapshot } from './tree-snapshot.js'
import { apply, failingAfter, makeBefore, plan, TOKEN } from './varied-plan.js'
import { watchedFs } from './watched-fs.js'

async function newRoot(): Promise<string> {
  const root = await tempDirectory()
  await makeBefore(root)
  return root
}

async function failure(applied: Promise<unknown>): Promise<ApplyError> {
  const error = await applied.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error instanceof ApplyError) return error
  throw new Error(`no ApplyError: ${messageOf(error)}`)
}

function command(script: string, more: Partial<CommandChange> = {}): CommandChange {
  return {
    kind: 'command',
    step: 'commands',
    title: 'run a command',
    counts: 'other',
    argv: ['sh', '-c', script],
    timeoutMs: 20_000,
    undo: undefined,
    touches: [],
    ...more,
  }
}

function planOf(like: Plan, changes: readonly Change[]): Plan {
  return { ...like, changes }
}

const manifestOf = async (root: string) => {
  const file = join(root, 'node', 'lib', 'setup.json')
  return parseManifest(await readFile(file, 'utf8'), file)
}

describe('applying a plan', () => {
  it('makes everything as planned, remembers it, and has nothing to do the second time', async () => {
    const root = await newRoot()
    const wanted = await plan(root)
    const result = await apply(root, wanted)
    expect(result).toMatchObject({ interrupted: false, left: [], manifestWritten: true, warnings: [] })
    expect(result.done.map(({ title }) => title)).toEqual(wanted.changes.map(({ title }) => title))
    expect(await manifestOf(root)).toEqual(wanted.manifest)

    const after = snapshot(root)
    expect(Object.keys(after).filter((name) => name.includes('magnetar'))).toEqual([])
    const again = await plan(root)
    expect(again.changes).toEqual([])
    expect(await apply(root, again)).toMatchObject({ done: [], manifestWritten: false })
    expect(snapshot(root)).toEqual(after)
  })

  it('writes only the manifest when only that differs', async () => {
    const root = await newRoot()
    await apply(root, await plan(root))
    const same = await plan(root)
    const other = { ...same, manifest: { ...same.manifest, answers: { port: 9000 } } }
    expect(await apply(root, other)).toMatchObject({ done: [], manifestWritten: true })
    expect((await manifestOf(root)).answers).toEqual({ port: 9000 })
  })

  it('tells about each change as it begins and ends', async () => {
    const root = await newRoot()
    const wanted = await plan(root)
    const events: ApplyEvent[] = []
    await apply(root, wanted, { onEvent: (event) => events.push(event) })
    const told = events.filter(({ type }) => type !== 'progress')
    expect(told.map(({ type, index }) => `${type} ${index}`)).toEqual(
      wanted.changes.flatMap((_, index) => [`start ${index}`, `done ${index}`]),
    )
    for (const { type, ms, total, change, index } of told) {
      expect({ total, change }).toEqual({ total: wanted.changes.length, change: wanted.changes[index] })
      expect(ms === undefined).toBe(type === 'start')
    }
  })

  it('has no secret readable for others at any moment', async () => {
    const root = await newRoot()
    const etc = join(root, 'node', 'etc')
    let seen = 0
    const fs = watchedFs(() => {
      for (const [name, what] of Object.entries(snapshot(etc))) {
        if (!what.includes(TOKEN)) continue
        seen++
        expect(what, name).toMatch(/^file [0-7]00 /)
      }
    })
    await apply(root, await plan(root), { tools: { fs } })
    expect(seen).toBeGreaterThan(3)
  })

  it('does nothing about changes that are so already', async () => {
    const root = await newRoot()
    const wanted = await plan(root)
    await apply(root, wanted)
    const after = snapshot(root)
    const repeatable = wanted.changes.filter(({ kind }) => ['directory', 'file', 'link'].includes(kind))
    expect(repeatable.length).toBeGreaterThan(6)
    await apply(root, planOf(wanted, repeatable))
    const failed = failingAfter(planOf(wanted, repeatable), repeatable.length)
    expect((await failure(apply(root, failed))).details).toMatchObject({ undone: [], notUndone: [] })
    expect(snapshot(root)).toEqual(after)
  })
})

describe('a plan that fails', () => {
  it('is undone to the byte, wherever it fails', async () => {
    const root = await newRoot()
    const untouched = snapshot(root)
    const total = (await plan(root)).changes.length
    expect(total).toBeGreaterThan(20)
    for (let position = 0; position <= total; position++) {
      const error = await failure(apply(root, failingAfter(await plan(root), position)))
      expect(error.message).toContain('it cannot be done')
      expect(error.details.undone).toHaveLength(position)
      expect(error.details).toMatchObject({ kept: [], notUndone: [], warnings: [] })
      expect(error.details.left).toHaveLength(total - position)
      expect(snapshot(root)).toEqual(untouched)
    }
  })

  it('is undone the last change first, and says so', async () => {
    const root = await newRoot()
    const wanted = failingAfter(await plan(root), 3)
    const events: string[] = []
    const onEvent = ({ type, index }: ApplyEvent): number => events.push(`${type} ${index}`)
    const error = await failure(apply(root, wanted, { onEvent }))
    expect(events.slice(-8)).toEqual([
      'start 3',
      'failed 3',
      ...[2, 1, 0].flatMap((index) => [`undo-start ${index}`, `undo-done ${index}`]),
    ])
    expect(error).toMatchObject({ code: 'SETUP_FAILED' })
    expect(error.message).toMatch(
      /^could not do what cannot be done: .*exit code 3: it cannot be done\. Undone: /,
    )
    expect(error.message).toMatch(/Everything is as it was before\.$/)
  })

  it('says what could not be undone, and undoes the rest', async () => {
    const root = await newRoot()
    const stubborn = command('true', { title: 'start it', undo: ['sh', '-c', 'echo it goes on >&2; exit 1'] })
    const [, ...rest] = (await plan(root)).changes
    const wanted = planOf(await plan(root), [stubborn, ...rest])
    const untouched = snapshot(root)
    const error = await failure(apply(root, failingAfter(wanted, 4)))
    expect(error.details.notUndone).toMatchObject([
      { title: 'start it', reason: expect.stringMatching(/it goes on$/) },
    ])
    expect(error.details.undone).toHaveLength(3)
    expect(error.message).toMatch(/Could not be undone: start it: .*it goes on\.$/)
    expect(snapshot(root)).toEqual(untouched)
  })

  it('is undone also when directories and then the one that holds them are removed, and is gone when not', async () => {
    const root = await newRoot()
    await apply(root, await plan(root))
    const untouched = snapshot(root)
    const removals = ['etc', 'lib', 'var/jobs', 'var', 'bin', ''].map((name): Change => {
      const path = join(root, 'node', name).replace(/\/$/, '')
      return { kind: 'remove', step: 'all', title: `remove ${path}`, counts: 'other', path }
    })
    const all = planOf(await plan(root), removals)
    for (let position = 0; position <= removals.length; position++) {
      const failed = apply(root, failingAfter(all, position), { manifestFile: undefined })
      expect((await failure(failed)).details).toMatchObject({ notUndone: [] })
      expect(snapshot(root)).toEqual(untouched)
    }
    expect(await apply(root, all, { manifestFile: undefined })).toMatchObject({
      manifestWritten: false,
      warnings: [],
    })
    expect(readdirSync(root)).toEqual(['machine'])
  })

  it('runs what has to run last when everything is back, in the order of the plan, also for the command that failed', async () => {
    const root = await newRoot()
    const log = join(root, 'log')
    const note = (text: string): readonly string[] => ['sh', '-c', `echo ${text} >> ${log}`]
    const changes = [
      command('true', { undo: note('first-undo'), undoLast: note('first-last') }),
      command('true', { undo: note('second-undo') }),
      command('exit 1', { undo: note('never'), undoLast: note('failed-last') }),
      command('true', { undoLast: note('never') }),
    ]
    await failure(apply(root, planOf(await plan(root), changes)))
    expect((await readFile(log, 'utf8')).split('\n')).toEqual([
      'second-undo',
      'first-undo',
      'first-last',
      'failed-last',
      '',
    ])
  })

  it('shows what a command says about its failure', async () => {
    const root = await newRoot()
    const changes = [command('exit 4', { explain: ['sh', '-c', 'echo line one; echo port is taken'] })]
    const error = await failure(apply(root, planOf(await plan(root), changes)))
    expect(error.message).toContain(
      'ended with exit code 4\nline one\nport is taken\nNothing else was changed.',
    )
    const none = [command('exit 4', { explain: ['magnetar-no-such-program'] })]
    expect((await failure(apply(root, planOf(await plan(root), none)))).message).toContain(
      'exit code 4. Nothing',
    )
  })

  it('keeps what was done when asked to, says so, and goes on from there the next time', async () => {
    const root = await newRoot()
    const wanted = await plan(root)
    const error = await failure(apply(root, failingAfter(wanted, 12), { keep: true }))
    const titles = wanted.changes.slice(0, 12).map(({ title }) => title)
    expect(error.details.kept.map(({ title }) => title)).toEqual(titles)
    expect(error.details).toMatchObject({ undone: [], notUndone: [] })
    expect(error.message).toContain(
      `kept as --keep says: 12 changes, from "${titles[0]}" to "${titles[11]}".`,
    )
    expect((await manifestOf(root)).madeUser).toBe(true)
    const next = await plan(root)
    expect(next.changes.map(({ title }) => title)).toEqual(wanted.changes.slice(12).map(({ title }) => title))
    await apply(root, next)
    expect((await plan(root)).changes).toEqual([])
  })

  it.each([
    [
      'a command that does not end in time',
      command('sleep 60', { timeoutMs: 50 }),
      /did not end within 0\.05 s/,
    ],
    [
      'a command that is not there',
      command('', { argv: ['magnetar-no-such-program'] }),
      /not installed, or not on PATH/,
    ],
    ['a command that a signal ends', command('kill -SEGV $$'), /ended with SIGSEGV/],
  ])('names the reason: %s', async (_what, change, reason) => {
    const root = await newRoot()
    expect((await failure(apply(root, planOf(await plan(root), [change])))).message).toMatch(reason)
  })

  it('keeps the code and the fix of a change that knows better, and tells of a full disk what it is', async () => {
    const root = await newRoot()
    const path = join(root, 'node', 'lib', 'node', '30')
    const building = (error: Error): Change => ({
      kind: 'tree',
      step: 'runtime',
      title: 'install a runtime',
      counts: 'runtime',
      path,
      owner: undefined,
      build: async (target) => {
        await writeFile(target, 'half')
        throw error
      },
    })
    const known = new MagnetarError('RUNTIME_UNAVAILABLE', 'no registry', { fix: 'give one' })
    const like = await plan(root)
    const first = await failure(apply(root, planOf(like, [building(known)])))
    expect(first).toMatchObject({ code: 'RUNTIME_UNAVAILABLE', fix: 'give one' })
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    const second = await failure(apply(root, planOf(like, [building(full)])))
    expect(second).toMatchObject({ code: 'SETUP_FAILED', fix: expect.stringContaining('df -h') })
    expect(second.message).toContain('no space or no inodes left on the disk (ENOSPC)')
    expect(readdirSync(join(root, 'node', 'lib', 'node'))).toEqual(['20'])
  })
})

describe('a plan that is interrupted', () => {
  const runUntil = async (root: string, changes: readonly Change[], started: () => boolean) => {
    const controller = new AbortController()
    const running = apply(root, planOf(await plan(root), changes), { signal: controller.signal })
    await waitFor(started, { what: 'the change to begin' })
    controller.abort(new Error('Ctrl-C'))
    return running
  }

  it('ends the command under way, undoes nothing and says what is done and what is left', async () => {
    const root = await newRoot()
    const { changes } = await plan(root)
    const mark = join(root, 'begun')
    const long = command(`echo $$ > ${mark}.new; mv ${mark}.new ${mark}; exec sleep 60`, { title: 'wait' })
    const result = await runUntil(root, [...changes.slice(0, 12), long, ...changes.slice(12)], () =>
      existsSync(mark),
    )
    const titles = (some: readonly Change[]): string[] => some.map(({ title }) => title)
    expect(result).toMatchObject({ interrupted: true, cutOff: { title: 'wait' }, warnings: [] })
    expect(result.done.map(({ title }) => title)).toEqual(titles(changes.slice(0, 12)))
    expect(result.left.map(({ title }) => title)).toEqual(titles(changes.slice(12)))
    expect(existsSync(`/proc/${(await readFile(mark, 'utf8')).trim()}`)).toBe(false)

    expect(Object.keys(snapshot(root)).filter((name) => name.includes('magnetar'))).toEqual([])
    expect((await manifestOf(root)).madeUser).toBe(true)
    await apply(root, await plan(root))
    expect((await plan(root)).changes).toEqual([])
  })

  it('remembers the files that it wrote, not those that it did not', async () => {
    const root = await newRoot()
    const { changes, manifest } = await plan(root)
    const ini = changes.findIndex(({ title }) => title.endsWith('server.ini'))
    const mark = join(root, 'begun')
    const long = command(`touch ${mark}; exec sleep 60`)
    await runUntil(root, [...changes.slice(0, ini), long, ...changes.slice(ini)], () => existsSync(mark))
    const [app, server] = ['app.yml', 'server.ini'].map((name) => join(root, 'node', 'etc', name)) as [
      string,
      string,
    ]
    const kept = await manifestOf(root)
    expect(kept.files[app]).toEqual(manifest.files[app])
    expect(kept.files[server]).toBeUndefined()
    expect(kept.answers).toEqual({})
  })

  it('leaves nothing of a tree that is being made', async () => {
    const root = await newRoot()
    let target = ''
    const tree: TreeChange = {
      kind: 'tree',
      step: 'runtime',
      title: 'install a runtime',
      counts: 'runtime',
      path: join(root, 'node', 'lib', 'node', '30'),
      owner: undefined,
      async build(path, progress, signal) {
        await writeFile(path, 'half')
        progress('half of it')
        target = path
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
    }
    const result = await runUntil(root, [tree], () => target !== '')
    expect(result).toMatchObject({ interrupted: true, done: [], cutOff: { title: 'install a runtime' } })
    expect(readdirSync(join(root, 'node', 'lib', 'node'))).toEqual(['20'])
  })

  it('before its first change does nothing at all', async () => {
    const root = await newRoot()
    const untouched = snapshot(root)
    const result = await apply(root, await plan(root), { signal: AbortSignal.abort() })
    expect(result).toMatchObject({ interrupted: true, done: [], cutOff: undefined, manifestWritten: false })
    expect(snapshot(root)).toEqual(untouched)
  })
})
