import { editIni, readIniValue } from '../../config/edit/ini.js'
import type { Dialect } from './config-text.js'
import type { WantedKey } from './managed-file.js'

/** An option of an ini file, with where it stands. */
export interface IniKey extends WantedKey {
  readonly section: string
  readonly option: string
  /** As it is written, before any %(name)s is replaced. */
  readonly value: string | undefined
}

export function iniKey(
  section: string,
  option: string,
  value: string | undefined,
  explicit: boolean,
): IniKey {
  return { key: `[${section}] ${option}`, label: option, section, option, value, explicit }
}

export const iniDialect: Dialect<IniKey> = {
  read(text, { section, option }) {
    const value = readIniValue(text, section, option)
    return value === undefined ? undefined : { value }
  },
  edit: (text, edits) =>
    editIni(
      text,
      edits.map(({ section, option, value }) => ({ section, key: option, value })),
    ),
}
