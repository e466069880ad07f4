import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('libdrmaa.c', import.meta.url))

/** The program that loads DRMAA libraries, compiled: its source cannot be run. */
export const libraryProgram = resolve('dist', 'schedulers', 'drmaa', 'library-process.js')

/** Why the tests' own DRMAA library cannot be used here. */
export function drmaaMissing(): string | undefined {
  if (spawnSync('cc', ['--version']).status !== 0)
    return 'no C compiler (cc) for the DRMAA library of the tests; install one, on Debian: apt-get install gcc libc6-dev'
  return existsSync(libraryProgram) ? undefined : 'it needs the compiled program; run "npm run build"'
}

export interface TestDrmaa {
  /** The built library. */
  readonly library: string
  /** Where its state is, and the files by which it is told what to do wrong. */
  readonly directory: string
  /** Writes such a file. */
  tell(name: string, text?: string): Promise<void>
  untell(name: string): void
  /** Takes back all that it was told. */
  behave(): void
  /** Ends the jobs that still run. */
  stop(): Promise<void>
  /** Ids of all jobs that it ever took. */
  jobs(): Promise<string[]>
  /** Calls of that function, each with the id or name of its job. */
  calls(name: string): Promise<string[]>
}

/** Builds the library below `directory`; processes find its state by TEST_DRMAA_DIR, which this sets. */
export async function buildDrmaa(directory: string): Promise<TestDrmaa> {
  const state = join(directory, 'drmaa')
  const library = join(directory, 'libdrmaa.so')
  await mkdir(state)
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-lpthread'])
  process.env.TEST_DRMAA_DIR = state
  return {
    library,
    directory: state,
    async tell(name, text = '') {
      await mkdir(dirname(join(state, name)), { recursive: true })
      await writeFile(join(state, name), text)
    },
    untell: (name) => rmSync(join(state, name), { force: true }),
    behave() {
      for (const name of readdirSync(state)) {
        if (/^(hang|crash|fail|say)-|^(late|version|system|forget)$/.test(name)) rmSync(join(state, name))
      }
    },
    async stop() {
      for (const id of await readdir(join(state, 'pids')).catch(() => [])) {
        if (existsSync(join(state, 'ends', id))) continue
        const group = Number(await readFile(join(state, 'pids', id), 'utf8'))
        try {
          process.kill(-group, 'SIGKILL')
        } catch {
          // It ended meanwhile.
        }
      }
    },
    jobs: () => readdir(join(state, 'jobs')),
    async calls(name) {
      const lines = (await readFile(join(state, 'calls'), 'utf8').catch(() => '')).split('\n')
      return lines.flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []))
    },
  }
}
