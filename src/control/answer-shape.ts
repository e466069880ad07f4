type Kind = 'text' | 'number' | 'flag' | 'list' | 'object'

/** What an answer must have for the commands to work with it: each field with its kind. */
export type Shape = Readonly<Record<string, Kind>>

/** By what is asked. What may be missing is not named; more may be there, of a newer server. */
export const SHAPES = {
  ping: { pid: 'number' },
  status: { running: 'flag', version: 'text', managers: 'list', lastFailures: 'list', disks: 'list' },
  jobs: { running: 'flag', jobs: 'list', counts: 'object', left: 'number' },
  job: { id: 'text', status: 'text', submittedAtMs: 'number', history: 'list', directory: 'text' },
  audit: { hasJournal: 'flag', examined: 'object' },
  act: {},
  expire: { jobs: 'list', removed: 'number', kept: 'list' },
  reloadTokens: { tokens: 'number' },
} as const satisfies Readonly<Record<string, Shape>>

/** Whether it is an object with all fields of the shape. */
export function hasShape(value: unknown, shape: Shape): boolean {
  if (!isObject(value)) return false
  return Object.entries(shape).every(([field, kind]) => IS[kind](value[field]))
}

const IS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  number: Number.isFinite,
  flag: (value) => typeof value === 'boolean',
  list: Array.isArray,
  object: isObject,
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
