import { readFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import type { ResolveInput } from '../../setup/answers/answers.js'
import { readAnswersFile } from '../../setup/answers/answers-file.js'
import { readEnvironment } from '../../setup/answers/environment.js'
import { createMachine } from '../../setup/answers/machine.js'
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
  const file = answersFile === undefined ? undefined : await readAnswers(answersFile)
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

async function readAnswers(name: string): Promise<ReturnType<typeof readAnswersFile>> {
  if (name === STANDARD_INPUT) return readAnswersFile(await readInput(), 'standard input', process.cwd())
  const file = resolve(name)
  return readAnswersFile(await readNamed(file, 'ANSWER_INVALID'), basename(file), dirname(file))
}

/** The token of a file: one line, which nobody is shown. @throws MagnetarError ANSWER_INVALID */
export async function readTokenFile(file: string): Promise<string> {
  const isInput = file === STANDARD_INPUT
  const token = (isInput ? await readInput() : await readNamed(file, 'ANSWER_INVALID')).trim()
  const where = isInput ? 'standard input' : file
  if (token === '' || /[\p{Cc}\s]/u.test(token))
    throw new MagnetarError(
      'ANSWER_INVALID',
      token === ''
        ? `there is no token in ${where}`
        : `expected one word in ${where}, found several, or a line break`,
      { fix: `Put the token alone into it: openssl rand -base64 32 > FILE` },
    )
  return token
}

/** Whatever is sent; a terminal would be waited for without a word. */
async function readInput(): Promise<string> {
  if (process.stdin.isTTY)
    throw new MagnetarError('ANSWER_INVALID', 'standard input is a terminal, where a file is expected', {
      fix: 'Send it: magnetar setup … < FILE',
    })
  return readAll(process.stdin)
}

async function readNamed(file: string, code: 'ANSWER_INVALID'): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new MagnetarError(code, `cannot read ${file}: ${messageOf(error)}`, {
      fix: 'Name a file that is there and that this user may read.',
      cause: error,
    })
  }
}
