import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { editExports, readExport } from '../../../src/config/edit/exports.js'
import { MagnetarError } from '../../../src/lib/errors.js'
import { runCommand } from '../../helpers/run-command.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createRandom, HARD_TEXTS, type Random } from './random.js'

const LOCAL_ENV = `## Path of the DRMAA library, for job managers that need one.
#export DRMAA_LIBRARY_PATH=/path/to/libdrmaa.so

## If Galaxy is installed here as well:
#export GALAXY_HOME=/path/to/galaxy
`

function edit(text: string, name: string, value: string | undefined): string {
  return editExports(text, [{ name, value }], 'local_env.sh')
}

describe('setting a variable', () => {
  it.each<[string, string, string, string, string]>([
    ['changes its line', 'export A=1\nexport B=2\n', 'B', '/x', 'export A=1\nexport B=/x\n'],
    ['keeps the comment behind it', 'export A=1   # why\n', 'A', '2', 'export A=2   # why\n'],
    [
      'quotes what the shell would read otherwise',
      'export A=1\n',
      'A',
      "a b$c'd",
      "export A='a b$c'\\''d'\n",
    ],
    ['writes an empty value', 'export A=1\n', 'A', '', "export A=''\n"],
    ['fills an empty value', 'export A=\n', 'A', 'x', 'export A=x\n'],
    [
      'takes quotes as they are when the value is the same',
      'export A="x y" # c\n',
      'A',
      'x y',
      'export A="x y" # c\n',
    ],
    ['replaces what depends on others', 'export A="$B/x"\n', 'A', '$B/x', "export A='$B/x'\n"],
    [
      'goes below its commented example',
      LOCAL_ENV,
      'DRMAA_LIBRARY_PATH',
      '/usr/lib/libdrmaa.so.1',
      LOCAL_ENV.replace('libdrmaa.so\n', 'libdrmaa.so\nexport DRMAA_LIBRARY_PATH=/usr/lib/libdrmaa.so.1\n'),
    ],
    [
      'goes below the last of its examples',
      '# A=0\n## export A=1\n',
      'A',
      'x',
      '# A=0\n## export A=1\nexport A=x\n',
    ],
    ['else goes to the end', 'export A=1\n', 'B', 'x', 'export A=1\nexport B=x\n'],
    ['makes the first line', '', 'B', 'x', 'export B=x\n'],
    ['keeps a missing last line break', '# c', 'B', 'x', '# c\nexport B=x'],
    [
      'takes a longer name for another one',
      'export MY_A=1\nexport A_B=$A\n',
      'A',
      'x',
      'export MY_A=1\nexport A_B=$A\nexport A=x\n',
    ],
  ])('%s', (_what, text, name, value, wanted) => {
    expect(edit(text, name, value)).toBe(wanted)
    expect(readExport(wanted, name)).toBe(value)
  })
})

describe('taking a variable away', () => {
  it.each<[string, string, string]>([
    ['export A=1\nexport B=2 # c\n# d\n', 'B', 'export A=1\n# d\n'],
    ['#export A=1\nexport A=2', 'A', '#export A=1'],
    ['export B=2\n', 'A', 'export B=2\n'],
  ])('%j without %s', (text, name, wanted) => {
    expect(edit(text, name, undefined)).toBe(wanted)
  })
})

describe('a file that is left alone', () => {
  it.each<[string, RegExp]>([
    ['A=1\nexport A\n', /:1: A is set in another way/],
    ['if true; then\n  export A=1\nfi\n', /:2: A is set in another way/],
    ['export A=1 B=2\n', /:1: A is set in another way/],
    ['export A=1; echo\n', /:1: A is set in another way/],
    ['export A=$(date)\n', /:1: A is set in another way/],
    ['export A="x\ny"\n', /:1: A is set in another way/],
    ['export A=x\\\ny\n', /:1: A is set in another way/],
    ['echo \\\nexport A=1\n', /:2: A is set in another way/],
    ['cat <<EOF\nexport A=1\nEOF\n', /:2: A is set in another way/],
    ["echo '\nexport A=1\n'\n", /:2: A is set in another way/],
    ["echo '\n#export A=1\n'\n", /:2: A is set in another way/],
    ['export A=1\nexport A=2\n', /:2: A is set twice/],
    ['export A=1\nexport A+=2\n', /:2: A is set in another way/],
    ['export A=1\nunset A\n', /:2: A is set in another way/],
    ['declare -x A\n', /:1: A is set in another way/],
    // What would be appended is not a command of its own.
    ['echo "', /:2: A is set in another way/],
    ['cat <<EOF\n', /:2: A is set in another way/],
    ['echo \\', /:2: A is set in another way/],
  ])('%j', (text, message) => {
    const refused = (): unknown => edit(text, 'A', 'secret')
    expect(refused).toThrow(MagnetarError)
    expect(refused).toThrow(message)
    expect(refused).not.toThrow(/secret/)
  })

  it.each([['A=B'], ['1A'], ['']])('%j is no name', (name) => {
    expect(() => edit('', name, 'x')).toThrow(/no name of a variable/)
  })

  it('values of several lines are not written', () => {
    expect(() => edit('', 'A', 'x\ny')).toThrow(/several lines/)
  })
})

