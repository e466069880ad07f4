import type { YamlScalar } from '../../lib/edit/quote-yaml.js'
import type { Option } from '../option.js'
import { text as anyText, anything, fileMode, tmpDirectory } from '../option-types.js'

const WHOLE = /^[-+]?(?:0|[1-9]\d{0,14})$/

/**
 * What to write into app.yml for a value given as text, on a command line; undefined: the option's type does not allow it. Numbers
 * and true or false become such where the option is one; `1234` as a token stays text.
 */
export function valueFromText(option: Option, text: string): YamlScalar | undefined {
  const { type } = option
  const parsed = type.schema().safeParse(text)
  if (!parsed.success) return undefined
  // What a file may hold from earlier times is not written anew.
  if (text === '' && type.schema !== anyText.schema) return undefined
  if (!/^(true|false)$/i.test(text) && type.hint?.(text) !== undefined) return undefined
  // Octal in the text, and YAML 1.2 would read a number of the same digits as decimal.
  if (type === fileMode) return text
  // Also the types that differ in their words only.
  const isAnything = type.schema === anything.schema
  if (isAnything || type === tmpDirectory) {
    if (text === 'true' || text === 'false') return text === 'true'
    return isAnything && WHOLE.test(text) ? Number(text) : text
  }
  return typeof parsed.data === 'boolean' || typeof parsed.data === 'number' ? parsed.data : text
}
