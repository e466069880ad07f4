import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type AdoptionRecord, recordFile } from '../../src/setup/adopt/record.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { writeFiles } from '../setup/install-fixture.js'

const launcher = resolve('bin', 'magnetar.js')
/** The machine's own Supervisor is not asked: its file is another. */
const env = { MAGNETAR_SETUP_SUPERVISOR_CONF: '/nonexistent', MAGNETAR_PREFIX: undefined, NO_COLOR: '1' }
const magnetar = (...args: string[]) =>
  runCommand(process.execPath, [launcher, ...args], { env, timeoutMs: 60_000 })

describe('magnetar adopt', () => {
  it('says where nothing is, and what to do with a Pulsar that no service runs', async () => {
    const directory = await tempDirectory()
    expect(await magnetar('adopt', directory, '--plan')).toMatchObject({
      exitCode: 1,
      output: expect.stringMatching(/holds no Python Pulsar: .*\n {2}Fix: .*\[ADOPT_NOT_FOUND\]/),
    })
    expect(await magnetar('adopt', '', '--plan')).toMatchObject({
      exitCode: 2,
      output: expect.stringContaining('it is empty'),
    })
    writeFiles(directory, { 'etc/app.yml': '---\n' })
    expect(await magnetar('adopt', directory, '--json')).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining(`magnetar serve --config ${directory}/etc`),
    })
  })

  it('keeps uninstall and upgrade from the program that a service was given', async () => {
    const directory = await tempDirectory()
    const prefix = join(directory, 'magnetar')
    mkdirSync(join(prefix, 'lib', 'releases'), { recursive: true })
    const record: AdoptionRecord = {
      ...{ version: 1, state: 'adopted', directory },
      service: { kind: 'systemd', name: 'p' },
      edit: { path: '/nonexistent', after: '' },
      command: { before: '', after: '' },
    }
    const file = recordFile(prefix, record.service)
    mkdirSync(dirname(file))
    writeFileSync(file, JSON.stringify(record))
    for (const [command = '', wanted] of [
      ['uninstall', `magnetar adopt ${directory} --undo`],
      ['upgrade', `bin/magnetar.js adopt ${directory}`],
    ])
      for (const place of [prefix, directory])
        expect(await magnetar(command, '--yes', '--prefix', place)).toMatchObject({
          exitCode: 1,
          output: expect.stringContaining(wanted ?? ''),
        })
    writeFileSync(file, JSON.stringify({ ...record, state: 'returned' }))
    expect(await magnetar('uninstall', '--yes', '--prefix', prefix)).toMatchObject({ exitCode: 0 })
  })
})
