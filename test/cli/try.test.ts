import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { tempDirectory } from '../helpers/temp-directory.js'

/** As README.md shows it; a short job may not be seen waiting. */
const SAID =
  /^✔ a node is set up in \.magnetar\/ \(nothing else was changed, no root needed\)\n✔ jobs run on this machine: .*\n✔ serving http:\/\/127\.0\.0\.1:\d+\/.*\n {2}a job: submitted → .*complete.*\n(?: {4}\| .*\n)+✔ a real job ran through it\n$/

/** What `npm start` does after the build, in a directory of its own and on a machine without Slurm. */
async function tryOut(root: string): Promise<{ exitCode: number | null; output: string }> {
  const tools = join(root, 'tools')
  mkdirSync(tools, { recursive: true })
  for (const name of ['sinfo', 'scontrol'])
    writeFileSync(join(tools, name), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  const bundle = pathToFileURL('dist/bundle/try.js').href
  const script = `const { tryOut } = await import('${bundle}'); process.exit(await tryOut(['--once'], '${root}'))`
  const env = { ...process.env, PATH: `${tools}:${process.env.PATH}`, NO_COLOR: '1' }
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const exitCode = await new Promise<number | null>((done) => child.once('close', done))
  return { exitCode, output }
}

it('npm start sets a node up by the steps of setup, runs a job, and keeps what was edited', {
  timeout: 60_000,
}, async () => {
  const root = await tempDirectory()
  const first = await tryOut(root)
  expect(first.output).toMatch(SAID)
  expect(first.exitCode).toBe(0)
  const node = join(root, '.magnetar')
  expect(readdirSync(node).sort()).toEqual(['bin', 'etc', 'lib', 'var'])
  const token = readFileSync(join(node, 'etc/token'), 'utf8').trim()
  expect(readFileSync(join(node, 'etc/app.yml'), 'utf8')).toContain(token)
  for (const name of ['app.yml', 'token']) expect(statSync(join(node, 'etc', name)).mode & 0o777).toBe(0o600)

  const edited = `${readFileSync(join(node, 'etc/app.yml'), 'utf8')}# by hand\nmaximum_stream_size: 4096\n`
  writeFileSync(join(node, 'etc/app.yml'), edited)
  const second = await tryOut(root)
  expect(second.output).toMatch(SAID)
  expect(second.exitCode).toBe(0)
  expect(readFileSync(join(node, 'etc/app.yml'), 'utf8')).toBe(edited)
})
