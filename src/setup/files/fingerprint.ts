import { createHash, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'

const SALT_BYTES = 8
const HASH_BYTES = 24

/**
 * What the manifest keeps of a text, 64 hex digits: its sha256. Of a secret, since everybody may read the manifest and a token chosen
 * by a person can be guessed, a salt and a scrypt hash: some 20 guesses a second, where the server itself answers thousands. `earlier`
 * is returned when it is already one of this text, so that nothing changes when nothing changed.
 */
export function fingerprint(text: string, secret: boolean, earlier?: string): string {
  if (!secret) return sha256(text)
  if (earlier !== undefined && isFingerprintOf(earlier, text, true)) return earlier
  const salt = randomBytes(SALT_BYTES)
  return Buffer.concat([salt, scryptSync(text, salt, HASH_BYTES)]).toString('hex')
}

export function isFingerprintOf(print: string, text: string, secret: boolean): boolean {
  if (!secret) return print === sha256(text)
  const bytes = Buffer.from(print, 'hex')
  if (bytes.length !== SALT_BYTES + HASH_BYTES) return false
  const salt = bytes.subarray(0, SALT_BYTES)
  return timingSafeEqual(scryptSync(text, salt, HASH_BYTES), bytes.subarray(SALT_BYTES))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
