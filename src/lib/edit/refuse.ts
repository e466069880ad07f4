import { MagnetarError } from '../errors.js'

/** What is to be edited, for messages: the path, and the line where something is in the way. */
export interface EditPlace {
  readonly file: string | undefined
  /** 1-based. */
  readonly line?: number | undefined
}

/** EDIT_REFUSED; `message` is a sentence without full stop and without any value of the file. */
export function refuseEdit({ file, line }: EditPlace, message: string, fix?: string): MagnetarError {
  const at = line === undefined ? [] : [file === undefined ? `line ${line}` : String(line)]
  const place = [...(file === undefined ? [] : [file]), ...at].join(':')
  return new MagnetarError(
    'EDIT_REFUSED',
    place === '' ? message : `${place}: ${message}`,
    fix === undefined ? {} : { fix },
  )
}
