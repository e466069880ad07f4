import path from 'node:path'
import { mayPass } from '../../lib/errors.js'
import { readIfThere } from './end.js'

/**
 * The launch_config of a job. undefined: there is none, or none that can be read (a Python server was killed while it wrote it).
 * What it says is never quoted: there are keys in it. @throws the system error of a disk that cannot be read just now
 */
export function readLaunchConfig(directory: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(readIfThere(path.join(directory, 'launch_config')) ?? '')
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch (error) {
    if (mayPass(error)) throw error
    return undefined
  }
}
