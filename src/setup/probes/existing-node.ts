import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../lib/errors.js'

/** What a prefix holds. An empty directory is `none`; what a killed first setup left is `magnetar`. */
export type ExistingNode = 'none' | 'magnetar' | 'python-pulsar' | 'other files'

const OURS = ['bin', 'lib', 'etc', 'var']
/** Of a virtualenv of Pulsar, as the exercise makes it, and below `venv`, as the Ansible role does: programs that we have not. */
const PYTHON_PULSAR = ['bin/pulsar-check', 'bin/pulsar-submit', 'venv/bin/pulsar', 'venv/bin/pulsar-main']

/** Looks at a prefix. One that cannot be read by this user counts as `other files`. */
export async function findExistingNode(prefix: string): Promise<ExistingNode> {
  let names: string[]
  try {
    names = await readdir(prefix)
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'none' : 'other files'
  }
  if (names.length === 0) return 'none'
  // Only we make lib/releases, and before any file is written.
  if ((await isThere(join(prefix, 'lib/setup.json'))) || (await isThere(join(prefix, 'lib/releases'))))
    return 'magnetar'
  for (const path of PYTHON_PULSAR) if (await isThere(join(prefix, path))) return 'python-pulsar'
  // A kill between two directories: they are there and hold nothing.
  if (names.every((name) => OURS.includes(name)) && (await areEmpty(prefix, names))) return 'magnetar'
  return 'other files'
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function areEmpty(prefix: string, names: readonly string[]): Promise<boolean> {
  for (const name of names) {
    const inside = await readdir(join(prefix, name), { recursive: true, withFileTypes: true }).catch(
      () => undefined,
    )
    if (inside === undefined || inside.some((entry) => !entry.isDirectory())) return false
  }
  return true
}
