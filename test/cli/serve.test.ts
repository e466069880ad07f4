import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.js'
import { expectNothingLost } from '../helpers/kill-restart.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { runCommand } from '../helpers/run-command.js'
import { startServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'
import { writeNodeConfig } from '../peers/pulsar-config.js'

const launcher = (name: string): string => path.resolve('bin', `${name}.js`)
const serve = (directory: string, ...more: string[]) =>
  runCommand(process.execPath, [launcher('magnetar'), 'serve', '--config', directory, ...more], {
    timeoutMs: 15_000,
  })

describe('magnetar serve', () => {
  it('runs a job, stops on SIGTERM with exit code 0, leaves the job running and the port free', async () => {
    const directory = await tempDirectory()
    const server = await startMagnetar({ directory })
    const client = createPulsarClient(server.url)
    const job = await client.setup('j')
    const go = path.join(directory, 'go')
    await client.submit(
      'j',
      `until [ -e '${go}' ]; do sleep 0.05; done; echo done > '${job.outputs_directory}/out'`,
    )
    await waitFor(async () => (await client.status('j')).status === 'running', { what: 'running job' })
    expect(await server.stop()).toBe(0)
    await expect(fetch(`${server.url}healthz`)).rejects.toThrow()
    writeFileSync(go, '')
    await waitFor(() => existsSync(path.join(String(job.outputs_directory), 'out')), {
      what: 'output of the job',
    })
    const again = await startMagnetar({ directory })
    expect(await createPulsarClient(again.url).untilDone('j')).toMatchObject({
      status: 'complete',
      returncode: 0,
    })
  })

  it('hands none of its open files on to a job', async () => {
    const server = await startMagnetar({ directory: await tempDirectory() })
    const client = createPulsarClient(server.url)
    const job = await client.setup('j')
    const file = path.join(String(job.outputs_directory), 'open')
    await client.submit('j', `for fd in /proc/$$/fd/*; do readlink "$fd" || true; done > '${file}'`)
    expect(await client.untilDone('j')).toMatchObject({ returncode: 0 })
    const open = readFileSync(file, 'utf8')
    expect(open).toContain(String(job.working_directory).replace(/\/working$/, ''))
    expect(open).not.toContain('magnetar-store')
    expect(open).not.toContain('socket:')
  })

  it.each([
    ['transfer_ca_file', '/nowhere/ca.pem', 'transfer_ca_file /nowhere/ca.pem cannot be used'],
    ['transfer_hosts', 'https://galaxy.example.org/', 'in transfer_hosts is no host'],
  ])('does not start with a %s that no job could use', async (option, value, said) => {
    const directory = await tempDirectory()
    await writeNodeConfig({ directory, app: { [option]: value } }, await freePort())
    const { exitCode, output } = await serve(directory)
    expect(exitCode).toBe(78)
    expect(output).toContain(said)
  })

  it('loses no job and runs none twice when it is killed with jobs running and waiting', async () => {
    const directory = await tempDirectory()
    const app = { managers: { _default_: { type: 'queued_python', num_concurrent_jobs: 3 } } }
    await expectNothingLost(() => startMagnetar({ directory, app }), directory, 8)
  })

  it('cancels a running job with everything it started', async () => {
    const directory = await tempDirectory()
    const server = await startMagnetar({ directory })
    const client = createPulsarClient(server.url)
    await client.setup('c')
    await client.submit('c', 'sleep 300 & echo $! > child; wait')
    const child = path.join(directory, 'staging', 'c', 'working', 'child')
    const pid = Number(
      await waitFor(() => existsSync(child) && readFileSync(child, 'utf8').trim(), {
        what: 'child of the job',
      }),
    )
    await client.cancel('c')
    expect((await client.status('c')).status).toBe('cancelled')
    await waitFor(() => !existsSync(`/proc/${pid}`), { what: 'end of the child' })
  })

  it('refuses a wrong configuration with file, line and key, exit code 78, and makes nothing', async () => {
    const directory = await tempDirectory()
    const staging = path.join(directory, 'jobs')
    writeFileSync(
      path.join(directory, 'app.yml'),
      `staging_directory: ${staging}\npersistence_directory: ${directory}/p\nmaximum_stream_size: much\n`,
    )
    const { exitCode, output } = await serve(directory)
    expect(exitCode).toBe(78)
    expect(output).toMatch(/app\.yml:3: maximum_stream_size/)
    expect(output).not.toMatch(/ at .*\.js:/)
    expect(existsSync(staging)).toBe(false)
  })

  it.each([
    ['staging_directory', '/proc/nothing/x'],
    ['staging_directory', '/etc/passwd/x'],
    ['persistence_directory', '/etc/passwd'],
  ])('says which path is wrong: %s: %s', async (option, value) => {
    const directory = await tempDirectory()
    const paths = {
      staging_directory: `${directory}/s`,
      persistence_directory: `${directory}/p`,
      [option]: value,
    }
    writeFileSync(path.join(directory, 'app.yml'), JSON.stringify(paths))
    const { exitCode, output } = await serve(directory)
    expect(exitCode).toBe(1)
    expect(output).toContain(option)
    expect(output).toContain('DIRECTORY_UNUSABLE')
    expect(output).not.toMatch(/ at .*\.js:/)
    expect(existsSync(path.join(directory, 'p', 'magnetar-store'))).toBe(false)
  })

  it('says which log file cannot be written, without a stack trace', async () => {
    const directory = await tempDirectory()
    writeFileSync(path.join(directory, 'app.yml'), '')
    writeFileSync(path.join(directory, 'server.ini'), `[uwsgi]\nlogto = ${directory}/app.yml/log\n`)
    const { exitCode, output } = await serve(directory)
    expect(exitCode).toBe(78)
    expect(output).toContain('LOG_UNWRITABLE')
    expect(output).toContain(`${directory}/app.yml/log`)
    expect(output).not.toMatch(/ at .*\.js:/)
  })

  it('warns when no token is set', async () => {
    const directory = await tempDirectory()
    const server = await startMagnetar({ directory, app: { private_token: '' } })
    await server.stop()
    expect(server.logs()).toContain('no private_token is set')
  })

  it('refuses a directory that is not there, and command lines it does not understand', async () => {
    expect(await serve('/nonexistent/etc')).toMatchObject({ exitCode: 78 })
    expect(await serve('/', '--port', '70000')).toMatchObject({ exitCode: 2 })
    expect(await serve('/', '--prot', '1')).toMatchObject({ exitCode: 2 })
    const none = await runCommand(process.execPath, [launcher('magnetar'), 'sreve'])
    expect(none).toMatchObject({ exitCode: 2 })
    expect(none.output).toContain('Did you mean serve?')
  })

  it('says so when another server has the directory, or another program the port', async () => {
    const directory = await tempDirectory()
    const server = await startMagnetar({ directory })
    const locked = await serve(directory, '--port', '0')
    expect(locked).toMatchObject({ exitCode: 1 })
    expect(locked.output).toContain('STORE_LOCKED')
    const other = await tempDirectory()
    await writeNodeConfig({ directory: other }, Number(new URL(server.url).port))
    const taken = await serve(other)
    expect(taken).toMatchObject({ exitCode: 1 })
    expect(taken.output).toContain('ADDRESS_UNAVAILABLE')
  })

  it('never writes the token to its log', async () => {
    const directory = await tempDirectory()
    const server = await startMagnetar({ directory, app: { private_token: 'very-secret' } })
    await fetch(`${server.url}healthz?private_token=very-secret`)
    await fetch(`${server.url}jobs?job_id=..&private_token=very-secret`, { method: 'POST' })
    await server.stop()
    expect(server.logs()).toContain('ready')
    expect(server.logs()).not.toContain('very-secret')
  })

  it('serves HTTPS with the certificate of ssl_pem', async () => {
    const directory = await tempDirectory()
    const port = await freePort()
    await writeNodeConfig({ directory }, port)
    const pem = path.join(directory, 'host.pem')
    const made = await runCommand('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1', '-days', '2'],
      ...['-keyout', `${pem}.key`, '-out', `${pem}.crt`],
    ])
    expect(made.exitCode).toBe(0)
    writeFileSync(pem, readFileSync(`${pem}.crt`, 'utf8') + readFileSync(`${pem}.key`, 'utf8'))
    const ini = path.join(directory, 'server.ini')
    writeFileSync(ini, readFileSync(ini, 'utf8').replace('[app:main]', `ssl_pem = ${pem}\n[app:main]`))
    const server = await startServerProcess({
      command: process.execPath,
      args: [launcher('magnetar'), 'serve', '--config', directory],
      cwd: directory,
      url: `https://127.0.0.1:${port}/`,
      request: (url) =>
        runCommand('curl', ['-sk', '--max-time', '5', url]).then(({ exitCode }) => exitCode === 0),
    })
    const answer = await runCommand('curl', ['-sk', '--max-time', '5', `${server.url}healthz`])
    expect(JSON.parse(answer.output)).toEqual({ version: '0.16.0' })
  })
})

