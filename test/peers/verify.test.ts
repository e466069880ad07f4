import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SetupContext } from '../../src/setup/types.js'
import { verifyNode } from '../../src/setup/verify/verify.js'
import { freePort } from '../helpers/free-port.js'
import { needs } from '../helpers/needs.js'
import { startServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { nodeUser, setUp } from '../setup/context-fixture.js'
import { configurationSteps, serviceNode } from './service-node.js'

const signal = new AbortController().signal

async function makeNode(prefix?: string): Promise<SetupContext> {
  const context = await serviceNode(prefix ?? join(await tempDirectory(), 'node'), {
    answers: { service: 'none', port: await freePort() },
    facts: { supervisor: undefined, systemd: undefined },
  })
  await setUp(context, configurationSteps)
  return context
}

const verify = ({ paths, answers, facts }: SetupContext) => verifyNode({ paths, answers, facts, signal })

const urlOf = ({ answers }: SetupContext): string => `http://localhost:${answers.port}/`

/** The servers of this configuration. */
function serversOf({ paths }: SetupContext): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return words.includes(paths.etc) && !words.includes('setpriv')
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Why no server can be run as another user. */
function missingOtherUser(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root: only root can run a server as another user'
  const program = resolve('bin', 'pulsar.js')
  const as = ['--reuid', nodeUser.user, '--regid', nodeUser.group, '--clear-groups']
  const tried = spawnSync('setpriv', [...as, process.execPath, '--check', program])
  return tried.status === 0 ? undefined : `the user ${nodeUser.user} may not read this checkout`
}

describe('the verification of a node without a service', () => {
  it('runs a server for as long as its job takes', async () => {
    const context = await makeNode()
    const result = await verify(context)
    expect(result).toMatchObject({ ran: true, node: execFileSync('uname', ['-n']).toString().trim() })
    expect(serversOf(context)).toEqual([])
    await expect(fetch(urlOf(context))).rejects.toThrow()
    // The job is gone too.
    expect(readdirSync(context.paths.jobs).filter((name) => !name.startsWith('.'))).toEqual([])
  })

  it('takes the server that is there, and leaves it running', async () => {
    const context = await makeNode()
    const server = await startServerProcess({
      command: join(context.paths.bin, 'pulsar'),
      args: ['--mode', 'uwsgi', '--config', context.paths.etc],
      cwd: context.paths.etc,
      url: urlOf(context),
    })
    expect(await verify(context)).toMatchObject({ ran: true })
    expect(serversOf(context)).toEqual([server.pid])
  })

  it('tells the words of a server that does not start', async () => {
    const context = await makeNode()
    writeFileSync(context.paths.localEnv, 'echo no such library >&2; exit 3\n')
    await expect(verify(context)).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      stage: 'connect',
      message: expect.stringContaining('no such library'),
    })
  })

  it('tells the words of a job that does not run well', async () => {
    const context = await makeNode()
    // Of the job: no program is found.
    writeFileSync(
      context.paths.localEnv,
      `${readFileSync(context.paths.localEnv, 'utf8')}\nexport PATH=/nonexistent\n`,
    )
    await expect(verify(context)).rejects.toMatchObject({
      code: 'VERIFY_FAILED',
      stage: 'run',
      message: expect.stringContaining('return code 127'),
    })
    expect(serversOf(context)).toEqual([])
  })

  it('is left out, and said so, where the node is not to be started', async () => {
    const context = await makeNode()
    const result = await verify({ ...context, answers: { ...context.answers, start: false } })
    expect(result).toEqual({ ran: false, why: expect.stringContaining('not started yet') })
  })

  it('leaves no server behind when it is killed', async () => {
    const context = await makeNode()
    // As the check starts it, under a process that is then killed.
    const code = `
      const { spawn } = require('node:child_process')
      spawn('setpriv', ['--pdeathsig=INT', '--', ...process.argv.slice(1)], { detached: true, stdio: 'ignore' })
      setInterval(() => {}, 1000)`
    const args = [join(context.paths.bin, 'pulsar'), '--mode', 'uwsgi', '--config', context.paths.etc]
    const parent = await startServerProcess({
      command: process.execPath,
      args: ['-e', code, ...args],
      cwd: '/',
      url: urlOf(context),
    })
    expect(serversOf(context).filter((pid) => pid !== parent.pid)).toHaveLength(1)
    await parent.kill9()
    await waitFor(() => serversOf(context).length === 0, { what: 'end of the server' })
  })

  it('as root runs its server as the user of the node', needs(missingOtherUser()), async () => {
    const directory = await tempDirectory()
    chmodSync(directory, 0o755)
    const context = await makeNode(join(directory, 'node'))
    chmodSync(context.paths.prefix, 0o755)
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, nodeUser.user])))
    for (const path of [context.paths.appYml, context.paths.var, context.paths.jobs, context.paths.active])
      chownSync(path, uid ?? -1, gid ?? -1)
    const account = { ...context.facts.account, isRoot: true }
    const answers = { ...context.answers, user: nodeUser.user }
    const result = await verify({ ...context, answers, facts: { ...context.facts, account } })
    expect(result).toMatchObject({ ran: true })
    expect(statSync(context.paths.serverLog).uid).toBe(uid)
  })
})
