import { fileKeyOf, type SetupOption, variableOf } from './option.js'
import { SETUP_OPTION_GROUPS } from './options/index.js'

/** docs/setup-options.md: every option of setup with its flags, its variable and its key of an answers file. */
export function renderSetupOptionsPage(): string {
  const groups = SETUP_OPTION_GROUPS.map(
    ({ title, options }) =>
      `## ${title}\n\n| flag | key, variable | meaning | why | default |\n| --- | --- | --- | --- | --- |\n${options.map(row).join('\n')}\n`,
  )
  return `# Options of magnetar setup

<!-- Made from the option table by "npm run docs". -->

A flag goes before a variable, a variable before the answers file, that before what was found (the last setup of the prefix, then the machine), and that
before the default. \`magnetar setup --help\` also has the flags that are about one run: \`--plan\`, \`--diff\`, \`--check\`, \`--json\`, \`--force\`, \`--keep\`, …

${groups.join('\n')}`
}

function row(option: SetupOption): string {
  const flags = option.flags.map(
    ({ flag, argument }) => `\`${flag}${argument === undefined ? '' : ` ${argument}`}\``,
  )
  const cells = [
    flags.join('<br>'),
    `\`${fileKeyOf(option.name)}\`<br>\`${variableOf(option.name)}\``,
    `${option.description} (${option.type.expected})`,
    option.why,
    option.defaultText,
  ]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
