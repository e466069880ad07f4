/** How a script ended that nobody of this server waited for: J/.magnetar-exit, left by the job runner. */
import { join } from 'node:path'
import { mayPass } from '../lib/errors.js'
import { readOwnFileSoon } from '../lib/own-file.js'
import { pause } from '../lib/timing.js'
import { askPatiently, type Patience } from './ask-patiently.js'

/** Written in one go by the process that waited for the script, when that left no return code. */
const EXIT_FILE = '.magnetar-exit'
const RETURN_CODE_FILE = 'return_code'

const LOOK_INTERVAL_MS = 50
/** Between a script's end and the writing there is next to nothing, unless the machine is overloaded. */
const GRACE_MS = 2000

export interface ExitStatus {
  /** Negative: the signal. undefined: the tool's own return code is there, and goes before it. */
  readonly exitCode?: number
}

/** What is there now of the end of an ended script; undefined: nothing (yet). @throws the system's error when it cannot be read just now */
export async function readExitStatus(jobDirectory: string): Promise<ExitStatus | undefined> {
  const text = await readText(join(jobDirectory, EXIT_FILE))
  if (/^-?\d+\n$/.test(text)) return { exitCode: Number(text) }
  return (await readText(join(jobDirectory, RETURN_CODE_FILE))) === '' ? undefined : {}
}

/** The same, waited for a moment; nothing known in the end when the waiting process was killed with its script. @throws the signal's reason */
export async function awaitExitStatus(jobDirectory: string, patience: Patience): Promise<ExitStatus> {
  const untilMs = performance.now() + GRACE_MS
  for (;;) {
    const status = await askPatiently(() => readExitStatus(jobDirectory), patience)
    if (status || performance.now() > untilMs) return status ?? {}
    patience.signal.throwIfAborted()
    await pause(LOOK_INTERVAL_MS, patience.signal)
  }
}

/** Empty when it is not there, or nothing that can be read: then it tells nothing. */
async function readText(file: string): Promise<string> {
  try {
    return (await readOwnFileSoon(file)) ?? ''
  } catch (error) {
    if (mayPass(error)) throw error
    return ''
  }
}
