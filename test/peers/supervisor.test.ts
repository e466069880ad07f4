import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { applyPlan } from '../../src/setup/apply/apply.js'
import { readManifest } from '../../src/setup/manifest.js'
import { makePlan } from '../../src/setup/plan.js'
import { serviceControl } from '../../src/setup/services/service-control.js'
import { programStatus } from '../../src/setup/services/supervisor.js'
import { formerServiceStep } from '../../src/setup/steps/former-service.js'
import { supervisorProgramStep } from '../../src/setup/steps/supervisor-program.js'
import type { Answers, Plan, SetupContext } from '../../src/setup/types.js'
import { planUninstall } from '../../src/setup/uninstall.js'
import { verifyNode } from '../../src/setup/verify/verify.js'
import { waitHealthy } from '../../src/setup/verify/wait-healthy.js'
import { freePort } from '../helpers/free-port.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { setUp } from '../setup/context-fixture.js'
import { missingSupervisor, type PrivateSupervisor, startPrivateSupervisor } from './private-supervisor.js'
import { configurationSteps, serviceNode } from './service-node.js'

const missing = await missingSupervisor()
const signal = new AbortController().signal
const steps = [...configurationSteps, formerServiceStep, supervisorProgramStep]
let supervisor: PrivateSupervisor

beforeAll(async () => {
  if (missing === undefined) supervisor = await startPrivateSupervisor(await tempDirectory())
})
afterAll(() => supervisor?.stop())

let count = 0

/** A node of its own name, below a directory that its test removes. */
async function makeContext(answers: Partial<Answers> = {}): Promise<SetupContext> {
  const directory = await tempDirectory()
  return serviceNode(join(directory, 'node'), {
    answers: { service: 'supervisor', port: await freePort(), instance: `t${count++}`, ...answers },
    facts: { supervisor: supervisor.facts, systemd: undefined },
  })
}

/** The same node, asked for other things. */
async function again(
  context: SetupContext,
  answers: Partial<Answers> = {},
  more: Partial<SetupContext> = {},
): Promise<SetupContext> {
  const manifest = await readManifest(context.paths)
  return { ...context, answers: { ...context.answers, ...answers }, manifest, ...more }
}

/** With more time than a test has: only an answer or a failure ends it. */
const healthy = ({ paths, facts }: SetupContext) =>
  waitHealthy({
    paths,
    control: serviceControl('supervisor', paths, facts),
    signal,
    timeoutMs: 600_000,
  })

async function pidOf({ paths }: SetupContext): Promise<number> {
  return Number((await supervisor.ctl('pid', paths.serviceName)).trim())
}

const commandsOf = ({ changes }: Plan): string[] =>
  changes.flatMap((change) => (change.kind === 'command' ? [change.argv.slice(3).join(' ')] : []))

