import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runCommand } from '../../src/lib/exec.js'
import { FIELD_SEPARATOR } from '../../src/schedulers/slurm/command.js'
import { nodeDirectory, runSetup } from '../cli/setup/setup-process.js'
import { freePort } from '../helpers/free-port.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { findTmux, openTerminal, type Terminal } from './terminal.js'

const isRoot = userInfo().uid === 0
const WIDTHS = [80, 60] as const

interface Wizard {
  readonly terminal: Terminal
  readonly directory: string
  readonly prefix: string
  readonly port: number
}

const NO_SLURM = { sinfo: 'echo down >&2; exit 1', scontrol: 'exit 1' }
/** One with two partitions. */
const SLURM = {
  sinfo: `case "$*" in *--version*) echo slurm 22.05.8 ;; *) printf '${['debug*', 'up', '1'].join(FIELD_SEPARATOR)}\\n${['big', 'up', '20'].join(FIELD_SEPARATOR)}\\n' ;; esac`,
  scontrol: 'echo "Slurmctld(primary) at here is UP"',
}

/** `magnetar setup` in a terminal, on a machine with these programs; with flags for what would touch this one. */
async function openWizard(
  columns: number,
  words: readonly string[] = ['--node', process.execPath],
  programs: Readonly<Record<string, string>> = {},
): Promise<Wizard> {
  const directory = await nodeDirectory()
  const tools = join(directory, 'tools')
  mkdirSync(tools)
  for (const [name, script] of Object.entries({ ...NO_SLURM, ...programs }))
    writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const port = await freePort()
  const command = [process.execPath, resolve('bin/magnetar.js'), 'setup', ...words]
  const env = {
    PATH: `${tools}:${process.env.PATH}`,
    HOME: directory,
    MAGNETAR_SETUP_SUPERVISOR_CONF: '/nonexistent/supervisord.conf',
  }
  const terminal = await openTerminal([...command, '--port', String(port)], { columns, env, cwd: directory })
  return { terminal, directory, prefix: join(directory, 'node'), port }
}

/** Answers the question with that text, by these keys before Enter. */
async function answer({ terminal }: Wizard, question: string, text = '', ...keys: string[]): Promise<void> {
  // Not its name in a line of what was answered before.
  await terminal.see(`? ${question}`)
  if (text !== '') await terminal.type(text)
  await terminal.press(...keys, 'Enter')
  await terminal.see(`✔ ${question}`)
}

async function answerPlace(wizard: Wizard): Promise<void> {
  await answer(wizard, 'Where should the node live?', wizard.prefix)
  if (isRoot) await answer(wizard, 'Run it as which user?', 'nobody')
}

async function answerEnd(wizard: Wizard): Promise<void> {
  await answer(wizard, 'Resolve tool dependencies with Conda?', '3')
  if (isRoot) await answer(wizard, 'Keep it running with', '3')
}

/** No question is left half drawn above the one that is asked, and nothing is wider than the terminal. */
function expectCleanScreen(screen: string, columns: number): void {
  for (const line of screen.split('\n')) expect(line.length, line).toBeLessThanOrEqual(columns)
  const questions = screen.split('\n').filter((line) => line.startsWith('? '))
  expect(questions.length, screen).toBeLessThanOrEqual(1)
}

