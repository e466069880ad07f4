import { isMap } from 'yaml'
import { quoteYaml } from '../../lib/edit/quote-yaml.js'
import { refuseEdit } from '../../lib/edit/refuse.js'
import { insertBelow, lineNumber, spliceText } from '../../lib/edit/text-lines.js'
import { shapeOf } from '../../lib/edit/yaml-layout.js'
import type { Params } from '../job-conf.js'
import { type Item, isFlow, listItems } from './items.js'

/** Sets one parameter of a destination that is written on lines. */
export function setParam(
  text: string,
  { value, start }: Item,
  [name, wanted]: Params[number],
  file: string | undefined,
): string {
  const refused = (): Error =>
    refuseEdit(
      { file, line: lineNumber(text, start) },
      `${name} of this destination cannot be changed where it is`,
      'take the destination away with "magnetar galaxy disconnect", then connect again',
    )
  if (!isMap(value) || isFlow(value)) throw refused()
  const own = listItems(text, value)
  const inner = own.find(({ key }) => key === 'params')?.value
  const params = isMap(inner) && !isFlow(inner) ? listItems(text, inner) : own
  const found = params.find(({ key }) => key === name)
  if (!found) {
    const last = params.at(-1)
    if (!last) throw refused()
    const line = `${' '.repeat(last.column)}${name}: ${quoteYaml(wanted)}`
    return spliceText(text, [insertBelow(text, last.end, [line])])
  }
  const range = found.value?.range
  if (shapeOf(text, found).kind !== 'scalar' || !range) throw refused()
  return spliceText(text, [{ start: range[0], end: range[1], text: quoteYaml(wanted) }])
}
