import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startJobFilesServer } from '../helpers/job-files-server.js'
import { needs } from '../helpers/needs.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { createCrowd } from './crowd.js'
import { findSlurm } from './find-slurm.js'
import { startMagnetar } from './magnetar-server.js'
import { type PrivateSlurm, startPrivateSlurm } from './private-slurm.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { startPythonPulsar } from './python-pulsar.js'

// Fifty jobs in all phases change between the Python server and this one: none is lost, none runs twice.

const found = findPulsarVenv()
const slurm = findSlurm()

type Server = 'magnetar' | 'python'
type End = 'stopped' | 'killed'

/** Servers that follow each other on the same directory; how each but the last ends. */
type Course = readonly (readonly [Server, End] | readonly [Server])[]

interface Site {
  app(isHeld: boolean): Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
  readonly heldManager: string
  holdQueue(): Promise<void>
  releaseQueue(): Promise<void>
}

const LOCAL: Site = {
  app: (isHeld) => ({
    transfers_at_once: 64,
    managers: {
      _default_: { type: 'queued_python', num_concurrent_jobs: 64 },
      held: { type: 'queued_python', num_concurrent_jobs: isHeld ? 0 : 64 },
    },
  }),
  heldManager: 'managers/held/',
  holdQueue: async () => {},
  releaseQueue: async () => {},
}

async function goThrough(course: Course, site: Site): Promise<void> {
  const directory = await tempDirectory()
  const galaxy = await startJobFilesServer()
  const crowd = createCrowd({ directory, galaxy, ...site })
  const start = async (server: Server, isHeld: boolean): Promise<ServerProcess> => {
    const options = { directory, app: site.app(isHeld), ...(site.env ? { env: site.env } : {}) }
    if (server === 'magnetar') return startMagnetar(options)
    if (!found.venv) throw new Error(found.missing)
    return startPythonPulsar(found.venv, options)
  }
  for (const [at, [name, end]] of course.entries()) {
    const isLast = at === course.length - 1
    if (isLast) {
      await crowd.endUnseen()
      await site.releaseQueue()
    }
    const server = await start(name, !isLast)
    if (isLast) await crowd.expectAllRight(server, name === 'python')
    else if (at === 0) await crowd.begin(server)
    else await crowd.expectHeld(server)
    if (end === 'killed') {
      process.kill(-server.pid, 'SIGKILL')
      await server.kill9()
    } else if (name === 'magnetar') {
      expect(await server.stop()).toBe(0)
    } else {
      // As service managers do: SIGKILL when transfers have held it up for ten seconds.
      await server.stop()
    }
  }
}

describe('fifty local jobs in all phases go on', needs(found.missing), () => {
  it.each<readonly [string, Course]>([
    [
      'from the Python server to Magnetar, back, and there again',
      [['python', 'stopped'], ['magnetar', 'stopped'], ['python', 'killed'], ['magnetar']],
    ],
    [
      // Killed, it leaves nothing that the Python server would find: it has to be started and stopped once more.
      'from Magnetar, killed, then stopped in good order, to the Python server',
      [['magnetar', 'killed'], ['magnetar', 'stopped'], ['python']],
    ],
  ])('%s', (_name, course) => goThrough(course, LOCAL))
})

describe('fifty Slurm jobs in all phases go on', needs(found.missing ?? slurm.missing), () => {
  let cluster: PrivateSlurm | undefined
  beforeAll(async () => {
    if ((found.missing ?? slurm.missing) === undefined)
      cluster = await startPrivateSlurm(await tempDirectory())
  })
  afterAll(() => cluster?.stop())

  const site = (): Site => {
    if (!cluster) throw new Error('no private Slurm')
    const { run, nodeName, env } = cluster
    const setNode = async (...words: string[]): Promise<void> => {
      await run('scontrol', 'update', `NodeName=${nodeName}`, ...words)
    }
    const manager = { type: 'queued_cli', job_plugin: 'Slurm', shell_plugin: 'LocalShell' }
    return {
      app: () => ({ transfers_at_once: 64, managers: { _default_: manager } }),
      env,
      heldManager: '',
      // What runs goes on.
      holdQueue: () => setNode('State=DRAIN', 'Reason=held'),
      releaseQueue: () => setNode('State=RESUME'),
    }
  }

  it.each<readonly [string, Course]>([
    [
      'from the Python server to Magnetar and back',
      [['python', 'killed'], ['magnetar', 'killed'], ['magnetar', 'stopped'], ['python']],
    ],
    [
      'from Magnetar to the Python server and back',
      [['magnetar', 'stopped'], ['python', 'killed'], ['magnetar']],
    ],
  ])('%s', (_name, course) => goThrough(course, site()))
})
