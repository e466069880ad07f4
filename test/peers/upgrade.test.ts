import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CommandResult } from '../../src/lib/exec.js'
import { needs } from '../helpers/needs.js'
import { waitFor } from '../helpers/wait-for.js'
import { type BareHost, startBareHost } from './bare-host.js'
import { missingForPrivateRoot } from './private-root.js'
import { missingSupervisor } from './private-supervisor.js'

// One node on one machine, as an admin has it: set up with Supervisor, upgraded, upgraded to a broken release, rolled back.

const missing = missingForPrivateRoot() ?? (await missingSupervisor())
const checkout = resolve('bin', 'magnetar.js')
let host: BareHost

function run(...argv: string[]): Promise<CommandResult> {
  return host.root.run(argv, { timeoutMs: 120_000 })
}

async function said(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...argv)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.trim()
}

/** The release whose files the server that Supervisor runs has open. */
async function runningRelease(): Promise<string> {
  const pid = await said('supervisorctl', 'pid', 'pulsar')
  const maps = await said('sh', '-c', `grep -o 'releases/[^/]*' /proc/${pid}/maps | sort -u`)
  return maps.replace('releases/', '')
}

/** A package like the one that runs, of another version, with a line added to what every server loads. */
async function writePackage(directory: string, version: string, line = ''): Promise<void> {
  const script = `cp -rL /srv/pulsar/lib/current "$1" && rm "$1/release.json" "$1/node" &&
    sed -i 's/"version": "[^"]*"/"version": "'"$2"'"/' "$1/package.json" && echo "$3" >>"$1/dist/bundle/classic.js"`
  await said('sh', '-c', script, 'sh', directory, version, line)
}

describe('a node under Supervisor', needs(missing), () => {
  beforeAll(async () => {
    host = await startBareHost({ slurm: false, supervisor: true })
    const flags = ['--yes', '--manager', 'local', '--no-conda', '--node', process.execPath]
    const { code, stdout, stderr } = await run(process.execPath, checkout, 'setup', ...flags)
    expect({ code, stdout, stderr }).toMatchObject({ code: 0 })
  })
  afterAll(() => host?.stop())

  it('is upgraded from a package, restarted, proved by a job, and keeps its runtime', async () => {
    const before = await runningRelease()
    await writePackage('/opt/next', '8.0.0')
    const stdout = await said('/srv/pulsar/bin/magnetar', 'upgrade', '--to', '/opt/next', '--yes')
    expect(stdout).toContain(`Release ${before} → 8.0.0`)
    expect(stdout).toMatch(/a job ran through it: submitted → .*complete/)
    expect(await runningRelease()).toBe('8.0.0')
    expect(await said('/srv/pulsar/bin/magnetar', '--version')).toBe('8.0.0')
    expect(await said('stat', '-c', '%U', '/srv/pulsar/lib/releases/8.0.0/bin/pulsar.js')).toBe('pulsar')
    // What setup did is still as it left it.
    const check = await run(
      '/srv/pulsar/bin/magnetar',
      'setup',
      '--check',
      '--yes',
      '--manager',
      'local',
      '--no-conda',
    )
    expect(check).toMatchObject({ code: 0 })
  })

  it('is not left on a release that does not start', async () => {
    await writePackage('/opt/broken', '9.0.0', "throw new Error('this build is broken')")
    const { code, stdout, stderr } = await run(
      '/srv/pulsar/bin/magnetar',
      'upgrade',
      '--to',
      '/opt/broken',
      '--yes',
    )
    expect(code).toBe(5)
    expect(stdout).toContain('the release before is back')
    expect(stderr).toContain('this build is broken')
    expect(stderr).toContain('Release 8.0.0 is the one that runs again')
    expect(await runningRelease()).toBe('8.0.0')
    await waitFor(async () => /RUNNING/.test(await said('supervisorctl', 'status', 'pulsar')), {
      what: 'RUNNING',
    })
  })

  it('goes back to the release before', async () => {
    const { code, stdout } = await run('/srv/pulsar/bin/magnetar', 'rollback', '--yes', '--json')
    expect(code).toBe(0)
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(events.at(-1)).toMatchObject({
      event: 'result',
      result: 'moved',
      from: '8.0.0',
      job: { ran: true },
    })
    expect(await runningRelease()).toBe(String(events.at(-1)?.to))
  })

  it('stays stopped when it is stopped', async () => {
    await said('supervisorctl', 'stop', 'pulsar')
    const stdout = await said('/srv/pulsar/bin/magnetar', 'rollback', '--yes')
    expect(stdout).toContain('pulsar is stopped, and stays so')
    expect((await run('supervisorctl', 'status', 'pulsar')).stdout).toContain('STOPPED')
    expect(await said('/srv/pulsar/bin/magnetar', '--version')).toBe('8.0.0')
  })
})
