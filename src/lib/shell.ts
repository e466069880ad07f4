/** A word that a POSIX shell takes literally, whatever it contains (except NUL, which no shell can carry). */
export function quoteForShell(text: string): string {
  if (text !== '' && /^[A-Za-z0-9_\-./:=@%+,]+$/.test(text)) return text
  return `'${text.replaceAll("'", `'\\''`)}'`
}
