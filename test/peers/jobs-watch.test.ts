import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from './magnetar-server.js'
import { findTmux, openTerminal } from './terminal.js'

const JOBS = 200
const LAUNCHER = resolve('bin', 'magnetar.js')

describe('the commands of admins in a terminal of 80 columns', needs(findTmux().missing), () => {
  it('show a load of 200 jobs while it lasts, and leave the terminal as it was', async () => {
    const directory = await tempDirectory()
    const go = join(directory, 'go')
    const server = await startMagnetar({
      directory,
      app: { managers: { _default_: { type: 'queued_python', num_concurrent_jobs: 4 } } },
    })
    const client = createPulsarClient(server.url)
    const magnetar = (...words: string[]): string[] => [process.execPath, LAUNCHER, ...words, '-c', directory]
    const terminal = await openTerminal(
      [
        'sh',
        '-c',
        `trap : INT; echo before; ${magnetar('jobs', '--watch').join(' ')}; echo "left with $?"; ${magnetar('status').join(' ')}`,
      ],
      { columns: 80, cwd: directory },
    )
    const ids = Array.from({ length: JOBS }, (_, index) => `load-${index}`)
    const waits = `until [ -e '${go}' ]; do sleep 0.2; done`
    await Promise.all(
      ids.map(async (id, index) => {
        await client.setup(id)
        await client.submit(id, index % 10 === 0 ? waits : 'true')
      }),
    )
    const picture = await terminal.see(/^ID +TOOL +STATE +AGE/m)
    expect(picture).not.toContain('before')
    const loaded = await terminal.see(/[1-9]\d* running/)
    expect(Math.max(...loaded.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    writeFileSync(go, '')
    await terminal.see(`${JOBS} complete`)
    await terminal.press('C-c')
    // The commands that were shown before are back, and the next ones follow them.
    const after = await terminal.see('Failed none')
    expect(after).toMatch(/^before\nleft with 0\nNode +running/m)
    expect(after).toMatch(/^Jobs +200 complete$/m)
    expect(after).not.toMatch(/^ID +TOOL/m)
    expect(await terminal.exitCode()).toBe(0)
    expect(existsSync(join(directory, 'staging', 'load-0'))).toBe(true)
    await waitFor(() => readdirSync(join(directory, 'staging', '.magnetar', 'ended')).length === 0, {
      what: 'no leftovers',
    })
  }, 120_000)
})
