import { stat } from 'node:fs/promises'
import { lookUpUserById } from './accounts.js'
import { MagnetarError } from './errors.js'
import { abortAfter } from './time-limit.js'

const TIMEOUT_MS = 3000

/** The error of somebody who is neither root nor the owner of `path`; the fix names who that is. */
export async function notPermitted(
  message: string,
  path: string,
  options: { readonly command?: string; readonly cause?: unknown } = {},
): Promise<MagnetarError> {
  const uid = (await stat(path).catch(() => undefined))?.uid
  const user = uid ? await lookUpUserById(uid, abortAfter(TIMEOUT_MS)).catch(() => undefined) : undefined
  const name = user?.name ?? (uid ? `'#${uid}'` : undefined)
  const { command = 'magnetar …', cause } = options
  return new MagnetarError('NOT_PERMITTED', message, {
    fix:
      name === undefined
        ? `Run the command as root: sudo ${command}`
        : `Run the command as root, or as the user of the node: sudo -u ${name} ${command}`,
    ...(cause === undefined ? {} : { cause }),
  })
}
