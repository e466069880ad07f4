import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { connectControl } from '../../src/control/client.js'
import { keepListening } from '../../src/control/keep-listening.js'
import { createNodeControl } from '../../src/control/node-control.js'
import { listenForControl } from '../../src/control/server.js'
import { type ControlPlace, controlPlace } from '../../src/control/socket-path.js'
import { createRecordingLog, type RecordingLog } from '../helpers/recording-log.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

/** How often the next calls of each kind fail as on a broken disk. */
const failing = vi.hoisted((): { unlink: number; chmod: number } => ({ unlink: 0, chmod: 0 }))

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const broken = <A extends unknown[]>(name: keyof typeof failing, call: (...args: A) => Promise<void>) => {
    return async (...args: A): Promise<void> => {
      if (failing[name] > 0) {
        failing[name] -= 1
        throw Object.assign(new Error(`EIO: i/o error, ${name}`), { code: 'EIO' })
      }
      return call(...args)
    }
  }
  return { ...real, unlink: broken('unlink', real.unlink), chmod: broken('chmod', real.chmod) }
})

const QUICK = { firstMs: 5, maxMs: 20 }
const SLOW = { firstMs: 3_600_000, maxMs: 3_600_000 }
const control = createNodeControl({
  managers: [],
  version: '1.2.3',
  startedAtMs: 1000,
  url: 'http://127.0.0.1:1/',
  directories: [],
  reloadTokens: async () => 1,
  appReadAtMs: () => undefined,
})

let place: ControlPlace
let log: RecordingLog

beforeEach(async () => {
  const root = await tempDirectory()
  place = controlPlace({ persistenceDirectory: path.join(root, 'active'), stagingDirectory: root })
  mkdirSync(place.directory, { recursive: true, mode: 0o700 })
  log = createRecordingLog()
  Object.assign(failing, { unlink: 0, chmod: 0 })
})

const isAsked = async (): Promise<boolean> =>
  (await connectControl(place, new AbortController().signal, 300).catch(() => undefined)) !== undefined

it.each([
  'unlink',
  'chmod',
] as const)('a server whose disk fails at %s has its socket as soon as it can', async (call) => {
  writeFileSync(place.socket, 'what a killed server left')
  failing[call] = 3
  const server = await keepListening(place, control, log, QUICK)
  onTestFinished(() => server.close())
  await waitFor(isAsked, { what: 'answer on the control socket' })
  await waitFor(() => log.lines.length === 2, { what: 'line that says so' })
  expect(log.lines[0]).toMatch(/^warn magnetar status and jobs cannot ask .* tries again: EIO: i\/o error/)
  expect(log.lines[1]).toMatch(/^info magnetar status and jobs can ask this server again/)
  expect(failing[call]).toBe(0)
})

it('takes the socket when the server that had it ends', async () => {
  const other = await listenForControl(place, control, log)
  const server = await keepListening(place, control, log, QUICK)
  onTestFinished(() => server.close())
  expect(log.lines).toEqual([expect.stringContaining('another server listens')])
  await other.close()
  await waitFor(() => log.lines.length === 2, { what: 'line that says so' })
  expect(await isAsked()).toBe(true)
})

it('stops trying when it is closed, and leaves what stands there', async () => {
  writeFileSync(place.socket, 'left')
  failing.unlink = 1
  const server = await keepListening(place, control, log, SLOW)
  await server.close()
  expect(readFileSync(place.socket, 'utf8')).toBe('left')
})
