import nodeFs from 'node:fs'
import type { FileSystem } from '../../src/lib/atomic-file.js'

export type Call = keyof FileSystem

const READING: ReadonlySet<Call> = new Set<Call>([
  'closeSync',
  'fstatSync',
  'fsyncSync',
  'lstatSync',
  'readFileSync',
  'readdirSync',
  'readlinkSync',
])

/** The file system, with somebody told of every call before it is made; who may throw, or end the process. */
export function watchedFs(onCall: (call: Call, args: readonly unknown[]) => void): FileSystem {
  return new Proxy(nodeFs, {
    get(fs, property: Call) {
      const real = fs[property] as (...args: unknown[]) => unknown
      return (...args: unknown[]): unknown => {
        onCall(property, args)
        return real.apply(fs, args)
      }
    },
  })
}

/** Whether the call changes what is on the disk. */
export function isWriting(call: Call, args: readonly unknown[]): boolean {
  if (call === 'openSync') return (Number(args[1]) & nodeFs.constants.O_CREAT) !== 0
  return !READING.has(call)
}
