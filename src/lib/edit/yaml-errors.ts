import type { ErrorCode } from 'yaml'

interface Explanation {
  readonly message: string
  readonly fix?: string
}

const QUOTE = 'put quotes around a value with special characters in it'

// In our own words because the library's messages can quote the line, and the line can hold a token.
const EXPLANATIONS: Partial<Record<ErrorCode, Explanation>> = {
  BAD_ALIAS: {
    message: 'a value begins with "*", which refers to a value named before, but there is none',
    fix: QUOTE,
  },
  ALIAS_PROPS: { message: 'a value begins with "*" and has a tag or an anchor as well', fix: QUOTE },
  BAD_SCALAR_START: { message: 'a value begins with a character that YAML reserves (@ ` %)', fix: QUOTE },
  BLOCK_AS_IMPLICIT_KEY: { message: 'there are two ": " on one line', fix: QUOTE },
  BAD_INDENT: { message: 'the indentation does not fit the lines above' },
  TAB_AS_INDENT: { message: 'the line is indented with a tab', fix: 'indent with spaces' },
  MISSING_CHAR: { message: 'a closing quote, bracket, comma or colon is missing here or above' },
  MULTILINE_IMPLICIT_KEY: { message: 'the line has no ":" after its key' },
  DUPLICATE_KEY: { message: 'a key is there twice', fix: 'remove one of the two' },
  MULTIPLE_DOCS: { message: 'the file has more than one YAML document', fix: 'remove the second "---"' },
  BAD_DQ_ESCAPE: {
    message: 'a text in double quotes has a backslash before a character that cannot be escaped',
    fix: 'use single quotes or double the backslash',
  },
  UNEXPECTED_TOKEN: { message: 'there is something YAML does not expect', fix: QUOTE },
}

/** The sentence for an error of the yaml package, without any text of the file. */
export function describeYamlError(code: ErrorCode): Explanation {
  return (
    EXPLANATIONS[code] ?? { message: `this is not valid YAML (${code.toLowerCase().replaceAll('_', ' ')})` }
  )
}
