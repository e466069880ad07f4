import type { EnvironmentEntry } from './types.js'

/**
 * One shell statement for an entry of the request's `env` list or a manager's `env_NAME` option
 * (pulsar/managers/util/env.py:env_to_statement): first match of file, execute, name+value wins. Values that are not `raw`
 * stand in double quotes with only `"` escaped, so `$VAR` in them expands, as in the Python server.
 * @throws Error when the entry has none of the three: the job fails with that sentence.
 */
export function environmentStatement(entry: EnvironmentEntry): string {
  const quote = (value: unknown): string => {
    const text = String(value)
    return entry.raw ? text : `"${text.replaceAll('"', '\\"')}"`
  }
  if (entry.file) return `. ${quote(entry.file)}`
  if (entry.execute) return String(entry.execute)
  if (entry.name && entry.value !== null && entry.value !== undefined) {
    return `${String(entry.name)}=${quote(entry.value)}; export ${String(entry.name)}`
  }
  throw new Error(
    `an entry of env has none of file, execute, name with value; it has: ${Object.keys(entry).join(', ')}`,
  )
}
