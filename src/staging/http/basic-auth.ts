/** What user and password of an address become in a header, as curl sends them; undefined when it has none. */
export function basicAuth({ username, password }: URL): string | undefined {
  if (!username && !password) return undefined
  return `Basic ${Buffer.from(`${decode(username)}:${decode(password)}`).toString('base64')}`
}

/** A percent sign that stands for itself is left alone. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
