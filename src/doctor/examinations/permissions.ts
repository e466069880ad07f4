import { access, constants, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import { runCommand } from '../../lib/exec.js'
import { quoteForShell } from '../../lib/shell.js'
import { asNodeUser, notTheUser } from '../as-user.js'
import { defineExamination } from '../define-examination.js'
import type { DoctorFacts, Finding, NodeDirectory, NodeUser } from '../types.js'

type Id =
  | 'permissions'
  | 'directory-unusable'
  | 'directory-missing'
  | 'directory-foreign'
  | 'directory-read-only'

const TIMEOUT_MS = 5000
/** One word for each directory, as its user sees it. */
const LOOK =
  'for d; do if [ -d "$d" ]; then if [ -r "$d" ] && [ -w "$d" ] && [ -x "$d" ]; then echo ok; else echo bad; fi; else echo none; fi; done'

/** Whether the server can work in its directories. */
export const permissions = defineExamination({
  id: 'permissions',
  title: 'permissions',
  group: 'Node',
  findings: {
    'directory-foreign': {
      state: 'fail',
      meaning: 'a directory of the server belongs to another user, and the server cannot write to it',
      fix: '`chown USER:GROUP DIRECTORY`',
    },
    'directory-unusable': {
      state: 'fail',
      meaning: 'the mode of a directory, or of one above it, keeps the server out',
      fix: '`chmod u+rwx DIRECTORY` (`--fix` does it where the directory is its own), or `chmod a+x` above it',
    },
    'directory-read-only': {
      state: 'fail',
      meaning: 'a directory of the server is on a file system that is mounted read-only',
      fix: 'see in dmesg why, then `mount -o remount,rw`',
    },
    'directory-missing': {
      state: 'fail',
      meaning: 'a directory of the server is not there, and the server could not make it',
      fix: '`install -d` with owner and mode',
    },
  },
  async examine(facts, signal) {
    const { directories, user } = facts
    if (directories.length === 0)
      return [{ id: 'permissions', state: 'left-out', message: 'no directories are known' }]
    const argv = asNodeUser(facts, ['sh', '-c', LOOK, 'sh', ...directories.map(({ path }) => path)])
    if (argv === undefined || user === undefined)
      return [{ id: 'permissions', state: 'left-out', message: notTheUser(facts) }]
    const [program = '', ...args] = argv
    const { stdout, stderr, code } = await runCommand(program, args, {
      timeoutMs: TIMEOUT_MS,
      signal,
      cwd: '/',
    })
    if (code !== 0) throw new Error(stderr.trim() || `${program} ended with ${code}`)
    const words = stdout.trim().split('\n')
    const found = await Promise.all(
      directories.map((directory, at) =>
        words[at] === 'ok' ? [] : explain(directory, words[at] === 'none', user, facts),
      ),
    )
    // One directory that is closed above several of them is one finding.
    const seen = new Set<string>()
    const problems = found.flat().filter(({ id, fix }) => {
      const key = `${id} ${fix?.command}`
      return !seen.has(key) && seen.add(key)
    })
    if (problems.length > 0) return problems
    const message = `${user.name} can use ${count(directories.length)}`
    return [{ id: 'permissions', state: 'ok', message }]
  },
})

function count(directories: number): string {
  return directories === 1 ? 'its directory' : `its ${directories} directories`
}

/** Looks as whoever we are, root often, at why its user cannot use a directory. */
async function explain(
  { path, what, file }: NodeDirectory,
  isUnseen: boolean,
  user: NodeUser,
  facts: DoctorFacts,
): Promise<Finding<Id>[]> {
  if (file !== undefined && (await test('-w', file, facts))) return []
  const found = await stat(path).catch(() => undefined)
  const name = quoteForShell(path)
  const owner = `${quoteForShell(user.name)}:${user.gid}`
  const problem = (id: Exclude<Id, 'permissions'>, message: string, fix: Finding['fix']): Finding<Id>[] => [
    { id, state: 'fail', message: `${what}: ${message}`, ...(fix ? { fix } : {}) },
  ]
  if (found === undefined) {
    // The server makes what is missing, where it may.
    const parent = await firstExisting(dirname(path))
    if (await mayWrite(parent, facts)) return []
    return problem(
      'directory-missing',
      `${path} is not there, and ${user.name} cannot make it in ${parent}`,
      {
        command: `install -d -o ${quoteForShell(user.name)} -g ${user.gid} -m 755 ${name}`,
      },
    )
  }
  if (!found.isDirectory())
    return problem('directory-missing', `${path} is no directory`, {
      text: 'Move it away, then:',
      command: `install -d -o ${quoteForShell(user.name)} -g ${user.gid} -m 755 ${name}`,
    })
  const closed = isUnseen ? await firstClosed(path, user, facts) : undefined
  if (closed !== undefined)
    return problem('directory-unusable', `${user.name} may not enter ${closed}, which ${path} is in`, {
      // Also for its group: whoever is in that is not one of the others.
      command: `chmod a+x ${quoteForShell(closed)}`,
    })
  const errno = await access(path, constants.W_OK).then(() => undefined, errnoOf)
  if (errno === 'EROFS')
    return problem('directory-read-only', `${path} is on a file system that is mounted read-only`, {
      text: 'A disk with errors is mounted so: see dmesg first. Then:',
      command: `mount -o remount,rw "$(findmnt -n -o TARGET -T ${name})"`,
    })
  if (found.uid !== user.uid)
    return problem(
      'directory-foreign',
      `${path} belongs to user ${found.uid}; ${user.name} cannot write to it`,
      {
        command: `chown ${owner} ${name}`,
      },
    )
  const mode = (found.mode & 0o7777).toString(8).padStart(4, '0')
  const argv = asNodeUser(facts, ['chmod', 'u+rwx', path])
  return problem('directory-unusable', `${path} has mode ${mode}; ${user.name} cannot work in it`, {
    command: `chmod u+rwx ${name}`,
    ...(argv ? { mends: [{ title: `chmod u+rwx ${path}`, argv }] } : {}),
  })
}

async function firstExisting(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  )
  return isThere || path === dirname(path) ? path : firstExisting(dirname(path))
}

async function mayWrite(path: string, facts: DoctorFacts): Promise<boolean> {
  return test('-w', path, facts)
}

/** The topmost directory on the way that the user may not enter. */
async function firstClosed(path: string, user: NodeUser, facts: DoctorFacts): Promise<string | undefined> {
  const above: string[] = []
  for (let each = dirname(path); each !== dirname(each); each = dirname(each)) above.unshift(each)
  for (const each of above) {
    const found = await stat(each).catch(() => undefined)
    if (found && found.uid !== user.uid && !(await test('-x', each, facts))) return each
  }
  return undefined
}

async function test(what: '-w' | '-x', path: string, facts: DoctorFacts): Promise<boolean> {
  const [program, ...args] = asNodeUser(facts, ['test', what, path]) ?? []
  if (program === undefined) return false
  const result = await runCommand(program, args, { timeoutMs: TIMEOUT_MS, cwd: '/' }).catch(() => undefined)
  return result?.code === 0
}
