import path from 'node:path'
import { MagnetarError } from '../lib/errors.js'
import type { JobFilePath } from './types.js'

interface FileType {
  /** Directory of the type, relative to the job directory. */
  readonly directory: string
  /** Whether "a/b" keeps its parents (true) or is reduced to its last component. */
  readonly nested: boolean
}

/** Upload types (pulsar/client/job_directory.py:TYPES_TO_METHOD; reference/rest §2.4). */
const UPLOAD_TYPES: Readonly<Record<string, FileType>> = {
  input: { directory: 'inputs', nested: true },
  unstructured: { directory: 'unstructured', nested: true },
  config: { directory: 'configs', nested: false },
  tool: { directory: 'tool_files', nested: true },
  jobdir: { directory: '.', nested: false },
  output_jobdir: { directory: '.', nested: false },
  workdir: { directory: 'working', nested: false },
  metadata: { directory: 'metadata', nested: true },
  output_metadata: { directory: 'metadata', nested: true },
  output: { directory: 'outputs', nested: true },
  output_workdir: { directory: 'working', nested: true },
}

/** Download types; every other type is looked for in outputs (pulsar/web/routes.py:_output_path). */
const DOWNLOAD_DIRECTORIES: Readonly<Record<string, string>> = {
  output_workdir: 'working',
  output_metadata: 'metadata',
}

const MAX_COMPONENT_BYTES = 255
/** PATH_MAX of Linux, less its end: no tool could open the file by its path, and thousands of directories would be made for it. */
const MAX_PATH_BYTES = 4095

/**
 * Where a file of this type and name is uploaded to.
 * @throws MagnetarError FILE_TYPE_INVALID, FILE_NAME_INVALID, FILE_OUTSIDE_JOB
 */
export function uploadTarget(jobDirectory: string, type: string, name: string): JobFilePath {
  const known = Object.hasOwn(UPLOAD_TYPES, type) ? UPLOAD_TYPES[type] : undefined
  if (!known)
    throw new MagnetarError('FILE_TYPE_INVALID', `unknown file type ${JSON.stringify(type.slice(0, 40))}`)
  const components = known.nested ? splitName(name) : [lastComponent(name)]
  return checkLength({ base: path.join(jobDirectory, known.directory), components })
}

/**
 * Where a file of this type and name is downloaded from.
 * @throws MagnetarError FILE_NAME_INVALID, FILE_OUTSIDE_JOB
 */
export function downloadSource(jobDirectory: string, type: string, name: string): JobFilePath {
  const directory = Object.hasOwn(DOWNLOAD_DIRECTORIES, type) ? DOWNLOAD_DIRECTORIES[type] : undefined
  return checkLength({ base: path.join(jobDirectory, directory ?? 'outputs'), components: splitName(name) })
}

function checkLength(file: JobFilePath): JobFilePath {
  const { base, components } = file
  if (Buffer.byteLength(base) + Buffer.byteLength(components.join('/')) + 1 > MAX_PATH_BYTES)
    throw new MagnetarError(
      'FILE_NAME_INVALID',
      `the path of the file is longer than ${MAX_PATH_BYTES} bytes`,
    )
  return file
}

/** "a//b/../c" → ["a", "c"]; empty leading components are dropped, so "/etc/x" means "etc/x" (reference/rest §2.4). */
function splitName(name: string): string[] {
  const components: string[] = []
  for (const component of name.split('/')) {
    if (component === '' || component === '.') continue
    if (component === '..') {
      if (components.pop() === undefined)
        throw new MagnetarError('FILE_OUTSIDE_JOB', 'the name leads outside the job directory')
    } else components.push(checkComponent(component))
  }
  if (components.length === 0) throw new MagnetarError('FILE_NAME_INVALID', 'the file name is empty')
  return components
}

function lastComponent(name: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1)
  if (last === '' || last === '.' || last === '..')
    throw new MagnetarError('FILE_NAME_INVALID', 'the file name is empty or only dots')
  return checkComponent(last)
}

function checkComponent(component: string): string {
  if (component.includes('\0'))
    throw new MagnetarError('FILE_NAME_INVALID', 'the file name contains a NUL character')
  // Half a character of UTF-16: on disk it would be another name.
  if (/\p{Surrogate}/u.test(component))
    throw new MagnetarError(
      'FILE_NAME_INVALID',
      `the file name ${JSON.stringify(component.slice(0, 200))} has half a character in it (a lone surrogate), which no name on disk can have`,
    )
  if (Buffer.byteLength(component) > MAX_COMPONENT_BYTES) {
    throw new MagnetarError(
      'FILE_NAME_INVALID',
      `a part of the file name is longer than ${MAX_COMPONENT_BYTES} bytes`,
    )
  }
  return component
}
