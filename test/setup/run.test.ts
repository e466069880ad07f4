import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ApplyResult } from '../../src/setup/apply/apply.js'
import { RELEASE_FILE } from '../../src/setup/release/contents.js'
import {
  carryOut,
  type PreparedSetup,
  prepareSetup,
  type SetupEvent,
  type SetupParts,
} from '../../src/setup/run.js'
import type { Change, Plan } from '../../src/setup/types.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { type Case, resolveInput, userFacts } from './answer-fixtures.js'

const aChange: Change = {
  kind: 'directory',
  step: 'directories',
  title: 'create it',
  counts: 'directory',
  path: '/nowhere',
  mode: 0o755,
  owner: undefined,
}
const applied: ApplyResult = {
  interrupted: false,
  done: [],
  cutOff: undefined,
  left: [],
  manifestWritten: true,
  warnings: [],
}

interface Scene {
  readonly prepared: PreparedSetup
  readonly parts: SetupParts
  readonly calls: string[]
  readonly events: SetupEvent['type'][]
  readonly unproved: string
  readonly controller: AbortController
  run(): ReturnType<typeof carryOut>
}

/** A setup of which only the order is real. */
async function scene(
  given: Case,
  changes: readonly Change[],
  more: Partial<SetupParts> = {},
): Promise<Scene> {
  const prefix = await tempDirectory()
  mkdirSync(join(prefix, 'var'))
  const controller = new AbortController()
  const calls: string[] = []
  const events: SetupEvent['type'][] = []
  const plan: Plan = {
    changes,
    conflicts: [],
    notes: [],
    manifest: { version: 1, answers: {}, files: {}, madeUser: false },
  }
  const parts: SetupParts = {
    steps: [],
    makePlan: async () => plan,
    applyPlan: async () => {
      calls.push('apply')
      return applied
    },
    waitHealthy: async () => {
      calls.push('wait')
      return { url: 'http://127.0.0.1:1/', ms: 1 }
    },
    verifyNode: async () => {
      calls.push(existsSync(unproved) ? 'verify, marked' : 'verify')
      return { ran: true, states: ['submitted', 'complete'], ms: 2, node: 'vm' }
    },
    ...more,
  }
  const unproved = join(prefix, 'var/.magnetar-unproved')
  const input = resolveInput({ facts: userFacts, ...given, flags: { prefix, ...given.flags } })
  const request = { input, readToken: async () => 'secret', source: { root: '/', version: '1' } }
  const prepared = await prepareSetup({ ...request, signal: controller.signal }, parts)
  const onEvent = ({ type }: SetupEvent): void => void events.push(type)
  return {
    prepared,
    parts,
    calls,
    events,
    unproved,
    controller,
    run: () => carryOut(prepared, { keep: false, onEvent }, parts),
  }
}

describe('preparing a setup', () => {
  it('takes the lock before it looks at the disk, and the token from the file', async () => {
    const order: string[] = []
    const makePlan: SetupParts['makePlan'] = async (context) => {
      order.push(`plan with ${context.token}`)
      return {
        changes: [],
        conflicts: [],
        notes: [],
        manifest: { version: 1, answers: {}, files: {}, madeUser: false },
      }
    }
    const { parts } = await scene({}, [])
    const prefix = await tempDirectory()
    const prepared = await prepareSetup(
      {
        input: resolveInput({ facts: userFacts, flags: { prefix, tokenFile: '/token' } }),
        readToken: async (file) => `from ${file}`,
        source: { root: '/', version: '1' },
        signal: new AbortController().signal,
        lock: async (locked) => void order.push(`lock ${locked === prefix}`),
      },
      { ...parts, makePlan },
    )
    expect(order).toEqual(['lock true', 'plan with from /token'])
    expect(prepared.resolved.answers.token).toBe('from /token')
    expect(prepared.token.source).toBe('given')
  })
})

describe('a release that runs and is newer than the package', () => {
  it.each([
    ['0.2.0', '0.1.0', true],
    ['0.2.0', '0.2.0', false],
    ['0.2.0', '0.10.0', false],
  ])('%s is kept by %s: %s', async (version, own, keeps) => {
    const { parts } = await scene({}, [])
    const prefix = await tempDirectory()
    const release = join(prefix, 'lib/releases', version)
    mkdirSync(release, { recursive: true })
    writeFileSync(join(release, RELEASE_FILE), JSON.stringify({ version, digest: 'd', installed: '2026' }))
    symlinkSync(`releases/${version}`, join(prefix, 'lib/current'))
    const request = {
      input: resolveInput({ facts: userFacts, flags: { prefix } }),
      readToken: async () => 'secret',
      source: { root: '/checkout', version: own },
      signal: new AbortController().signal,
    }
    const { context, plan } = await prepareSetup(request, parts)
    expect(context.source).toEqual(keeps ? { root: release, version } : request.source)
    const note = `${prefix} runs ${version}, newer than this ${own}: kept; magnetar rollback or upgrade --to changes it`
    expect(plan.notes).toEqual(keeps ? [note] : [])
  })
})

