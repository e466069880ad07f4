import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { programTree } from '../../src/cli/completion.js'
import { EXIT } from '../../src/cli/exit-codes.js'
import { renderManPage } from '../../src/cli/man/page.js'
import { escapeRoff } from '../../src/cli/man/roff.js'
import { createProgram } from '../../src/cli/program.js'
import { variableOf } from '../../src/setup/answers/option.js'
import { SETUP_OPTIONS } from '../../src/setup/answers/options/index.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const program = createProgram(
  async () => 0,
  () => {},
)
const tree = programTree(program)
const page = renderManPage(tree, '1.2.3')
const found = await runCommand('man', ['--version'])
const noMan = found.exitCode === 0 ? undefined : 'no man on this machine; install it (apt install man-db)'

it('the page has every command, flag, variable and exit code', () => {
  for (const { path } of tree.commands) expect(page).toContain(`.SS "magnetar ${path.join(' ')}`)
  for (const option of SETUP_OPTIONS) {
    for (const { flag } of option.flags) expect(page).toContain(`\\fB${escapeRoff(flag)}\\fR`)
    expect(page).toContain(`\\fB${escapeRoff(variableOf(option.name))}\\fR`)
  }
  for (const code of Object.values(EXIT)) expect(page).toMatch(new RegExp(`^\\\\fB${code}\\\\fR$`, 'm'))
})

it('man shows it without a warning, and nothing is lost on the way', needs(noMan), async () => {
  const file = join(await tempDirectory(), 'magnetar.1')
  writeFileSync(file, page)
  const env = { MANWIDTH: '200', MAN_KEEP_FORMATTING: '', LC_ALL: 'C.UTF-8', MANPAGER: 'cat', PAGER: 'cat' }
  const { exitCode, output } = await runCommand('man', ['--warnings=w', '-l', file], { env })
  expect(exitCode, output).toBe(0)
  expect(output).not.toMatch(/warning|error:/i)
  const shown = output.replace(/.\u0008/g, '').replace(/\s+/g, ' ')
  for (const { description, flags } of SETUP_OPTIONS.filter(({ flags }) => !flags[0]?.description)) {
    expect(shown).toContain(` ${flags[0]?.flag} `)
    expect(shown).toContain(description.replace(/\s+/g, ' '))
  }
})

it.each([
  ['.TH at the beginning', '\\&.TH at the beginning'],
  ["'quoted", '\\&\\(aqquoted'],
  ['a\\b --c', 'a\\eb \\-\\-c'],
  ['~/x `y` ^', '\\(ti/x \\(gay\\(ga \\(ha'],
])('a text is no request: %s', (text, escaped) => {
  expect(escapeRoff(text)).toBe(escaped)
})
