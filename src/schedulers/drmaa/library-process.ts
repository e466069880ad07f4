/**
 * The process that has the DRMAA library, so that a crash or a hang of that is not the server's: `node library-process.js LIBRARY`.
 * It does one call after another, in the order in which they are asked for, and each in another thread, so that it still
 * hears of the end of the server while the library hangs.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../lib/errors.js'
import { identify } from '../process-table.js'
import { type Binding, loadBinding } from './binding.js'
import { ERRNO } from './codes.js'
import { whyNotLoaded } from './why-not-loaded.js'
import {
  EXTERNAL_ID_FILE,
  type JobTemplate,
  type LibraryAnswer,
  type LibraryGreeting,
  type LibraryRequest,
  SUBMITTING_FILE,
} from './wire.js'

/** When the server is gone, a submit that has begun may still end, so that its id is written down. */
const LAST_CALL_MS = 60_000

let work: Promise<unknown> = Promise.resolve()
let isOpen = false

const binding = load(process.argv[2] ?? '')

if (binding) {
  process.on('message', (request: LibraryRequest) => {
    work = work.then(async () => tell(await serve(binding, request)))
  })
  process.on('disconnect', () => {
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), LAST_CALL_MS).unref()
    work = work.then(() => (isOpen ? binding.exit() : undefined))
  })
  await greet(binding)
}

function load(path: string): Binding | undefined {
  try {
    return loadBinding(path)
  } catch (error) {
    tell({ kind: 'unusable', reason: whyNotLoaded(path, messageOf(error)) })
    process.disconnect()
    return undefined
  }
}

async function greet(library: Binding): Promise<void> {
  const version = await library.version()
  if (version.startsWith('1.')) tell({ kind: 'loaded', version, system: await library.system() })
  else tell({ kind: 'unusable', reason: `it speaks DRMAA ${version}; version 1 is needed` })
}

async function serve(library: Binding, request: LibraryRequest): Promise<LibraryAnswer> {
  switch (request.kind) {
    case 'init': {
      const answer = await library.init()
      isOpen = answer.ok
      return answer
    }
    case 'submit':
      return submit(library, request.template, request.directory)
    case 'state':
      return library.jobState(request.id)
    case 'terminate':
      return library.terminate(request.id)
  }
}

/** The id is on the disk before anybody is told: a server that is killed now finds the job by it. */
async function submit(library: Binding, template: JobTemplate, directory: string): Promise<LibraryAnswer> {
  const note = join(directory, SUBMITTING_FILE)
  try {
    const me = identify(process.pid)
    writeFileSync(note, `${process.pid}:${me?.startTime ?? 0}:${me?.bootId ?? ''}`)
  } catch (error) {
    // Nothing was handed over.
    return { ok: false, code: ERRNO.tryLater, text: `cannot write ${note}: ${messageOf(error)}` }
  }
  const answer = await library.runJob(template)
  try {
    if (answer.ok) {
      const file = join(directory, EXTERNAL_ID_FILE)
      writeFileSync(`${file}.new`, JSON.stringify(answer.value), { flush: true })
      renameSync(`${file}.new`, file)
    }
    rmSync(note, { force: true })
  } catch {
    // A full disk: the server still learns the id, and the note says that it may be missing.
  }
  return answer
}

function tell(message: LibraryGreeting | LibraryAnswer): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}
