import { ERRORS } from '../lib/error-table.js'
import { FEATURES } from './features.js'
import type { Option } from './option.js'
import { OPTION_GROUPS } from './options/index.js'

const OPTIONS_INTRODUCTION = `# Options

<!-- Made from src/config/options by npm run docs; a test compares the two. -->

Magnetar reads the files of a Pulsar: \`app.yml\` (YAML as Python reads it: \`yes\` is true, \`0750\` is octal) and \`server.ini\`.
Every option of \`app.yml\` can also be given in other ways. Of several, the last of these counts:

1. \`name = value\` under \`[app:main]\` of server.ini
2. \`name: value\` in app.yml
3. the environment variable \`PULSAR_CONFIG_NAME\`, if the option is given nowhere else
4. the environment variable \`PULSAR_CONFIG_OVERRIDE_NAME\`

Wrong values stop the start with file, line and key (exit code 78). Keys that nobody reads give a warning with the name
that was probably meant.
`

/** The text of docs/options.md. */
export function renderOptionsPage(): string {
  const groups = OPTION_GROUPS.map(({ title, where, options }) => {
    const rows = Object.entries(options).map(([name, option]) => renderOption(name, option))
    return `## ${title}\n\n${where}\n\n| option | value | default | |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`
  })
  return `${OPTIONS_INTRODUCTION}\n${groups.join('\n')}\n${renderMissingFeatures()}`
}

function renderOption(name: string, option: Option): string {
  const notes = [option.description]
  if (option.own) notes.push("Magnetar's own.")
  if (option.secret) notes.push('Never shown in messages.')
  if (option.ignored) notes.push(`*Has no effect: ${option.ignored}.*`)
  if (option.notYet) notes.push('*Not yet.*')
  const value = option.notYet ? '' : option.type.expected
  return `| ${[`\`${name}\``, value, defaultOf(option), notes.join(' ')].map(escapeCell).join(' | ')} |`
}

function defaultOf(option: Option): string {
  if (option.defaultText !== undefined) return option.defaultText
  return option.default === undefined ? '' : `\`${String(option.default)}\``
}

function renderMissingFeatures(): string {
  const lines = Object.values(FEATURES).map(
    (sentence) => `- ${sentence.replace(/^[a-z]/, (letter) => letter.toUpperCase())}.`,
  )
  return `## Not yet\n\nOptions marked *Not yet* are accepted, and one line at the start says what they do not do:\n\n${lines.join('\n')}\n`
}

const ERRORS_INTRODUCTION = `# Errors

<!-- Made from src/lib/errors.ts by npm run docs; a test compares the two. -->

The codes stay the same from release to release. In the REST API they stand in the \`code\` of the answer, in the log in \`code\`.
`

/** The text of docs/errors.md. */
export function renderErrorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { meaning, fix }]) => `| \`${code}\` | ${escapeCell(meaning)} | ${escapeCell(fix)} |`,
  )
  return `${ERRORS_INTRODUCTION}\n| code | what it means | what to do |\n| --- | --- | --- |\n${rows.join('\n')}\n`
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}
