/** The few requests of man(7) that the page is made of. */

/** Text that roff takes literally: no request at the beginning of a line, no escape within. */
export function escapeRoff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/gm, '\\&$1')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('…', '...')
    .replaceAll('·', '\\(pc')
    .replaceAll('→', '\\(->')
}

export function section(title: string, ...body: readonly string[]): string {
  return begin(`.SH ${quoteArgument(title)}`, body)
}

export function subsection(title: string, ...body: readonly string[]): string {
  return begin(`.SS ${quoteArgument(title)}`, body)
}

/** A heading begins a paragraph itself. */
function begin(heading: string, [first = '', ...rest]: readonly string[]): string {
  return [heading, first.replace(/^\.P\n/, ''), ...rest].join('\n')
}

export function paragraph(text: string): string {
  return `.P\n${escapeRoff(text)}`
}

/** A term in bold, its argument in italics, and what it means. */
export function entry(term: string, argument: string | undefined, text: string): string {
  const value = argument === undefined ? '' : ` \\fI${escapeRoff(argument)}\\fR`
  return `.TP\n\\fB${escapeRoff(term)}\\fR${value}\n${escapeRoff(text)}`
}

/** Lines as they are. */
export function example(lines: readonly string[]): string {
  return ['.P', '.EX', ...lines.map(escapeRoff), '.EE'].join('\n')
}

function quoteArgument(text: string): string {
  return `"${escapeRoff(text).replaceAll('"', '\\(dq')}"`
}