const WRITTEN = [
  'x',
  '/a/b',
  "'a b'",
  '"a b"',
  '"a\\"b"',
  'a\\ b\'c d\'"e"',
  '"$HOME"',
  '$HOME/x',
  '~/x',
  "'~'",
  '"\\x"',
  '',
  '""',
  'a#b',
  "'#'",
  '{a',
  'é',
]

function makeScript(random: Random): { text: string; names: string[] } {
  const lines: string[] = []
  const names: string[] = []
  for (let count = random.below(8); count > 0; count--) {
    const name = `V${count}`
    const kind = random.below(6)
    if (kind < 3) {
      names.push(name)
      lines.push(
        `export ${name}=${random.pick(WRITTEN)}${random.chance(0.3) ? random.pick([' # c', '   ', ' # "']) : ''}`,
      )
    } else if (kind === 3) lines.push(random.pick(['', `#export ${name}=/path`, '# it is "so"', '  # x']))
    else if (kind === 4) lines.push('echo "two', 'lines\' $(true)"', ':')
    else lines.push('if true; then', `  OTHER${count}=1`, 'fi')
  }
  return { text: lines.join('\n') + (random.chance(0.8) && lines.length > 0 ? '\n' : ''), names }
}

/** The variables whose names begin with V, as bash has them after the script. */
async function runScripts(texts: readonly string[]): Promise<Map<string, string>[]> {
  const directory = await tempDirectory()
  await Promise.all(texts.map((text, index) => writeFile(join(directory, `${index}.sh`), text)))
  const script = `cd "$1"; for (( i = 0; i < $2; i++ )); do ( . ./$i.sh >/dev/null 2>&1; env -0 ); printf '\\1\\0'; done`
  const { output, exitCode } = await runCommand('env', [
    '-i',
    'HOME=/h',
    'PATH=/usr/bin:/bin',
    'bash',
    '-c',
    script,
    'bash',
    directory,
    String(texts.length),
  ])
  expect(exitCode).toBe(0)
  return output
    .split('\x01\0')
    .slice(0, -1)
    .map(
      (block) =>
        new Map(
          block
            .split('\0')
            .filter((entry) => entry.startsWith('V'))
            .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
        ),
    )
}

describe('editing made-up scripts', () => {
  const VALUES = HARD_TEXTS.filter((text) => !/[\0\n\r]/.test(text))

  it('gives bash the wanted value, and every other variable as before', async () => {
    const random = createRandom(20_171)
    const cases = Array.from({ length: 150 }, () => {
      const { text, names } = makeScript(random)
      const name = random.pick([...names, 'V99'])
      const value = random.pick(VALUES)
      return { text, name, value, after: edit(text, name, value) }
    })
    const before = await runScripts(cases.map(({ text }) => text))
    const after = await runScripts(cases.map((each) => each.after))
    for (const [index, { name, value, text, after: edited }] of cases.entries()) {
      const wanted = new Map([...(before[index] ?? []), [name, value]])
      expect(after[index], `${text}\n---\n${edited}`).toEqual(wanted)
    }
  })

  it('reads what bash reads, where nothing expands', async () => {
    const random = createRandom(20_172)
    const scripts = Array.from({ length: 100 }, () => makeScript(random))
    const values = await runScripts(scripts.map(({ text }) => text))
    let literal = 0
    for (const [index, { text, names }] of scripts.entries()) {
      for (const name of names) {
        const line = text.split('\n').find((each) => each.startsWith(`export ${name}=`)) ?? ''
        if (/[$~{]/.test(line)) continue
        literal += 1
        expect(readExport(text, name), text).toBe(values[index]?.get(name))
      }
    }
    expect(literal).toBeGreaterThan(50)
  })

  it('touches no other line, and taking a new variable away gives back the bytes', () => {
    const random = createRandom(20_173)
    for (let round = 0; round < 2000; round++) {
      const { text, names } = makeScript(random)
      const value = random.pick(VALUES)
      const added = edit(text, 'NEW', value)
      expect(edit(added, 'NEW', undefined), text).toBe(text)
      expect(edit(added, 'NEW', value)).toBe(added)
      const name = names[0]
      if (name === undefined) continue
      const changed = edit(text, name, value).split('\n')
      const lines = text.split('\n')
      expect(changed.filter((line, at) => line !== lines[at]).length, text).toBeLessThanOrEqual(1)
      expect(changed).toHaveLength(lines.length)
      expect(readExport(changed.join('\n'), name)).toBe(value)
    }
  })
})