describe('carrying a plan out', () => {
  it('changes nothing when the node could not work, and says all of why', async () => {
    const conflict = { path: '/etc/x', key: undefined, blocking: true } as const
    const conflicts = [
      { ...conflict, message: 'one' },
      { path: '/y', key: undefined, message: 'kept' },
      { ...conflict, message: 'two' },
    ]
    const { prepared, parts, calls } = await scene({}, [aChange])
    const blocked = { ...prepared, plan: { ...prepared.plan, conflicts } }
    await expect(carryOut(blocked, { keep: false, onEvent: () => {} }, parts)).rejects.toMatchObject({
      code: 'SETUP_CONFLICT',
      message: 'one\ntwo',
      fix: expect.not.stringContaining('--force'),
    })
    expect(calls).toEqual([])
  })

  it('applies, and proves with a job what was changed', async () => {
    const { run, calls, events, unproved } = await scene({}, [aChange])
    expect((await run()).job).toEqual({ states: ['submitted', 'complete'], ms: 2, node: 'vm' })
    expect(calls).toEqual(['apply', 'verify, marked'])
    expect(events).toEqual(['applied', 'verifying'])
    expect(existsSync(unproved)).toBe(false)
  })

  it('sends no job when there was nothing to do, unless the last one failed or it is asked for', async () => {
    const nothing = await scene({}, [])
    expect(await nothing.run()).toMatchObject({ job: undefined, whyNoJob: undefined })
    expect(nothing.calls).toEqual(['apply'])
    writeFileSync(nothing.unproved, '')
    await nothing.run()
    expect(nothing.calls).toEqual(['apply', 'apply', 'verify, marked'])
    const asked = await scene({ flags: { verify: 'yes' } }, [])
    await asked.run()
    expect(asked.calls).toEqual(['apply', 'verify, marked'])
  })

  it('remembers that the job failed', async () => {
    const verifyNode = () => Promise.reject(new Error('no'))
    const { run, unproved } = await scene({}, [aChange], { verifyNode })
    await expect(run()).rejects.toThrow('no')
    expect(existsSync(unproved)).toBe(true)
  })

  it('sends no job with --no-verify', async () => {
    const { run, calls, unproved } = await scene({ flags: { verify: 'no' } }, [aChange])
    await run()
    expect(calls).toEqual(['apply'])
    expect(existsSync(unproved)).toBe(false)
  })

  it('waits for a service, but not for one that is not started', async () => {
    const supervisor = {
      ...userFacts.supervisor,
      version: '4',
      running: true,
      configFile: '/c',
      programsDirectory: '/d',
      extension: '.conf',
    }
    const facts = { ...userFacts, supervisor }
    const started = await scene({ facts, flags: { service: 'supervisor' } }, [aChange])
    await started.run()
    expect(started.calls).toEqual(['apply', 'wait', 'verify, marked'])
    expect(started.events).toEqual(['applied', 'waiting', 'healthy', 'verifying'])
    const why = 'it is not started yet'
    const verifyNode = async () => ({ ran: false, why }) as const
    const flags = { service: 'supervisor', start: 'no' }
    const stopped = await scene({ facts, flags }, [aChange], { verifyNode })
    expect((await stopped.run()).whyNoJob).toBe(why)
    expect(stopped.calls).toEqual(['apply'])
    expect(existsSync(stopped.unproved)).toBe(false)
  })

  it('ends after an interrupted apply, and says when the proof was interrupted', async () => {
    const applyPlan = async () => ({ ...applied, interrupted: true })
    const early = await scene({}, [aChange], { applyPlan })
    expect(await early.run()).toMatchObject({ applied: { interrupted: true }, unproved: false })
    expect(early.calls).toEqual([])
    const late = await scene({}, [aChange], {
      verifyNode: async ({ signal }) => {
        late.controller.abort(new Error('stop'))
        throw signal.reason
      },
    })
    expect(await late.run()).toMatchObject({ unproved: true, job: undefined })
    expect(existsSync(late.unproved)).toBe(true)
  })
})