describe('the classic launchers', () => {
  it('pulsar --mode uwsgi sources local_env.sh and listens where [uwsgi] http says', async () => {
    const directory = await tempDirectory()
    const port = await freePort()
    await writeNodeConfig({ directory }, 1)
    const ini = path.join(directory, 'server.ini')
    writeFileSync(ini, `${readFileSync(ini, 'utf8')}[uwsgi]\nhttp = 127.0.0.1:${port}\n`)
    mkdirSync(path.join(directory, 'tools'))
    writeFileSync(path.join(directory, 'tools', 'mytool'), '#!/bin/sh\necho found it\n', { mode: 0o755 })
    writeFileSync(path.join(directory, 'local_env.sh'), `export PATH=${directory}/tools:$PATH\n`)
    const server = await startServerProcess({
      command: process.execPath,
      args: [launcher('pulsar'), '--mode', 'uwsgi', '--config', directory],
      cwd: '/',
      url: `http://127.0.0.1:${port}/`,
    })
    expect(server.logs()).toContain('Sourcing file')
    const client = createPulsarClient(server.url)
    await client.setup('p')
    await client.submit('p', 'mytool > ../metadata/tool_stdout')
    expect(await client.untilDone('p')).toMatchObject({ stdout: 'found it\n' })
  })

  it.each([
    ['pulsar-main', ['-c']],
    ['pulsar-serve', []],
  ])('%s starts the same server', async (name, args) => {
    const directory = await tempDirectory()
    const port = await freePort()
    await writeNodeConfig({ directory }, port)
    const target = name === 'pulsar-serve' ? path.join(directory, 'server.ini') : directory
    const server = await startServerProcess({
      command: process.execPath,
      args: [launcher(name), ...args, target],
      cwd: directory,
      url: `http://127.0.0.1:${port}/`,
    })
    const answer = await fetch(`${server.url}healthz`)
    expect(await answer.json()).toEqual({ version: '0.16.0' })
    expect(await server.stop()).toBe(0)
  })

  it('pulsar refuses an unknown mode and a failing local_env.sh', async () => {
    const directory = await tempDirectory()
    const mode = await runCommand(process.execPath, [launcher('pulsar'), '-m', 'apache', '-c', directory])
    expect(mode).toMatchObject({ exitCode: 1, output: 'Unknown mode passed to --mode argument.\n' })
    writeFileSync(path.join(directory, 'local_env.sh'), 'exit 3\n')
    // vitest has a MODE of its own.
    const failing = await runCommand(process.execPath, [launcher('pulsar'), '-c', directory], {
      env: { MODE: undefined },
    })
    expect(failing.exitCode).toBe(78)
  })
})
