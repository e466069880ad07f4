import { userInfo } from 'node:os'

let known: string | undefined

/** The user that this process runs as, for messages: its name, or "user 1234" when it has none. */
export function userName(): string {
  known ??= lookUp()
  return known
}

function lookUp(): string {
  try {
    return userInfo().username
  } catch {
    // No entry in the user database: containers with any id.
    return `user ${process.getuid?.() ?? '?'}`
  }
}
