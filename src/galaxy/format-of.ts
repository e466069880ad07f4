import { refuseEdit } from '../lib/edit/refuse.js'
import { lineNumber } from '../lib/edit/text-lines.js'
import type { JobConfFormat } from './job-conf.js'
import { createXmlFormat } from './xml/format.js'
import { createYamlFormat } from './yaml/format.js'

/**
 * How a job configuration is read and changed: by its contents, and where those do not tell, by its name, as Galaxy goes by.
 * @throws MagnetarError EDIT_REFUSED when it is no text in UTF-8
 */
export function formatOf(text: string, file: string): JobConfFormat {
  // What could not be decoded, and bytes that no text has.
  const at = text.search(/[\ufffd\0]/)
  if (at !== -1)
    throw refuseEdit(
      { file, line: lineNumber(text, at) },
      'this is no text in UTF-8',
      'convert it: iconv -t UTF-8',
    )
  const isXml = /^\ufeff?\s*</.test(text) || (text.trim() === '' && /\.xml/.test(file))
  return isXml ? createXmlFormat(file) : createYamlFormat(file)
}
