import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { runCommand } from '../../src/lib/exec.js'
import { waitFor } from '../helpers/wait-for.js'

export interface StarterPlace {
  /** Of the command that is to be found before the real one. */
  readonly file: string
  /** A short path that nobody has yet. */
  readonly socket: string
  /** Where a file of there is seen from here. */
  readonly outside?: (path: string) => string
  /** The command line that runs this one there. */
  readonly enter?: (argv: readonly string[]) => string[]
}

/**
 * Makes a `supervisorctl` that runs the real one in a fork of a Python that has loaded it: three quarters of the time that it takes are spent
 * on that. Where the real one is not a script of a Python, there is none. @returns ends that Python
 */
export async function loadSupervisorctl(place: StarterPlace): Promise<() => void> {
  const { file, socket, outside = (path) => path, enter = (argv) => [...argv] } = place
  const [which = '', ...words] = enter(['sh', '-c', 'command -v supervisorctl'])
  const real = (await runCommand(which, words, { timeoutMs: 20_000 })).stdout.trim()
  const python = /^#! *(\S+)\n/.exec(await readFile(outside(real), 'utf8'))?.[1]
  if (python === undefined) return () => {}
  const program = (name: string): string => resolve('test', 'peers', name)
  const [command = '', ...args] = enter([
    python,
    program('python-forks.py'),
    socket,
    'supervisor.supervisorctl',
  ])
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'] })
  await waitFor(() => existsSync(outside(socket)), { what: 'loaded supervisorctl', timeoutMs: 60_000 })
  const starter = `#!/bin/sh\nexec ${python} -IS '${program('fork-starter.py')}' ${socket} ${real} "$@"\n`
  await writeFile(outside(file), starter)
  await chmod(outside(file), 0o755)
  return () => child.stdin.end()
}