describe('a node as a program of Supervisor', needs(missing), () => {
  it('is started, answers, runs a job, and is left alone by a second setup', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    const name = context.paths.serviceName
    expect(commandsOf(plan)).toEqual([`update ${name}`])
    const { url } = await healthy(context)
    expect(url).toBe(`http://localhost:${context.answers.port}/`)
    const copy = await readFile(join(supervisor.facts.programsDirectory, `${name}.conf`), 'utf8')
    expect(copy).toBe(await readFile(context.paths.supervisorConf, 'utf8'))

    const states: string[] = []
    const { paths, answers, facts } = context
    const result = await verifyNode({ paths, answers, facts, signal, onStatus: (each) => states.push(each) })
    expect(result).toMatchObject({ ran: true, states })
    expect(states[0]).toBe('submitted')
    expect(states.at(-1)).toBe('complete')

    const second = await makePlan(await again(context), steps)
    expect(second).toMatchObject({ changes: [], conflicts: [] })
  })

  it('is restarted when its configuration changes, and serves by the new one', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    await healthy(context)
    const before = await pidOf(context)
    const port = await freePort()
    const plan = await setUp(await again(context, { port }), steps)
    expect(commandsOf(plan)).toEqual([`restart ${context.paths.serviceName}`])
    expect((await healthy(context)).url).toContain(`:${port}/`)
    expect(await pidOf(context)).not.toBe(before)
  })

  it('is restarted for what it has not read: after a setup that was killed before it came to that', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    await healthy(context)
    // Only of a program that has been up for startsecs does Supervisor tell the pid.
    const running = () => programStatus(supervisor.facts, context.paths.serviceName, signal)
    await waitFor(async () => (await running())?.state === 'RUNNING', { what: 'RUNNING' })
    const appYml = await readFile(context.paths.appYml, 'utf8')
    await writeFile(context.paths.appYml, `${appYml}# changed\n`)
    expect(commandsOf(await setUp(await again(context), steps))).toEqual([
      `restart ${context.paths.serviceName}`,
    ])
    await healthy(context)
    expect(commandsOf(await makePlan(await again(context), steps))).toEqual([])
  })

  it('is told to Supervisor by the next setup when one was killed between the file and the command', async () => {
    const context = await makeContext()
    const full = await makePlan(context, steps)
    const files = { ...full, changes: full.changes.filter(({ kind }) => kind !== 'command') }
    const options = { prefix: context.paths.prefix, manifestFile: undefined }
    await applyPlan(files, { ...options, keep: false, signal })
    const next = await setUp(context, steps)
    expect(commandsOf(next)).toEqual([`update ${context.paths.serviceName}`])
    await healthy(context)
  })

  it('runs again as before when a change keeps it from starting, and the cause is told', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    // Or a machine that is busy takes longer to fail than Supervisor looks.
    const file = join(supervisor.facts.programsDirectory, `${context.paths.serviceName}.conf`)
    await writeFile(file, `${await readFile(file, 'utf8')}startsecs = 5\n`)
    await setUp(await again(context), steps)
    const { url } = await healthy(context)
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = blocker.address() as { port: number }
      const failed = await setUp(await again(context, { port }), steps).catch((error: unknown) => error)
      expect(failed).toMatchObject({ code: 'SETUP_FAILED' })
      expect(String(failed)).toContain('another program uses it')
    } finally {
      blocker.close()
    }
    expect((await healthy(context)).url).toBe(url)
    expect(await makePlan(await again(context), steps)).toMatchObject({ changes: [], conflicts: [] })
  })

  it('that does not come up is reported at once, with its last words', async () => {
    const context = await makeContext()
    await setUp(await again(context, { start: false }), steps)
    await writeFile(context.paths.serverIni, '[server:main]\nport = many\n')
    await setUp(context, steps)
    const error = await healthy(context).catch((caught: unknown) => caught)
    // The configuration itself is read first, and says the same.
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
    await writeFile(context.paths.serverIni, '')
    await writeFile(context.paths.localEnv, 'echo no such library >&2; exit 3\n')
    await supervisor.ctl('restart', context.paths.serviceName)
    const failure = await healthy(context).catch((caught: unknown) => caught)
    expect(failure).toMatchObject({ code: 'SERVICE_FAILED' })
    expect(String(failure)).toContain('no such library')
    expect((failure as { fix: string }).fix).toContain(`restart ${context.paths.serviceName}`)
  })

  it('stops within two seconds, without an orphan, and its jobs go on', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    const { url } = await healthy(context)
    const pid = await pidOf(context)
    const control = serviceControl('supervisor', context.paths, context.facts)
    const go = join(context.paths.prefix, 'go')
    const headers = { authorization: `Bearer ${context.token}` }
    await fetch(`${url}jobs?job_id=j`, { method: 'POST', headers })
    const command = `echo $$ > '${go}.pid'; until [ -e '${go}' ]; do sleep 0.05; done; echo > '${go}.done'`
    await fetch(`${url}jobs/j/submit?${new URLSearchParams({ command_line: command })}`, {
      method: 'POST',
      headers,
    })
    await waitFor(() => existsSync(`${go}.pid`), { what: 'running job' })

    const started = performance.now()
    await control.stop(signal)
    expect(performance.now() - started).toBeLessThan(2000)
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    await expect(fetch(url)).rejects.toThrow()
    expect(await control.status(signal)).toBe('stopped')
    // Again is no mistake.
    await control.stop(signal)
    await writeFile(go, '')
    await waitFor(() => existsSync(`${go}.done`), { what: 'end of the job' })
    await control.start(signal)
    await healthy(context)
  })

  it('is not started with --no-start, and said so', async () => {
    const context = await makeContext({ start: false })
    const plan = await setUp(context, steps)
    const name = context.paths.serviceName
    expect(commandsOf(plan)).toEqual([])
    expect(plan.notes.join()).toContain(`update ${name}`)
    expect(existsSync(join(supervisor.facts.programsDirectory, `${name}.conf`))).toBe(true)
    expect(await supervisor.ctl('status', name)).toContain('no such process')
  })

  it('keeps what was edited by hand in its file, and a program of that name from elsewhere is left alone', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    await healthy(context)
    const name = context.paths.serviceName
    const file = join(supervisor.facts.programsDirectory, `${name}.conf`)
    const text = `${await readFile(file, 'utf8')}stopwaitsecs = 20\n`
    await writeFile(file, text)
    const plan = await setUp(await again(context), steps)
    expect(commandsOf(plan)).toEqual([`update ${name}`])
    expect(await readFile(file, 'utf8')).toBe(text)

    const other = await makeContext({ instance: context.answers.instance })
    const refused = await makePlan(other, steps)
    expect(refused.conflicts.map(({ path }) => path)).toEqual([file])
    expect(commandsOf(refused)).toEqual([])
  })

  it('is stopped and forgotten by uninstall, which keeps configuration and jobs', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    const { url } = await healthy(context)
    const { paths, facts } = context
    const manifest = await readManifest(paths)
    const request = { paths, manifest, facts, purge: false, force: false, signal }
    const { plan, manifestFile } = await planUninstall(request, steps)
    await applyPlan(plan, {
      prefix: paths.prefix,
      manifestFile,
      keep: false,
      signal,
    })
    await expect(fetch(url)).rejects.toThrow()
    expect(await supervisor.ctl('status', paths.serviceName)).toContain('no such process')
    expect(existsSync(paths.appYml)).toBe(true)
    const next = await planUninstall({ ...request, manifest: await readManifest(paths) }, steps)
    expect(next.plan.changes).toEqual([])
  })

  it('gives way to no service, when that is what the next setup is asked for', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    await healthy(context)
    const plan = await setUp(await again(context, { service: 'none' }), steps)
    expect(commandsOf(plan)).toEqual([`update ${context.paths.serviceName}`])
    expect(await supervisor.ctl('status', context.paths.serviceName)).toContain('no such process')
    expect(await makePlan(await again(context, { service: 'none' }), steps)).toMatchObject({ changes: [] })
  })
})
