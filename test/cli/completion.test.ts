import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { renderCompletion } from '../../src/cli/completion.js'
import { createProgram } from '../../src/cli/program.js'
import { SETUP_OPTIONS } from '../../src/setup/answers/options/index.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const program = createProgram(
  async () => 0,
  () => {},
)
const flags = SETUP_OPTIONS.flatMap((option) => option.flags.map(({ flag }) => flag))

async function hasShell(shell: string): Promise<boolean> {
  return (await runCommand(shell, ['-c', 'exit 0'])).exitCode === 0
}
const missing = async (shell: string): Promise<string | undefined> =>
  (await hasShell(shell)) ? undefined : `no ${shell} on this machine; install it (apt install ${shell})`
const [noZsh, noFish] = [await missing('zsh'), await missing('fish')]

describe('completion for bash', () => {
  let file: string
  let directory: string

  beforeAll(async () => {
    directory = await tempDirectory()
    file = join(directory, 'completion')
    writeFileSync(file, await renderCompletion('bash', program))
    for (const name of ['node.yml', 'my answers.yml']) writeFileSync(join(directory, name), '')
    await runCommand('mkdir', [join(directory, 'a-directory')])
  })

  /** What Tab offers after these words; the last one is being typed. */
  async function complete(...words: string[]): Promise<string[]> {
    const script = `source "$1"; shift; cd "$1"; shift
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _magnetar; printf '%s\\n' "\${COMPREPLY[@]}"`
    const args = ['--norc', '-c', script, 'bash', file, directory, 'magnetar', ...words]
    const { exitCode, output } = await runCommand('bash', args)
    expect(exitCode, output).toBe(0)
    return output.split('\n').filter((line) => line !== '')
  }

  it('offers commands, then flags, then what a flag takes', async () => {
    expect(await complete('')).toEqual(expect.arrayContaining(['setup', 'serve', 'completion', 'man']))
    expect(await complete('se')).toEqual(['setup', 'serve'])
    expect(await complete('setup', '--manag')).toEqual(['--manager'])
    expect(await complete('setup', '--manager', '')).toEqual(['slurm', 'local', 'drmaa'])
    expect(await complete('setup', '--manager', 'l')).toEqual(['local'])
    expect(await complete('completion', '')).toEqual(['bash', 'zsh', 'fish'])
  })

  it('offers every flag of setup', async () => {
    expect(await complete('setup', '--')).toEqual(expect.arrayContaining(flags))
  })

  it('reads --flag=value as readline breaks it', async () => {
    expect(await complete('setup', '--manager', '=', '')).toEqual(['slurm', 'local', 'drmaa'])
    expect(await complete('setup', '--manager', '=', 's')).toEqual(['slurm'])
    expect(await complete('setup', '--manager', '=')).toEqual(['slurm', 'local', 'drmaa'])
  })

  it('offers files and directories where such are wanted, also with spaces in their names', async () => {
    expect(await complete('setup', '--answers', 'm')).toEqual(['my answers.yml'])
    expect(await complete('setup', '--prefix', '')).toEqual(['a-directory'])
    expect(await complete('serve', '-c', 'a-')).toEqual(['a-directory'])
    expect(await complete('setup', '--instance', '')).toEqual([])
  })

  it('takes no value for a command', async () => {
    expect(await complete('setup', '--prefix', 'serve', '--verif')).toEqual(['--verify'])
    expect(await complete('--version', 'se')).toEqual(['setup', 'serve'])
  })
})

describe('completion for zsh', () => {
  it('is understood by zsh', needs(noZsh), async () => {
    const file = join(await tempDirectory(), '_magnetar')
    writeFileSync(file, await renderCompletion('zsh', program))
    expect(await runCommand('zsh', ['-f', '-n', file])).toEqual({ exitCode: 0, output: '' })
  })

  it('has every flag of setup, and begins as compinit wants it', async () => {
    const text = await renderCompletion('zsh', program)
    expect(text).toMatch(/^#compdef magnetar\n/)
    for (const flag of flags) expect(text).toMatch(new RegExp(`'${flag}=?\\[`))
  })
})

describe('completion for fish', () => {
  const complete = async (line: string): Promise<string[]> => {
    const directory = await tempDirectory()
    const file = join(directory, 'magnetar.fish')
    writeFileSync(file, await renderCompletion('fish', program))
    const script = `source ${file}; complete -C ${JSON.stringify(line)}`
    const { exitCode, output } = await runCommand('fish', ['--no-config', '-c', script], {
      cwd: resolve('test'),
      env: { HOME: directory },
    })
    expect(exitCode, output).toBe(0)
    return output
      .split('\n')
      .filter((each) => each !== '')
      .map((each) => each.split('\t')[0] ?? '')
  }

  it('offers commands, flags, values and files', needs(noFish), async () => {
    expect(await complete('magnetar se')).toEqual(['serve', 'setup'])
    expect(await complete('magnetar setup --manag')).toEqual(['--manager'])
    expect(await complete('magnetar setup --manager ')).toEqual(['drmaa', 'local', 'slurm'])
    expect(await complete('magnetar serve -c h')).toEqual(['helpers/', 'http/'])
    expect(await complete('magnetar setup --instance ')).toEqual([])
  })

  it('has every flag of setup', async () => {
    const text = await renderCompletion('fish', program)
    for (const flag of flags) expect(text).toMatch(new RegExp(` -l ${flag.slice(2)} `))
  })
})
