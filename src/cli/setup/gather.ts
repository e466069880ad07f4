import { basename, dirname, resolve } from 'node:path'
import { addAbortSignal } from 'node:stream'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { readSmallFile, SMALL_FILE_BYTES } from '../../lib/small-file.js'
import type { ResolveInput } from '../../setup/answers/answers.js'
import { readAnswersFile } from '../../setup/answers/answers-file.js'
import { readEnvironment } from '../../setup/answers/environment.js'
import { createMachine } from '../../setup/answers/machine.js'
import { tokenIn } from '../../setup/answers/token.js'
import { gatherFacts } from '../../setup/facts.js'
import { readManifest } from '../../setup/manifest.js'
import { nodePaths } from '../../setup/paths.js'
import type { SetupCommandLine } from '../setup.js'

const STANDARD_INPUT = '-'

/** Everything that answers are made from: what was given in any way, and what this machine has. */
export async function gatherInput(
  commandLine: SetupCommandLine,
  answersFile: string | undefined,
  signal: AbortSignal,
): Promise<ResolveInput> {
  const facts = gatherFacts(signal)
  const environment = readEnvironment(process.env, process.cwd())
  const file = answersFile === undefined ? undefined : await readAnswers(answersFile, signal)
  return {
    given: {
      flags: commandLine.given,
      environment: environment.given,
      answersFile: file?.given ?? new Map(),
      wizard: new Map(),
    },
    problems: [...commandLine.problems, ...environment.problems, ...(file?.problems ?? [])],
    facts: await facts,
    machine: createMachine(process.env, signal),
    force: commandLine.force,
    readManifest: (prefix, instance) => readManifest(nodePaths(prefix, instance)),
  }
}

async function readAnswers(name: string, signal: AbortSignal): Promise<ReturnType<typeof readAnswersFile>> {
  if (name === STANDARD_INPUT)
    return readAnswersFile(await readInput(signal), 'standard input', process.cwd())
  const file = resolve(name)
  return readAnswersFile(await readNamed(file, signal), basename(file), dirname(file))
}

/** The token of a file: one line, which nobody is shown. @throws MagnetarError ANSWER_INVALID */
export async function readTokenFile(file: string, signal: AbortSignal): Promise<string> {
  if (file === STANDARD_INPUT) return tokenIn(await readInput(signal), 'standard input')
  return tokenIn(await readNamed(file, signal), file)
}

/** Whatever is sent; a terminal would be waited for without a word. */
async function readInput(signal: AbortSignal): Promise<string> {
  if (process.stdin.isTTY)
    throw new MagnetarError('ANSWER_INVALID', 'standard input is a terminal, where a file is expected', {
      fix: 'Send it: magnetar setup … < FILE',
    })
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of addAbortSignal(signal, process.stdin)) {
      chunks.push(Buffer.from(chunk))
      bytes += chunk.length
      if (bytes > SMALL_FILE_BYTES)
        throw new MagnetarError('ANSWER_INVALID', `standard input has more than ${SMALL_FILE_BYTES} bytes`, {
          fix: 'Send the answers, or the token, alone.',
        })
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function readNamed(file: string, signal: AbortSignal): Promise<string> {
  try {
    return await readSmallFile(file, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw new MagnetarError('ANSWER_INVALID', `cannot read ${file}: ${messageOf(error)}`, {
      fix: 'Name a regular file that is there and that this user may read, or - for standard input.',
      cause: error,
    })
  }
}
