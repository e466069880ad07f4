import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { activationLines, readActivation } from '../../../src/dependencies/conda/activation.js'
import { runCommand } from '../../helpers/run-command.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

interface Place {
  readonly prefix: string
  readonly logFile: string
  readonly environment: string
}

async function makeEnvironment(
  name = '__zlib@1.2.8',
  scripts: Readonly<Record<string, string>> = {},
): Promise<Place> {
  const directory = join(await tempDirectory(), `it's a "$place"`)
  const place = await addEnvironment(join(directory, '_conda'), name, scripts)
  await mkdir(join(place.prefix, 'condabin'))
  await mkdir(join(place.prefix, 'bin'))
  await writeFile(join(place.prefix, 'bin', 'conda'), '')
  return place
}

async function addEnvironment(
  prefix: string,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<Place> {
  const environment = join(prefix, 'envs', name)
  const all = { 'conda-meta/history': '', 'bin/hello': '#!/bin/sh\necho hello\n', ...files }
  for (const [file, text] of Object.entries(all)) {
    await mkdir(join(environment, file, '..'), { recursive: true })
    await writeFile(join(environment, file), text, { mode: 0o755 })
  }
  return { prefix, environment, logFile: join(prefix, '..', 'conda_activate.log') }
}

async function lines({ prefix, environment, logFile }: Place, stack = false): Promise<string[]> {
  return activationLines(await readActivation(prefix, environment), { logFile, stack })
}

const bash = (script: readonly string[], env: Readonly<Record<string, string | undefined>> = {}) =>
  runCommand('/bin/bash', ['-c', script.join('\n')], {
    env: { CONDA_PREFIX: undefined, CONDA_SHLVL: undefined, CONDA_DEFAULT_ENV: undefined, ...env },
  })

describe('activation lines', () => {
  it('set what conda sets, in paths with spaces and quotes', async () => {
    const place = await makeEnvironment()
    const { environment, prefix } = place
    const show =
      'printf "%s\\n" "$CONDA_DEFAULT_ENV" "$CONDA_PREFIX" "$CONDA_SHLVL" "$CONDA_EXE" "$PATH"; hello'
    const { exitCode, output } = await bash([...(await lines(place)), show], { PATH: '/usr/bin:/bin' })
    expect({ exitCode, output: output.split('\n') }).toEqual({
      exitCode: 0,
      output: [
        environment,
        environment,
        '1',
        `${prefix}/bin/conda`,
        `${environment}/bin:${prefix}/condabin:/usr/bin:/bin`,
        'hello',
        '',
      ],
    })
  })

  it('run the scripts of packages in their order, quietly, also when these are careless', async () => {
    const place = await makeEnvironment('e', {
      'etc/conda/activate.d/b.sh': 'echo noise; export SEEN="$SEEN b"; false\n',
      'etc/conda/activate.d/a.sh': 'echo "$NEVER_SET" >&2; export SEEN=a\n',
      'etc/conda/activate.d/Z.sh': 'export FIRST="$SEEN"\n',
      'etc/conda/activate.d/no.fish': 'exit 9\n',
    })
    const script = ['set -eu', ...(await lines(place)), 'echo "$SEEN,$FIRST,$-"; echo "$UNKNOWN"']
    const { exitCode, output } = await bash(script, { SEEN: '' })
    expect(exitCode).toBe(1)
    expect(output).toMatch(/^a b,,\w*e\w*u\w*\n.*UNKNOWN: unbound variable\n$/)
    const { output: log } = await runCommand('cat', [place.logFile])
    expect(log).toBe('\nnoise\n')
  })

  it('leave the shell options as they were', async () => {
    const place = await makeEnvironment()
    const { output } = await bash([
      'a=$-',
      ...(await lines(place)),
      '[ "$a" = "$-" ] && echo same; echo "[$NOTHING]"',
    ])
    expect(output).toBe('same\n[]\n')
  })

  it('set the variables that were given to the environment, and of its packages', async () => {
    const place = await makeEnvironment('e', {
      'etc/conda/env_vars.d/p.json': JSON.stringify({
        ONE: 'from the package',
        TWO: `it's "$2"`,
        'no name': 'x',
        N: 3,
      }),
      'conda-meta/state': JSON.stringify({
        version: 1,
        env_vars: { ONE: 'from conda env config', THREE: '***unset***' },
      }),
    })
    const { output } = await bash([...(await lines(place)), 'echo "$ONE,$TWO,${THREE-unset}"'])
    expect(output).toBe(`from conda env config,it's "$2",unset\n`)
  })

  it('do nothing where it is active already, and all where only a variable says so', async () => {
    const place = await makeEnvironment('e', { 'etc/conda/activate.d/a.sh': 'COUNT="$COUNT+"\n' })
    const all = await lines(place)
    const { output } = await bash([...all, ...all, 'echo "$COUNT,$CONDA_SHLVL"'], { COUNT: '' })
    expect(output).toBe('+,1\n')
    const stale = await bash([...all, 'hello'], { CONDA_PREFIX: place.environment })
    expect(stale.output).toBe('hello\n')
  })

  it('take another environment away, or stack upon it', async () => {
    const first = await makeEnvironment('first', {
      'etc/conda/deactivate.d/d.sh': 'echo noise; export GONE=yes\n',
    })
    const second = await addEnvironment(first.prefix, 'second', {})
    const begin = await lines(first)
    const show = 'echo "${GONE-no},$CONDA_SHLVL,$CONDA_PREFIX_1"; echo "$PATH"'
    const replaced = await bash([...begin, ...(await lines(second)), show], { PATH: '/bin' })
    expect(replaced.output.split('\n').slice(0, 2)).toEqual([
      `yes,2,${first.environment}`,
      `${second.environment}/bin:${first.prefix}/condabin:/bin`,
    ])
    const stacked = await bash([...begin, ...(await lines(second, true)), show], { PATH: '/bin' })
    expect(stacked.output.split('\n').slice(0, 2)).toEqual([
      `no,2,${first.environment}`,
      `${second.environment}/bin:${first.environment}/bin:${first.prefix}/condabin:/bin`,
    ])
  })

  it('end the script with a sentence where the environment is gone', async () => {
    const place = await makeEnvironment()
    const all = await lines(place)
    await rm(place.environment, { recursive: true })
    const { exitCode, output } = await bash(['sleep() { :; }', ...all, 'echo the tool'])
    expect(exitCode).toBe(1)
    expect(output).toContain(`magnetar: the conda environment ${place.environment} is not there on `)
    expect(output).not.toContain('the tool')
  })

  it('wait a little for a file system that shows it late', async () => {
    const place = await makeEnvironment()
    const all = await lines(place)
    await rm(join(place.environment, 'conda-meta'), { recursive: true })
    const late = `sleep() { mkdir "$META"; : > "$META/history"; }`
    const { output } = await bash([late, ...all, 'hello'], { META: join(place.environment, 'conda-meta') })
    expect(output).toBe('hello\n')
  })

  it('start no process', async () => {
    const place = await makeEnvironment('e', { 'etc/conda/activate.d/a.sh': 'export A=1\n' })
    // Nothing is on the PATH that could be started.
    const { exitCode, output } = await bash([...(await lines(place)), 'echo "$A"'], {
      PATH: '/nonexistent',
    }).catch(() => ({
      exitCode: 127,
      output: '',
    }))
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: '1\n' })
  })
})
