import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eventsOf, harmless, nodeDirectory, runSetup } from './setup-process.js'

/** Several runs of setup, each with a copy of Node. */
const LONG = { timeout: 90_000 }
const TOKEN = 'a-token-that-must-never-be-seen-0123456789'

describe('magnetar setup without a terminal', () => {
  it('sets a node up, says what was changed, and has nothing to do the second time', LONG, async () => {
    const directory = await nodeDirectory()
    const flags = await harmless(directory)
    const first = await runSetup(['--yes', ...flags])
    expect(first).toMatchObject({ exitCode: 0, stderr: '' })
    expect(first.stdout).toMatch(/^Looked around: .*\n/)
    expect(first.stdout).toMatch(/✔ A job ran through it: submitted → .*complete in \d+\.\d s, on node /)
    expect(first.stdout).toMatch(/✔ Set up in .*\/node: \d+ changes in /)
    expect(first.stdout).toContain('Next, on the Galaxy server:')
    const second = await runSetup(['--yes', '--prefix', join(directory, 'node')])
    expect(second).toMatchObject({ exitCode: 0, stderr: '' })
    expect(second.stdout).toMatch(/✔ Nothing to do: .*\/node is as wanted\.\n$/)
    expect(await runSetup(['--check', '--prefix', join(directory, 'node')])).toMatchObject({ exitCode: 0 })
    const other = await runSetup(['--check', '--prefix', join(directory, 'node'), '--port', '1025'])
    expect(other).toMatchObject({ exitCode: 3 })
    expect(other.stdout).toMatch(/server\.ini/)
  })

  it(
    'tells programs each change and the job as JSON lines, with nothing else on standard output and no token',
    LONG,
    async () => {
      const directory = await nodeDirectory()
      const file = join(directory, 'token')
      writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 })
      const flags = await harmless(directory)
      const run = await runSetup(['--yes', '--json', '--token-file', file, ...flags])
      expect(run.exitCode).toBe(0)
      const events = eventsOf(run)
      const names = [...new Set(events.map(({ event }) => event))]
      expect(names).toEqual([
        'facts',
        'answers',
        'plan',
        'change',
        'applied',
        'verifying',
        'status',
        'result',
      ])
      const plan = events.find(({ event }) => event === 'plan') as unknown as { changes: { title: string }[] }
      const done = events.filter(({ event, state }) => event === 'change' && state === 'done')
      expect(done.map(({ title }) => title)).toEqual(plan.changes.map(({ title }) => title))
      expect(events.at(-1)).toMatchObject({ event: 'result', result: 'changed', exitCode: 0 })
      expect(run.stdout + run.stderr).not.toContain(TOKEN)
      expect(readFileSync(join(directory, 'node/etc/app.yml'), 'utf8')).toContain(TOKEN)
      expect(statSync(join(directory, 'node/etc/app.yml')).mode & 0o777).toBe(0o600)
      expect(readFileSync(join(directory, 'node/lib/setup.json'), 'utf8')).not.toContain(TOKEN)
      const again = eventsOf(await runSetup(['--yes', '--json', '--prefix', join(directory, 'node')]))
      expect(again.at(-1)).toMatchObject({ result: 'nothing to do', exitCode: 0 })
      expect(again.map(({ event }) => event)).not.toContain('change')
    },
  )

  it('takes a token from standard input, and consent from the environment', async () => {
    const directory = await nodeDirectory()
    const flags = await harmless(directory)
    const env = { MAGNETAR_SETUP_YES: 'yes' }
    const run = await runSetup(['--no-verify', '--token-stdin', ...flags], { input: `${TOKEN}\n`, env })
    expect(run.exitCode).toBe(0)
    expect(run.stdout + run.stderr).not.toContain(TOKEN)
    expect(readFileSync(join(directory, 'node/etc/app.yml'), 'utf8')).toContain(TOKEN)
  })

  it.each([
    ['--plan'],
    ['--diff'],
    ['--check'],
  ])('%s changes nothing and shows no secret', async (preview) => {
    const directory = await nodeDirectory()
    const flags = await harmless(directory)
    const token = ['--token-file', '-']
    const run = await runSetup([preview, ...flags, ...token], { input: TOKEN })
    expect(run.exitCode).toBe(preview === '--check' ? 3 : 0)
    expect(run.stdout).toContain('app.yml')
    if (preview === '--diff') expect(run.stdout).toMatch(/^\+private_token: .*hidden/m)
    expect(run.stdout + run.stderr).not.toContain(TOKEN)
    expect(readdirSync(directory)).toEqual([])
  })

  it('does not take silence for consent', async () => {
    const directory = await nodeDirectory()
    const run = await runSetup(await harmless(directory))
    expect(run.exitCode).toBe(2)
    expect(run.stderr).toMatch(/--yes: there is no terminal to ask on/)
    expect(readdirSync(directory)).toEqual([])
  })

  it('takes only small regular files, and only ASCII for a token, before anything is changed', async () => {
    const directory = await nodeDirectory()
    execFileSync('mkfifo', [join(directory, 'pipe')])
    writeFileSync(join(directory, 'big.yml'), `# ${'x'.repeat(1024 * 1024)}\n`)
    writeFileSync(join(directory, 'token'), 'sécret-token\n')
    const prefix = join(directory, 'node')
    const refused = async (words: string[], input = ''): Promise<string> => {
      const run = await runSetup(['--plan', '--prefix', prefix, ...words], { cwd: directory, input })
      expect(run.exitCode).toBe(2)
      return run.stderr
    }
    expect(await refused(['--answers', 'pipe'])).toContain('pipe: it is not a regular file')
    expect(await refused(['--answers', 'big.yml'])).toContain('it has more than 1048576 bytes')
    expect(await refused(['--answers', '-'], '#'.repeat(1024 * 1025))).toContain(
      'input has more than 1048576',
    )
    const harmlessFlags = await harmless(directory)
    expect(await refused([...harmlessFlags, '--token-file', 'pipe'])).toContain('it is not a regular file')
    const told = await refused([...harmlessFlags, '--token-file', 'token'])
    expect(told).toContain('has characters other than ASCII')
    expect(told).not.toContain('cret')
    expect(existsSync(prefix)).toBe(false)
  })

  it('names all that is wrong or missing at once: flags, variables, answers file', async () => {
    const directory = await nodeDirectory()
    writeFileSync(join(directory, 'node.yml'), 'prefx: /x\nshell: ""\n')
    const words = ['--answers', 'node.yml', '--port', 'many', '--conda', '--no-conda', '--host', '0.0.0.0']
    const run = await runSetup(words, { cwd: directory, env: { MAGNETAR_SETUP_UIDD: '7' } })
    expect(run).toMatchObject({ exitCode: 2 })
    expect(run.stdout).not.toContain('Plan')
    for (const line of [
      '  --no-conda: contradicts --conda; give one of them',
      '  MAGNETAR_SETUP_UIDD: there is no such variable; is MAGNETAR_SETUP_UID meant?',
      '  node.yml:1: prefx: there is no such key; is prefix meant?',
      '  node.yml:2: shell: expected a program, found nothing',
      '  --port: expected a port number from 1 to 65535, found "many"',
      '  --tls-cert and --tls-key: other machines can reach 0.0.0.0',
    ])
      expect(run.stderr).toContain(line)
    expect(run.stderr).not.toMatch(/ {4}at /)
  })

  it('takes answers from standard input, and variables and flags go before them', async () => {
    const directory = await nodeDirectory()
    const answers = 'manager: local\nconcurrent_jobs: 3\nport: 3333\ndependencies: none\n'
    const words = ['--json', '--plan', '--answers', '-', '--prefix', join(directory, 'n'), '--no-service']
    const env = { MAGNETAR_SETUP_PORT: '4444', MAGNETAR_SETUP_CONCURRENT_JOBS: '' }
    const events = eventsOf(await runSetup(words, { input: answers, env }))
    const found = events.find(({ event }) => event === 'answers')
    expect(found).toMatchObject({
      answers: { manager: 'local', concurrentJobs: 3, port: 4444, dependencies: 'none' },
      sources: { manager: 'answers file', port: 'environment', prefix: 'flag', user: expect.any(String) },
    })
  })

  it('a port that another program uses is named before anything is changed', async () => {
    const directory = await nodeDirectory()
    const server = createServer()
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as { port: number }
    const flags = (await harmless(directory)).map((word, at, all) =>
      all[at - 1] === '--port' ? String(port) : word,
    )
    const run = await runSetup(['--yes', ...flags])
    server.close()
    expect(run.exitCode).toBe(2)
    expect(run.stderr).toMatch(new RegExp(`--port: port ${port} is in use by another program; \\d+ is free`))
    expect(readdirSync(directory)).toEqual([])
  })

  it(
    'what could never work is refused before anything is changed, and shown by every preview',
    LONG,
    async () => {
      const directory = await nodeDirectory()
      writeFileSync(join(directory, 'file'), '')
      const flags = (await harmless(directory)).map((word, at, all) =>
        all[at - 1] === '--prefix' ? join(directory, 'file/node') : word,
      )
      for (const [preview, exitCode] of [
        [['--plan'], 1],
        [['--diff'], 1],
        [['--check'], 3],
        [['--force'], 1],
      ] as const) {
        const run = await runSetup(['--yes', ...flags, ...preview])
        expect({ preview, exitCode: run.exitCode }).toEqual({ preview, exitCode })
        // The line is as long as the temporary directory's name wants it, so it may be wrapped.
        const said = (run.stdout + run.stderr).replace(/\s+/g, ' ')
        expect(said).toContain(`${join(directory, 'file')} is no directory`)
        expect(run.stderr).not.toContain('--force')
      }
      expect(readdirSync(directory)).toEqual(['file'])
    },
  )

  it(
    'what was edited by hand is left alone: kept silently, or told with exit code 3 when something else is asked for',
    LONG,
    async () => {
      const directory = await nodeDirectory()
      const flags = await harmless(directory)
      await runSetup(['--yes', '--no-verify', ...flags])
      const ini = join(directory, 'node/etc/server.ini')
      const before = readFileSync(ini, 'utf8')
      const edited = before.replace(/^port\s*=.*$/m, 'port = 1026')
      writeFileSync(ini, edited)
      const kept = await runSetup(['--yes', '--prefix', join(directory, 'node')])
      expect(kept).toMatchObject({ exitCode: 0 })
      expect(kept.stdout).toMatch(/kept: port = 1026/)
      const asked = await runSetup(['--yes', '--quiet', '--no-verify', ...flags])
      expect(asked).toMatchObject({ exitCode: 3, stdout: '' })
      expect(asked.stderr).toMatch(/port = 1026, edited by hand/)
      expect(readFileSync(ini, 'utf8')).toBe(edited)
      const forced = await runSetup(['--yes', '--no-verify', '--force', ...flags])
      expect(forced.exitCode).toBe(0)
      expect(readFileSync(ini, 'utf8')).toBe(before)
      expect(readFileSync(`${ini}.bak`, 'utf8')).toBe(edited)
    },
  )

  it('a job that did not go through is sent again by the next setup', LONG, async () => {
    const directory = await nodeDirectory()
    const flags = await harmless(directory)
    await runSetup(['--yes', '--no-verify', ...flags])
    const job = /A job ran through it/
    const prefix = ['--prefix', join(directory, 'node')]
    expect((await runSetup(['--yes', ...prefix])).stdout).not.toMatch(job)
    writeFileSync(join(directory, 'node/var/.magnetar-unproved'), '')
    expect((await runSetup(['--yes', ...prefix])).stdout).toMatch(job)
    expect(existsSync(join(directory, 'node/var/.magnetar-unproved'))).toBe(false)
    expect((await runSetup(['--yes', ...prefix])).stdout).not.toMatch(job)
    expect((await runSetup(['--yes', '--verify', ...prefix])).stdout).toMatch(job)
  })
})

describe('the help of magnetar setup', () => {
  it('begins with examples and has every flag, its default and the exit codes', async () => {
    const { stdout, exitCode } = await runSetup(['--help'])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^Examples:\n {2}magnetar setup /)
    const { SETUP_OPTIONS } = await import('../../../src/setup/answers/options/index.js')
    for (const { flag } of SETUP_OPTIONS.flatMap(({ flags }) => flags))
      expect(stdout).toMatch(new RegExp(`^  ${flag}( |$)`, 'm'))
    expect(stdout).toMatch(/Exit codes: 0 .* 130 interrupted/s)
  })

  it('a mistyped flag is answered with the right one, exit code 2', async () => {
    const run = await runSetup(['--manger', 'slurm'])
    expect(run).toMatchObject({ exitCode: 2, stdout: '' })
    expect(run.stderr).toMatch(/unknown option '--manger'\n\(Did you mean --manager\?\)/)
  })

  it('a token on the command line is not even an option', async () => {
    const run = await runSetup(['--token', 'x'])
    expect(run).toMatchObject({ exitCode: 2, stdout: '' })
  })
})
