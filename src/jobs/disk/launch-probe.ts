import fs from 'node:fs'
import path from 'node:path'
import { errnoOf, mayPass, messageOf } from '../../lib/errors.js'
import { lstatIfThere } from '../../lib/lstat-if-there.js'
import { wrongNameReason } from '../job-id.js'
import { readIfThere } from './end.js'

/** A launch_config, or what is wrong with it, to follow "its launch_config". What it says is never quoted: there are keys in it. */
export type LaunchProbe =
  | {
      readonly config: Readonly<Record<string, unknown>>
      readonly problem?: undefined
      readonly isUnread?: undefined
    }
  /** `isUnread`: there is one, and this user may not read it, at least now. */
  | { readonly config?: undefined; readonly problem: string; readonly isUnread?: true }

/** Reads the launch_config of a job. @throws the system error of a disk that cannot be read just now */
export function probeLaunchConfig(directory: string): LaunchProbe {
  let text: string | undefined
  try {
    text = readIfThere(path.join(directory, 'launch_config'))
  } catch (error) {
    if (mayPass(error)) throw error
    return { problem: `cannot be read (${errnoOf(error)})`, isUnread: true }
  }
  if (text === undefined) return whyNotThere(path.join(directory, 'launch_config'))
  if (text.trim() === '') return { problem: 'is empty' }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { problem: 'is no JSON object' }
    return { config: { ...value } }
  } catch {
    return { problem: 'is cut off or damaged: it is not valid JSON' }
  }
}

/** One that its owner may not read (mode 000) was written all the same, and may be read again. */
function whyNotThere(file: string): LaunchProbe {
  const found = lstatIfThere(file)
  if (!found) return { problem: 'is missing' }
  if (!found.isFile()) return { problem: 'is no regular file' }
  return found.mode % 0o1000 < 0o400
    ? { problem: 'cannot be read (EACCES)', isUnread: true }
    : { problem: 'is far too large' }
}

/** A job in the index of a Python server, as its files show it before it is taken over. */
export type PythonJobProbe =
  | { readonly kind: 'continues' }
  /** It has failed or was cancelled already, whatever its place in the index. */
  | { readonly kind: 'over' }
  /** It cannot be continued, for this reason: a sentence. `fails`: Galaxy is told so after the take-over. */
  | { readonly kind: 'broken'; readonly why: string; readonly fails: boolean }

/** Looks at one; the disk is only read. */
export function probePythonJob(stagingDirectory: string, jobId: string): PythonJobProbe {
  const wrong = wrongNameReason(jobId)
  if (wrong !== undefined) return broken(`its name ${wrong}`, false)
  const directory = path.join(stagingDirectory, jobId)
  const has = (name: string): boolean => fs.existsSync(path.join(directory, name))
  try {
    // Of a directory that may not be entered nothing is known.
    fs.readdirSync(directory)
    if (has('preprocessing_failed') || has('cancelled')) return { kind: 'over' }
    const launch = probeLaunchConfig(directory)
    const problem = launchProblem(launch)
    return problem === undefined
      ? { kind: 'continues' }
      : broken(`its launch_config ${problem}`, launch.isUnread === undefined)
  } catch (error) {
    const code = errnoOf(error) ?? messageOf(error)
    const missing = code === 'ENOENT' || code === 'ENOTDIR'
    return broken(
      `its directory ${directory} ${missing ? 'is not there' : `cannot be read (${code})`}`,
      false,
    )
  }
}

/** What keeps a job from being launched or delivered by its launch_config; undefined: nothing. */
export function launchProblem({ config, problem }: LaunchProbe): string | undefined {
  if (config === undefined) return problem
  return typeof config.command_line === 'string' ? undefined : 'has no command_line'
}

function broken(why: string, fails: boolean): PythonJobProbe {
  return { kind: 'broken', why, fails }
}
