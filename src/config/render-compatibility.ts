import { FEATURES } from './features.js'
import type { Option } from './option.js'
import { OPTION_GROUPS } from './options/index.js'

const BEGIN = '<!-- Made from src/config/options by npm run docs; a test compares the two. -->'
const END = '<!-- End of what is made. -->'

/** docs/compatibility.md with its table of options made anew; the rest of `page` stays. @throws Error when the marks are not there */
export function renderCompatibilityPage(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`docs/compatibility.md lacks ${BEGIN} or ${END}`)
  return `${page.slice(0, begin)}${BEGIN}\n\n${renderOptionStatus()}\n${page.slice(end)}`
}

/** What becomes of every option of the Python Pulsar; Magnetar's own are not among them. */
function renderOptionStatus(): string {
  const groups = OPTION_GROUPS.map(({ title, where, options }) => ({
    heading: `### ${title}\n\n${where.replace(/(?<=\.) .*/s, '')}`,
    rows: Object.entries(options)
      .filter(([, option]) => !option.own)
      .map(([name, option]) => renderRow(name, option)),
  }))
  return groups
    .filter(({ rows }) => rows.length > 0)
    .map(
      ({ heading, rows }) => `${heading}\n\n| option | here | |\n| --- | --- | --- |\n${rows.join('\n')}\n`,
    )
    .join('\n')
}

function renderRow(name: string, option: Option): string {
  const [status, why] = statusOf(option)
  return `| ${[`\`${name}\``, status, why].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function statusOf(option: Option): [status: string, why: string] {
  if (option.ignored) return ['accepted, no effect', sentence(option.ignored)]
  if (option.notYet) return ['not yet', sentence(FEATURES[option.notYet])]
  return ['honoured', option.differs ?? '']
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