describe.each(WIDTHS)('the wizard in a terminal of %i columns', (columns) => {
  const when = needs(findTmux().missing)

  it('asks, takes defaults, shows and saves the plan, applies it and runs a job', when, async () => {
    const wizard = await openWizard(columns)
    const { terminal, prefix, directory } = wizard
    expectCleanScreen(await terminal.see(/^Looked around: (?:.|\n)*Where should the node live\?/), columns)
    await answerPlace(wizard)
    await answer(wizard, 'How should jobs run?')
    expectCleanScreen(await terminal.see('How many jobs at once?'), columns)
    await answer(wizard, 'How many jobs at once?', '3')
    await answer(wizard, 'Who may send jobs?')
    await answerEnd(wizard)
    const menu = await terminal.see(/\[d\]iff(?:.|\n)*\[b\]ack/)
    expect(menu).toContain('? Plan: 12 directories · ')
    expect(existsSync(prefix)).toBe(false)
    // Enter does nothing here, and ? tells what the keys do.
    await terminal.press('Enter')
    await terminal.see('Press one of d, a, s, q, b, ?')
    await terminal.type('?')
    await terminal.see('what fails is undone')
    await terminal.type('d')
    await terminal.see(`+staging_directory: ${prefix}/var/jobs`.slice(0, columns))
    expect(await terminal.see('private_token: (hidden)')).not.toMatch(/private_token: [^(]/)
    await terminal.type('s')
    await answer(wizard, 'Save to which file?')
    const saved = await terminal.see('setup --answers node.yml')
    expect(saved).toContain('Saved.')
    expect(statSync(join(directory, 'node.yml')).mode & 0o777).toBe(0o600)
    await terminal.type('a')
    const end = await terminal.see('Next, on the Galaxy server:')
    expect(end.replace(/\n\s*/g, ' ')).toMatch(
      /✔ A job ran through it: submitted → .*complete in \d+\.\d s, on node /,
    )
    expect(end).toMatch(/^✔ directories {2}\d+\.\d s$/m)
    expect(await terminal.exitCode()).toBe(0)
    expect(readFileSync(join(prefix, 'etc/app.yml'), 'utf8')).toMatch(/num_concurrent_jobs: 3/)
    // What was saved is the same plan: now there is nothing left of it.
    const env = { PATH: `${join(directory, 'tools')}:${process.env.PATH}` }
    const again = await runSetup(['--check', '--answers', join(directory, 'node.yml')], { env })
    expect([again.exitCode, again.stderr]).toEqual([0, ''])
  })

  it('explains with ?, goes back with < and the left arrow, and keeps what was answered', when, async () => {
    const wizard = await openWizard(columns)
    const { terminal, directory } = wizard
    await terminal.see('Where should the node live?')
    await terminal.type('?')
    await terminal.press('Enter')
    await terminal.see('Everything but the service file')
    await terminal.type('<')
    await terminal.press('Enter')
    await terminal.see('This is the first question.')
    await terminal.type('/usr')
    await terminal.press('Enter')
    expectCleanScreen(await terminal.see('expected a directory of its own'), columns)
    // What was wrong stays in the line, to be corrected.
    await terminal.press('C-u')
    await answerPlace(wizard)
    await terminal.see('How should jobs run?')
    await terminal.type('?')
    expectCleanScreen(await terminal.see('Slurm spreads jobs'), columns)
    // Nothing that cannot be chosen is reached; Escape does nothing.
    await terminal.press('Escape', 'Up', 'Up', 'Down')
    await answer(wizard, 'How should jobs run?')
    await answer(wizard, 'How many jobs at once?', '5')
    await terminal.see('Who may send jobs?')
    await terminal.press('Left')
    await terminal.see('How many jobs at once? (5)')
    await terminal.see('Enter: your answer')
    await terminal.type('<')
    await terminal.press('Enter')
    await terminal.see('← How many jobs at once?')
    await terminal.press('Enter')
    await terminal.see('Enter: your answer')
    await terminal.press('Enter')
    await terminal.see('✔ How many jobs at once? 5')
    await answer(wizard, 'Who may send jobs?')
    await answerEnd(wizard)
    await terminal.see('[q]uit')
    await terminal.type('b')
    await terminal.see(/\? (Resolve tool|Keep it running)[^✔]*❯ (no$|nothing)/m)
    await terminal.press('Enter')
    await terminal.see(/\? Plan: [^✔]*\[q\]uit/)
    await terminal.type('q')
    await terminal.see('Nothing was changed.')
    expect(await terminal.exitCode()).toBe(0)
    expect(readdirSync(directory)).toEqual(['tools'])
  })

  it('asks for TLS and token when other hosts may send jobs', when, async () => {
    const wizard = await openWizard(columns)
    const { terminal, directory, prefix } = wizard
    const cert = await makeCertificate(directory)
    writeFileSync(join(directory, 'token'), 'the-token-of-galaxy\n', { mode: 0o600 })
    await answerPlace(wizard)
    await answer(wizard, 'How should jobs run?')
    await answer(wizard, 'How many jobs at once?')
    await answer(wizard, 'Who may send jobs?', '', 'Down')
    await answer(wizard, 'Listen on which address?', '127.0.0.1')
    await answer(wizard, 'How are token and data kept')
    await terminal.see('Certificate, with its chain?')
    await terminal.type('none.pem')
    await terminal.press('Enter')
    await terminal.see('there is no such file')
    await terminal.press('C-u')
    await terminal.type('token')
    await terminal.press('Enter')
    await terminal.see('holds no certificate')
    await terminal.press('C-u')
    await terminal.type(cert)
    await terminal.press('Enter')
    await terminal.see('found beside the certificate')
    await terminal.type('token')
    await terminal.press('Enter')
    await terminal.see('holds no private key')
    await terminal.press('C-u')
    await terminal.press('Enter')
    await answer(wizard, 'Which token has Galaxy to send?', '', 'Down')
    await answer(wizard, 'File with the token?', 'token')
    await answerEnd(wizard)
    await terminal.see('[q]uit')
    await terminal.type('a')
    await terminal.see(/url: https:/)
    expect(await terminal.exitCode()).toBe(0)
    expect(await terminal.screen()).not.toContain('the-token-of-galaxy')
    expect(readFileSync(join(prefix, 'etc/app.yml'), 'utf8')).toContain('private_token: the-token-of-galaxy')
    expect(existsSync(join(prefix, 'etc/server.pem'))).toBe(true)
  })

  it('proposes Slurm where it answers, and asks for a partition where it has several', when, async () => {
    const wizard = await openWizard(columns, undefined, SLURM)
    const { terminal, prefix, port } = wizard
    await answerPlace(wizard)
    expectCleanScreen(
      await terminal.see('❯ Slurm (sinfo answers: partitions debug (1 node), big (20 nodes))'),
      columns,
    )
    await answer(wizard, 'How should jobs run?')
    await terminal.see("debug (1 node, Slurm's default)")
    await answer(wizard, 'In which partition?', '3')
    // Another manager takes the partition back.
    await terminal.see('Who may send jobs?')
    await terminal.press('Left')
    await terminal.see(/❯ big/)
    await terminal.press('Left')
    await terminal.see(/\? How should jobs run\?\n❯ Slurm/)
    await answer(wizard, 'How should jobs run?', '', 'Down')
    await answer(wizard, 'How many jobs at once?')
    await terminal.see('Who may send jobs?')
    await terminal.press('Left')
    await terminal.see('How many jobs at once? (*)')
    await terminal.type('<')
    await terminal.press('Enter')
    await terminal.see(/❯ on this machine/)
    await answer(wizard, 'How should jobs run?', '1')
    await terminal.see(/\? In which partition\?/)
    await terminal.type('3')
    await terminal.see(/❯ big/)
    await terminal.press('Enter')
    await answer(wizard, 'Who may send jobs?')
    await answerEnd(wizard)
    await terminal.see('[q]uit')
    await terminal.type('d')
    await terminal.see('+  job_partition: big')
    expect(await terminal.see(`http = localhost:${port}`)).not.toContain('num_concurrent_jobs: "*"')
    await terminal.type('q')
    await terminal.see('Nothing was changed.')
    expect(existsSync(prefix)).toBe(false)
  })

  it('asks for a port only when the one it would take is in use', when, async () => {
    const server = createServer()
    onTestFinished(() => void server.close())
    await new Promise<void>((done) => {
      // Taken already: just as well.
      server.once('error', () => done())
      server.listen(8913, '127.0.0.1', done)
    })
    const wizard = await openWizardWithoutPort(columns)
    const { terminal } = wizard
    await answerPlace(wizard)
    await answer(wizard, 'How should jobs run?')
    await answer(wizard, 'How many jobs at once?')
    await answer(wizard, 'Who may send jobs?')
    await terminal.see('Listen on which port?')
    await terminal.see('8913 is in use')
    await terminal.type('8913')
    await terminal.press('Enter')
    expectCleanScreen(await terminal.see('in use by another program'), columns)
    await terminal.press('C-c')
    await terminal.see('Interrupted. Nothing was changed.')
    expect(await terminal.exitCode()).toBe(130)
  })

  it('Ctrl-C and Ctrl-D before apply change nothing', when, async () => {
    for (const key of ['C-c', 'C-d']) {
      const wizard = await openWizard(columns)
      const { terminal, directory } = wizard
      await answer(wizard, 'Where should the node live?', wizard.prefix)
      await terminal.see(isRoot ? 'Run it as which user?' : 'How should jobs run?')
      await terminal.press(key)
      await terminal.see('Interrupted. Nothing was changed.')
      expect(await terminal.exitCode()).toBe(130)
      expect(readdirSync(directory)).toEqual(['tools'])
    }
  })

  it('Ctrl-C during apply says what was done, how to go on and how to undo', when, async () => {
    // A registry that never sends: the fetch of the runtime is what is cut off.
    const directory = await tempDirectory()
    chmodSync(directory, 0o777)
    const fetching = join(directory, 'fetching')
    const npm = `for word; do if [ "$word" = view ]; then echo "$2" | sed "s/.*@//"; exit; fi; done; : > '${fetching}'; exec sleep 600`
    const wizard = await openWizard(columns, [], { npm })
    const { terminal, prefix } = wizard
    await answerPlace(wizard)
    await answer(wizard, 'How should jobs run?')
    await answer(wizard, 'How many jobs at once?')
    await answer(wizard, 'Who may send jobs?')
    await answerEnd(wizard)
    await terminal.see('[q]uit')
    await terminal.type('a')
    await waitFor(() => existsSync(fetching), { what: 'fetch of the runtime', timeoutMs: 60_000 })
    await terminal.see(/fetch Node\.js/)
    await terminal.press('C-c')
    const end = await terminal.see('Undo with')
    expect(end).toMatch(/Interrupted\. Done: 12 of \d+ changes; nothing was undone\./)
    expect(end.replace(/\n/g, '')).toMatch(/✖ fetch Node\.js .* \(cut off: not done\)/)
    expect(end.replace(/\n/g, '')).toMatch(/Go on with +\S+magnetar\.js setup .*--prefix .*\/node.*--yes/)
    expect(end.replace(/\n/g, '')).toMatch(/Undo with +\S+magnetar\.js uninstall --prefix ?\/\S*\/node/)
    expect(await terminal.exitCode()).toBe(130)
    expect(existsSync(join(prefix, 'var/jobs'))).toBe(true)
    // And that is how it goes on: with a registry that sends nothing, from the Node that is there.
    const user = isRoot ? ['--user', 'nobody'] : []
    const words = ['--yes', '--prefix', prefix, '--manager', 'local', '--no-conda', '--no-service', ...user]
    const more = ['--node', process.execPath, '--port', String(wizard.port)]
    expect((await runSetup([...words, ...more])).exitCode).toBe(0)
  })
})

it('keys typed while the plan is worked out do not answer the menu', needs(findTmux().missing), async () => {
  const wizard = await openWizard(80, [], { npm: 'sleep 2; exit 1' })
  const { terminal, prefix } = wizard
  await answerPlace(wizard)
  await answer(wizard, 'How should jobs run?')
  await answer(wizard, 'How many jobs at once?')
  await answer(wizard, 'Who may send jobs?')
  await answerEnd(wizard)
  await terminal.see('Working out the plan')
  await terminal.type('aaa')
  await terminal.see('[q]uit')
  await terminal.type('q')
  await terminal.see('Nothing was changed.')
  expect(existsSync(prefix)).toBe(false)
})

it(
  'without colours it is the same wizard, and the run is told in lines',
  needs(findTmux().missing),
  async () => {
    const directory = await nodeDirectory()
    const user = isRoot ? ['--user', 'nobody'] : []
    const prefix = join(directory, 'node')
    const words = [
      '--prefix',
      prefix,
      '--manager',
      'local',
      '--concurrent-jobs',
      '1',
      '--no-conda',
      '--no-service',
    ]
    const port = ['--port', String(await freePort()), '--host', 'localhost', '--node', process.execPath]
    const command = [process.execPath, resolve('bin/magnetar.js'), 'setup', ...words, ...user, ...port]
    const terminal = await openTerminal(command, { columns: 80, env: { NO_COLOR: '1' }, cwd: directory })
    await terminal.see('[q]uit')
    await terminal.type('a')
    expect(await terminal.see('Next, on the Galaxy server:')).toMatch(/^✔ directories {2}\d/m)
    expect(await terminal.exitCode()).toBe(0)
  },
)

/** As openWizard, with the usual port. */
async function openWizardWithoutPort(columns: number): Promise<Wizard> {
  const directory = await nodeDirectory()
  const command = [process.execPath, resolve('bin/magnetar.js'), 'setup', '--node', process.execPath]
  const tools = join(directory, 'tools')
  mkdirSync(tools)
  writeFileSync(join(tools, 'sinfo'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  const env = { PATH: `${tools}:${process.env.PATH}`, HOME: directory }
  const terminal = await openTerminal(command, { columns, env, cwd: directory })
  return { terminal, directory, prefix: join(directory, 'node'), port: 8913 }
}

/** cert.pem and key.pem; the name of the first. */
async function makeCertificate(directory: string): Promise<string> {
  const files = ['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem')]
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const args = ['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-days', '2', ...names, ...files]
  const made = await runCommand('openssl', args, { timeoutMs: 30_000 })
  await waitFor(() => existsSync(join(directory, 'cert.pem')), { what: `certificate: ${made.stderr}` })
  chmodSync(join(directory, 'key.pem'), 0o600)
  return 'cert.pem'
}
