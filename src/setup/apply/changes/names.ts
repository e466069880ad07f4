import { temporaryName } from '../../../lib/atomic-file.js'

/** The name under which something that is replaced or removed is kept until the plan is done, so that it can be put back. */
export function asideName(name: string): string {
  return `.${name}.magnetar-old`
}

/** The names that a run which was killed may have left beside `name`. */
export function leftoverNames(name: string): readonly string[] {
  return [temporaryName(name), asideName(name)]
}

/** Whether a name is one of those, of whatever. */
export function isLeftoverName(name: string): boolean {
  return /^\..+\.magnetar-(new|old)$/.test(name)
}
