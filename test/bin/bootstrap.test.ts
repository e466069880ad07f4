import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type CommandResult, runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'

// A checkout in miniature, with an npm and a compiler that only note that they were called: the real ones are used by every
// `npm test` on a fresh clone.

const lock = {
  packages: {
    '': {},
    'node_modules/typescript': { version: '5.0.0', dev: true },
    'node_modules/yaml': { version: '2.0.0' },
    'node_modules/other-system': { version: '1.0.0', optional: true },
  },
}
const withoutOptional = Object.fromEntries(
  Object.entries(lock.packages).filter(([path]) => !path.includes('other')),
)

const fakeCompiler = `import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
appendFileSync('calls', 'tsc\\n')
const out = process.argv[process.argv.indexOf('--outDir') + 1]
if (process.env.FAKE_COMPILER === 'fails') { console.log('src/a.ts(1,1): error'); process.exit(2) }
mkdirSync(out, { recursive: true })
writeFileSync(out + '/a.js', '')
`

let checkout: string

beforeEach(async () => {
  checkout = await tempDirectory()
  await Promise.all(['bin', 'src', 'fake'].map((name) => mkdir(join(checkout, name))))
  await copyFile(join('bin', 'bootstrap.js'), join(checkout, 'bin', 'bootstrap.js'))
  await writeFile(join(checkout, 'bin', 'bundle.js'), '')
  await writeFile(join(checkout, 'src', 'a.ts'), '')
  await writeFile(
    join(checkout, 'package.json'),
    JSON.stringify({ type: 'module', engines: { node: '>=20.19.0' } }),
  )
  await writeFile(join(checkout, 'package-lock.json'), JSON.stringify(lock))
  await writeFakeNpm(`mkdir -p node_modules/typescript/bin
cat >node_modules/typescript/bin/tsc <<'TSC'
${fakeCompiler}
TSC
echo '{"type":"module"}' >node_modules/typescript/package.json
echo '${JSON.stringify({ packages: withoutOptional })}' >node_modules/.package-lock.json`)
})

async function writeFakeNpm(script: string): Promise<void> {
  const file = join(checkout, 'fake', 'npm')
  await writeFile(file, `#!/bin/sh\necho "npm $*" >>calls\n${script}\n`)
  await chmod(file, 0o755)
}

function ensureBuilt(dev: boolean, env: Record<string, string> = {}): Promise<CommandResult> {
  const script = `import('./bin/bootstrap.js').then((m) => m.ensureBuilt({ dev: ${dev} })).then(
    (done) => console.log(JSON.stringify(done)), (error) => { console.log('Error: ' + error.message); process.exitCode = 1 })`
  return runCommand(process.execPath, ['-e', script], {
    cwd: checkout,
    env: {
      PATH: `${join(checkout, 'fake')}${delimiter}${process.env.PATH}`,
      npm_execpath: undefined,
      ...env,
    },
  })
}

async function calls(): Promise<string> {
  return readFile(join(checkout, 'calls'), 'utf8').catch(() => '')
}

describe('ensureBuilt', () => {
  it('installs and compiles a fresh checkout, in two lines, then has nothing left to do', async () => {
    const first = await ensureBuilt(true)
    expect(first.output).toMatch(
      /^Installing packages \.\.\. done in \d+ s\nCompiling \.\.\. done in \d+ s\n\{"installed":true,"compiled":true\}\n$/,
    )
    expect(await calls()).toBe('npm ci --include=dev\ntsc\n')
    expect(existsSync(join(checkout, 'dist', 'a.js'))).toBe(true)
    expect(existsSync(join(checkout, '.build'))).toBe(false)

    const second = await ensureBuilt(true)
    expect(second.output).toBe('{"installed":false,"compiled":false}\n')
  })

  it('compiles again after a source was edited or removed, and leaves nothing of the old dist', async () => {
    await ensureBuilt(true)
    await writeFile(join(checkout, 'dist', 'stale.js'), '')
    const later = new Date(Date.now() + 60_000)
    await utimes(join(checkout, 'src', 'a.ts'), later, later)
    expect((await ensureBuilt(true)).output).toContain('{"installed":false,"compiled":true}')
    expect(existsSync(join(checkout, 'dist', 'stale.js'))).toBe(false)
    expect((await ensureBuilt(true)).output).toBe('{"installed":false,"compiled":false}\n')

    await rm(join(checkout, 'src', 'a.ts'))
    await utimes(join(checkout, 'src'), later, new Date(later.getTime() + 60_000))
    expect((await ensureBuilt(true)).output).toContain('"compiled":true')
  })

  it('installs again when the lock file asks for another version', async () => {
    await ensureBuilt(true)
    const packages = { ...lock.packages, 'node_modules/yaml': { version: '2.1.0' } }
    await writeFile(join(checkout, 'package-lock.json'), JSON.stringify({ packages }))
    expect((await ensureBuilt(true)).output).toContain('"installed":true')
  })

  it('does without the development packages when there is nothing to compile', async () => {
    await ensureBuilt(true)
    const packages = { 'node_modules/yaml': { version: '2.0.0' } }
    await writeFile(join(checkout, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }))
    expect((await ensureBuilt(false)).output).toBe('{"installed":false,"compiled":false}\n')
    expect((await ensureBuilt(true)).output).toContain('"installed":true')
  })

  it('lets one of several processes work', async () => {
    const all = await Promise.all([1, 2, 3].map(() => ensureBuilt(true)))
    expect(all.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0])
    expect(await calls()).toBe('npm ci --include=dev\ntsc\n')
  })

  it('takes over from a process that died', async () => {
    const dead = await runCommand(process.execPath, ['-p', 'process.pid'])
    await mkdir(join(checkout, '.build', 'lock'), { recursive: true })
    await writeFile(join(checkout, '.build', 'lock', 'pid'), dead.output.trim())
    expect((await ensureBuilt(true)).exitCode).toBe(0)
  })

  it('says that the registry cannot be reached, after what npm said', async () => {
    await writeFakeNpm('echo "npm error code ENOTFOUND"; exit 1')
    const { exitCode, output } = await ensureBuilt(true)
    expect(exitCode).toBe(1)
    expect(output).toMatch(/failed\nnpm error code ENOTFOUND/)
    expect(output).toMatch(/Error: npm could not reach the package registry \(ENOTFOUND\)/)
    expect(existsSync(join(checkout, '.build'))).toBe(false)
  })

  it('shows compile errors and keeps the old dist', async () => {
    await ensureBuilt(true)
    const later = new Date(Date.now() + 60_000)
    await utimes(join(checkout, 'src', 'a.ts'), later, later)
    const { exitCode, output } = await ensureBuilt(true, { FAKE_COMPILER: 'fails' })
    expect(exitCode).toBe(1)
    expect(output).toContain('src/a.ts(1,1): error')
    expect(existsSync(join(checkout, 'dist', 'a.js'))).toBe(true)
  })

  it('names the wanted version when Node is too old', async () => {
    await writeFile(
      join(checkout, 'package.json'),
      JSON.stringify({ type: 'module', engines: { node: '>=99.1.0' } }),
    )
    const { output } = await ensureBuilt(true)
    expect(output).toMatch(/^Error: Node.js [\d.]+ is too old: Magnetar needs 99.1.0 or newer/)
    expect(await calls()).toBe('')
  })

  it('does nothing in an installed package, which has no sources', async () => {
    await rm(join(checkout, 'src'), { recursive: true })
    expect((await ensureBuilt(true)).output).toBe('{"installed":false,"compiled":false}\n')
  })
})
