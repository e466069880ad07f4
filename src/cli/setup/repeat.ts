import { accessSync, constants, realpathSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { quoteForShell } from '../../lib/shell.js'
import type { AnswerLayers } from '../../setup/answers/given.js'
import { setupOption } from '../../setup/answers/options/index.js'

/**
 * How this program is called from any directory, for a shell: just its name where that is what the PATH leads to, else the launcher of an
 * installed node or of a clone with its whole path.
 */
export function programName(argv: readonly string[] = process.argv, env = process.env): string {
  const own = env.MAGNETAR_PREFIX ? `${env.MAGNETAR_PREFIX}/bin/magnetar` : (argv[1] ?? '')
  if (!/\/magnetar(\.js)?$/.test(own)) return NAME
  const named = findOnPath(env.PATH)
  return named !== undefined && named === realPath(own) ? NAME : quoteForShell(resolve(own))
}

const NAME = 'magnetar'

function findOnPath(path = ''): string | undefined {
  const files = path.split(delimiter).filter((directory) => directory.startsWith('/'))
  return realPath(files.map((directory) => join(directory, NAME)).find(isProgram))
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function realPath(file: string | undefined): string | undefined {
  try {
    return file === undefined ? undefined : realpathSync(file)
  } catch {
    return undefined
  }
}

/** The command that does the same again: the words of this one, and flags for what the wizard was told. */
export function sameCommand(given: AnswerLayers, words: readonly string[]): string {
  const told = [...given.wizard].flatMap(([name, { text }]) => {
    const { flags } = setupOption(name)
    const plain = flags.find(({ value }) => value === text)
    if (plain) return [plain.flag]
    const taking = flags.find(({ argument }) => argument !== undefined)
    return taking ? [taking.flag, text] : []
  })
  const yes = given.wizard.size > 0 && !words.includes('--yes') ? ['--yes'] : []
  return [programName(), ...[...words, ...told, ...yes].map(quoteForShell)].join(' ')
}
