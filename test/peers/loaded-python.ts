import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TestProject } from 'vitest/node'
import { waitFor } from '../helpers/wait-for.js'
import { findPulsarVenv } from './pulsar-venv.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** Socket of a Python of the Pulsar venv that loads server and client once for all tests of a run; see python-forks.py. */
    readonly loadedPython: string | undefined
  }
}

const MODULES = [
  'galaxy.tool_util.deps.dependencies',
  'galaxy.tool_util.parser.factory',
  'gunicorn.app.base',
  'gunicorn.workers.gthread',
  'pulsar.client.staging.up',
  'pulsar.client.test.check',
  'pulsar.scripts.serve',
  'pulsar.web.wsgi',
]

/** For the whole run; it loads nothing before a test asks for it. */
export async function setup({ provide }: TestProject): Promise<(() => Promise<void>) | undefined> {
  const { venv } = findPulsarVenv()
  if (!venv) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'mt-'))
  const socket = join(directory, 's')
  const program = resolve('test', 'peers', 'python-forks.py')
  const child = spawn(join(venv.bin, 'python'), [program, socket, ...MODULES], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  await waitFor(() => existsSync(socket), { what: 'Python for the tests', timeoutMs: 60_000 })
  provide('loadedPython', socket)
  return async () => {
    child.stdin.end()
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
}
