import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { condaResolver } from '../../../src/dependencies/conda/conda-resolver.js'
import type { Requirement, ResolveRequest, Resolver } from '../../../src/dependencies/types.js'
import { createRecordingLog, type RecordingLog } from '../../helpers/recording-log.js'
import { runCommand } from '../../helpers/run-command.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { findPulsarVenv } from '../pulsar-venv.js'

/** Programs that make environments: two thin ones over py-rattler, and what is on PATH. */
export interface CondaProgram {
  readonly title: string
  readonly kind: 'conda' | 'mamba'
  /** undefined: a thin one, which can be told to stop in the middle. */
  readonly real: string | undefined
}

const { venv, missing } = findPulsarVenv()
const python = join(venv?.bin ?? '', 'python')
const program = fileURLToPath(new URL('conda-command.py', import.meta.url))
const channelMaker = fileURLToPath(new URL('make-channel.py', import.meta.url))

/** Why the thin programs cannot run here, as a sentence for `needs`. */
export const condaMissing: string | undefined =
  missing ??
  (spawnSync(python, ['-c', 'import rattler'], { timeout: 60_000 }).status === 0
    ? undefined
    : 'no py-rattler in the virtual environment; run "npm run peers"')

export const thinConda: CondaProgram = { title: 'a thin conda', kind: 'conda', real: undefined }

export const condaPrograms: readonly CondaProgram[] = [
  thinConda,
  { title: 'a thin micromamba', kind: 'mamba', real: undefined },
  ...['conda', 'mamba', 'micromamba'].flatMap((name): CondaProgram[] => {
    const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).stdout.trim()
    return found === ''
      ? []
      : [{ title: `${name} of PATH`, kind: name === 'conda' ? 'conda' : 'mamba', real: found }]
  }),
]

export interface CondaPlace {
  readonly directory: string
  readonly prefix: string
  readonly exec: string
  /** file:// of the channel. */
  readonly channel: string
  /** The arguments of every call of the thin program. */
  calls(): Promise<string[][]>
  /** What `create` of a resolver gets. */
  options(more?: Readonly<Record<string, unknown>>): Record<string, unknown>
  resolver(more?: Readonly<Record<string, unknown>>, env?: NodeJS.ProcessEnv): Resolver
}

/** A directory with a space and a quote in its name, a channel, and a program. */
export async function makePlace(which: CondaProgram): Promise<CondaPlace> {
  const directory = join(await tempDirectory(), "it's a place")
  const [channel, prefix, bin] = [
    join(directory, 'channel'),
    join(directory, 'deps', '_conda'),
    join(directory, 'bin'),
  ]
  await mkdir(bin, { recursive: true })
  const made = await runCommand(python, [channelMaker, channel])
  if (made.exitCode !== 0) throw new Error(made.output)
  const exec = which.real ?? join(bin, which.kind)
  if (which.real === undefined) await writeProgram(exec, prefix, which.kind)
  const callsFile = join(directory, 'calls')
  const place: CondaPlace = {
    directory,
    prefix,
    exec,
    channel: new URL(`file://${channel.replaceAll(' ', '%20').replaceAll("'", '%27')}`).href,
    calls: async () =>
      (await readFile(callsFile, 'utf8').catch(() => ''))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as string[]),
    options: (more = {}) => ({ exec, prefix, ensure_channels: place.channel, auto_install: 'true', ...more }),
    resolver: (more = {}, env = {}) =>
      condaResolver.create(
        { type: 'conda', options: place.options(more) },
        {
          baseDirectory: join(directory, 'deps'),
          nodeOption: () => undefined,
          cwd: directory,
          env: { ...process.env, MAGNETAR_TEST_CALLS: callsFile, ...env },
        },
      ),
  }
  return place
}

/** The thin program as a file, with its root beside it. */
export async function writeProgram(file: string, prefix: string, kind: string): Promise<void> {
  await writeFile(file, programText(prefix, kind))
  await chmod(file, 0o755)
}

export function programText(prefix: string, kind: string): string {
  const quoted = [python, program, prefix, kind].map((each) => `'${each.replaceAll("'", `'\\''`)}'`).join(' ')
  return `#!/bin/sh\nexec ${quoted} "$@"\n`
}

export function requirement(name: string, version?: string, type = 'package'): Requirement {
  return { name, version, type, specs: [] }
}

export function request(
  open: readonly Requirement[],
  signal = new AbortController().signal,
): ResolveRequest & { readonly log: RecordingLog } {
  const description = { requirements: open, installed: [] }
  return { open, description, jobDirectory: '/nonexistent', log: createRecordingLog(), signal }
}

/** Runs a command in a shell in which the lines were run before, as a job script does. */
export function runAfter(
  lines: readonly string[],
  command: string,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<{ readonly exitCode: number | null; readonly output: string }> {
  return runCommand('bash', ['-c', [...lines, command].join('\n')], { env })
}

/** The script with which py-rattler activates an environment. */
export async function rattlerActivation(environment: string, path: string): Promise<string> {
  const file = fileURLToPath(new URL('activate.py', import.meta.url))
  const { exitCode, output } = await runCommand(python, [file, environment, path])
  if (exitCode !== 0) throw new Error(output)
  return output
}

let bundle: Promise<string> | undefined

/** The resolver as one file that another process can import. */
export function bundleResolver(): Promise<string> {
  bundle ??= (async () => {
    const file = join(await tempDirectory(), 'resolver.mjs')
    const input = fileURLToPath(new URL('../../../src/dependencies/conda/conda-resolver.ts', import.meta.url))
    const built = await rolldown({ input, platform: 'node' })
    await built.write({ file, format: 'esm' })
    await built.close()
    return file
  })()
  return bundle
}

/** The source of a process that resolves one requirement list and prints what came of it as JSON. */
export async function resolvingProcess(
  place: CondaPlace,
  open: readonly Requirement[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const spec = { type: 'conda', options: place.options(more) }
  return `
    import { condaResolver } from ${JSON.stringify(await bundleResolver())}
    const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log }
    const open = ${JSON.stringify(open)}
    const context = { baseDirectory: ${JSON.stringify(join(place.directory, 'deps'))}, nodeOption: () => undefined, cwd: '/', env: process.env }
    const resolver = condaResolver.create(${JSON.stringify(spec)}, context)
    const signal = new AbortController().signal
    const request = { open, description: { requirements: open, installed: [] }, jobDirectory: '/nonexistent', log, signal }
    try {
      const found = await resolver.resolve(request)
      console.log(JSON.stringify({ what: found.map((each) => each.what) }))
    } catch (error) {
      console.log(JSON.stringify({ code: error.code, message: error.message, fix: error.fix }))
    }`
}
