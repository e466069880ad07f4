import { relative } from 'node:path'
import { quoteForShell } from '../../lib/shell.js'
import type { AnswerLayers } from '../../setup/answers/given.js'
import { setupOption } from '../../setup/answers/options/index.js'

/** How this program is called here: the launcher of an installed node, the one of a clone, or just its name. */
export function programName(argv: readonly string[] = process.argv, env = process.env): string {
  if (env.MAGNETAR_PREFIX) return `${env.MAGNETAR_PREFIX}/bin/magnetar`
  const script = argv[1] ?? ''
  return script.endsWith('/bin/magnetar.js') ? relative(process.cwd(), script) || script : 'magnetar'
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
