import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { putProgramBack } from '../../../src/setup/adopt/command-back.js'
import { findPulsarService } from '../../../src/setup/adopt/find-service.js'
import { readPulsarCommand } from '../../../src/setup/adopt/pulsar-command.js'
import { adoptedPrefix, findPythonInstallation } from '../../../src/setup/adopt/python-installation.js'
import type { AdoptionRecord } from '../../../src/setup/adopt/record.js'
import { demandReplaceable } from '../../../src/setup/adopt/replaceable.js'
import { planBack, planEdit, planForward, planReturn, undoOf } from '../../../src/setup/adopt/service-edit.js'
import { readSupervisorPrograms } from '../../../src/setup/adopt/supervisor-definitions.js'
import { readSystemdServices } from '../../../src/setup/adopt/systemd-definitions.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { writeFiles } from '../install-fixture.js'

const signal = new AbortController().signal
const bin = '/srv/pulsar/magnetar/bin'
const place = { directory: '/work', env: {} }
const same = (text: string): string => text

describe('a command that starts a Pulsar', () => {
  it.each([
    {
      command: "/srv/pulsar/bin/pulsar --mode 'uwsgi' --config '/srv/pulsar/etc'",
      after: `${bin}/pulsar --mode 'uwsgi' --config '/srv/pulsar/etc'`,
      load: { configDirectory: '/srv/pulsar/etc', mode: 'uwsgi' },
    },
    {
      command: '/srv/p/venv/bin/pulsar  -c /srv/p/config -m webless',
      after: `${bin}/pulsar  -c /srv/p/config -m webless`,
      load: { configDirectory: '/srv/p/config', mode: 'webless' },
    },
    {
      command: 'venv/bin/python venv/bin/paster serve etc/server.ini',
      after: `${bin}/pulsar-serve etc/server.ini`,
      load: { configDirectory: '/work/etc', iniPath: '/work/etc/server.ini', mode: 'gunicorn' },
    },
    {
      command: '/p/venv/bin/uwsgi --master --ini-paste /p/config/server.ini -p 1',
      after: `${bin}/pulsar --mode uwsgi --config /p/config`,
      load: { configDirectory: '/p/config', mode: 'uwsgi' },
    },
    {
      command: '/bin/bash "/srv/my pulsar/bin/pulsar-main" --config_dir=/etc/p --app other',
      after: `${bin}/pulsar-main --config_dir=/etc/p --app other`,
      load: { configDirectory: '/etc/p', mode: 'webless', app: 'other' },
    },
    {
      command: '/p/bin/pulsar-serve',
      after: `${bin}/pulsar-serve`,
      load: { configDirectory: '/work', iniPath: '/work/server.ini', mode: 'gunicorn' },
    },
  ])('is read, and written with other programs only: $command', ({ command, after, load }) => {
    const found = readPulsarCommand(command, place)
    expect(found?.load).toEqual(load)
    expect(found?.obstacles).toEqual([])
    expect(found?.rewrite(command, bin, same)).toBe(after)
  })

  it.each([
    ['/p/bin/pulsar --daemon -c /p', /background/],
    ['/p/bin/uwsgi --ini-paste /p/server.ini --socket :1', /--socket/],
    ['/p/bin/uwsgi --ini-paste /p/other.ini', /not called server\.ini/],
    ['/p/bin/paster serve /p/server.ini --reload', /--reload/],
  ])('is refused where its meaning would be lost: %s', (command, why) => {
    expect(readPulsarCommand(command, place)?.obstacles.join()).toMatch(why)
  })

  it.each([
    '/p/start.sh',
    'uwsgi --http :80',
    'sleep 1',
    '/p/bin/pulsar-check',
    '"open',
    '',
  ])('is none: %s', (command) => {
    expect(readPulsarCommand(command, place)).toBeUndefined()
  })

  it('has its directory from the environment, or where it is started', () => {
    const env = { PULSAR_CONFIG_DIR: '/etc/p' }
    expect(readPulsarCommand('/p/bin/pulsar', { ...place, env })?.configDirectory).toBe('/etc/p')
    expect(readPulsarCommand('/p/bin/pulsar', place)?.configDirectory).toBe('/work')
  })
})

describe('a command that was edited after adopt', () => {
  const uwsgi = {
    before: '/p/bin/uwsgi --ini-paste /p/server.ini -p 1',
    after: `${bin}/pulsar --mode uwsgi --config /p`,
  }
  const paster = { before: 'v/python v/paster serve a.ini ; x', after: `${bin}/pulsar-serve a.ini ; x` }
  it.each([
    {
      of: paster,
      now: `${bin}/pulsar-serve 'a.ini' ; isn't x`,
      back: "v/python v/paster serve 'a.ini' ; isn't x",
    },
    { of: paster, now: `nice "${bin}/pulsar-serve" b.ini`, back: 'nice v/python v/paster serve b.ini' },
    { of: uwsgi, now: `${bin}/pulsar --mode 'uwsgi' --config "/p" ; new`, back: `${uwsgi.before} ; new` },
    { of: uwsgi, now: `${bin}/pulsar --mode uwsgi --config /other`, back: undefined },
    { of: paster, now: `${bin}/pulsar a.ini`, back: undefined },
    { of: paster, now: '/other/program a.ini', back: '/other/program a.ini' },
  ])('has the Python program put back where that is safe: $now', ({ of, now, back }) => {
    expect(putProgramBack(now, of)).toBe(back)
  })
})

/** The exercise's tree: everything below one directory that is a virtualenv. */
async function exercise(): Promise<string> {
  const root = await tempDirectory()
  writeFiles(root, {
    'srv/bin/pulsar-main': '#!/bin/sh\n',
    'srv/lib/python3.11/site-packages/pulsar_app-0.15.1.dist-info/METADATA': '',
    'srv/etc/app.yml': 'private_token: foo\n',
    'supervisord.conf': '[supervisord]\n[include]\nfiles = conf.d/*.conf %(here)s/more/*.ini\n',
    'more/own.ini': '[program:other]\ncommand=/bin/sleep 1\n',
  })
  mkdirSync(join(root, 'conf.d'))
  return root
}

describe('a program of Supervisor', () => {
  const definitions = (root: string) =>
    readSupervisorPrograms({ configFile: join(root, 'supervisord.conf') }, signal)

  it('is found in an included file, edited in its command alone, and given back byte for byte', async () => {
    const root = await exercise()
    const text = `; Ünser Pulsar\r\n[program:pulsar]\r\nuser=pulsar\r\ncommand   :  %(here)s/../srv/bin/pulsar -c ${root}/srv/etc ; by hand\r\nautostart=yes`
    const file = join(root, 'more', 'pulsar.ini')
    writeFileSync(file, text)
    const installation = await findPythonInstallation(join(root, 'srv'))
    expect(installation).toMatchObject({ version: '0.15.1', configDirectories: [join(root, 'srv', 'etc')] })
    const service = await findPulsarService(installation, await definitions(root), undefined)
    expect(service.definition).toMatchObject({ name: 'pulsar', file, user: 'pulsar', directory: '/' })
    const prefix = adoptedPrefix(installation)
    expect(prefix).toBe(join(root, 'srv', 'magnetar'))
    const edit = await planEdit(service, prefix, undefined, undefined, signal)
    expect(edit.edit).toEqual({
      path: file,
      before: text,
      after: text.replace('%(here)s/../srv/bin/pulsar', `${prefix}/bin/pulsar`),
    })

    const record: AdoptionRecord = {
      ...{ version: 1, state: 'adopted', directory: join(root, 'srv') },
      service: { kind: 'supervisor', name: 'pulsar' },
      ...edit,
    }
    writeFileSync(file, edit.edit.after)
    expect(await planBack(record, signal)).toMatchObject([
      { path: file, before: edit.edit.after, after: text },
    ])
    // What an admin has changed since then stays.
    writeFileSync(file, edit.edit.after.replace('autostart=yes', 'autostart=no'))
    expect(await planBack(record, signal)).toMatchObject([{ after: text.replace('=yes', '=no') }])
    // In the command too, where it is clear what to put back; the way forward has the edited file again.
    const quoted = edit.edit.after.replace(`-c ${root}/srv/etc ;`, `-c "${root}/srv/etc" ;`)
    writeFileSync(file, quoted)
    const planned = await planReturn({ service, prefix }, record, signal)
    const back = text.replace(`-c ${root}/srv/etc ;`, `-c "${root}/srv/etc" ;`)
    expect(planned).toMatchObject([{ before: quoted, after: back }])
    const undo = { ...record, ...(await undoOf(planned, record, signal)) }
    writeFileSync(file, back)
    expect(await planForward(undo, signal)).toMatchObject([{ before: back, after: quoted }])
    writeFileSync(file, back.replace('=yes', '=no'))
    expect(await planForward(undo, signal)).toMatchObject([{ after: quoted.replace('=yes', '=no') }])
    // And where it is not, nothing is guessed.
    writeFileSync(file, edit.edit.after.replace(`${prefix}/bin/pulsar`, `sh -c 'exec ${prefix}/bin/pulsar'`))
    await expect(planBack(record, signal)).rejects.toMatchObject({
      code: 'ADOPT_REFUSED',
      fix: expect.stringContaining(`command=${edit.command.before}`),
    })
    // A playbook has written it anew.
    writeFileSync(file, text)
    expect(await planBack(record, signal)).toEqual([])
  })

  it('is found in the main file, and through a link', async () => {
    const root = await exercise()
    const section = `[program:p]\ncommand=${root}/srv/bin/pulsar -c ${root}/srv/etc\n`
    writeFileSync(join(root, 'srv', 'etc', 'supervisor.conf'), section)
    symlinkSync(join(root, 'srv', 'etc', 'supervisor.conf'), join(root, 'conf.d', 'p.conf'))
    const installation = await findPythonInstallation(join(root, 'srv', 'etc'))
    const service = await findPulsarService(installation, await definitions(root), undefined)
    const { edit } = await planEdit(service, adoptedPrefix(installation), undefined, undefined, signal)
    expect(edit.path).toBe(join(root, 'srv', 'etc', 'supervisor.conf'))
    const inMain = join(root, 'own.conf')
    writeFileSync(inMain, `[supervisord]\n${section}`)
    expect(await readSupervisorPrograms({ configFile: inMain }, signal)).toMatchObject([
      { file: inMain, name: 'p' },
    ])
  })

  it('is told of where it cannot be taken: none, several, a script, a group', async () => {
    const root = await exercise()
    const installation = await findPythonInstallation(join(root, 'srv'))
    const find = async (name?: string) => findPulsarService(installation, await definitions(root), name)
    await expect(find()).rejects.toMatchObject({
      code: 'ADOPT_NOT_FOUND',
      fix: expect.stringContaining('magnetar serve'),
    })
    writeFileSync(join(root, 'conf.d', 'a.conf'), `[program:a]\ncommand=${root}/srv/start.sh\n`)
    await expect(find()).rejects.toThrow(/no Pulsar can be seen: .*start\.sh/)
    const section = (name: string): string =>
      `[program:${name}]\ncommand=${root}/srv/bin/pulsar -c ${root}/srv/etc\n`
    writeFileSync(join(root, 'conf.d', 'b.conf'), section('b') + section('c'))
    await expect(find()).rejects.toThrow(/several services .*:\n {2}b \(.*\)\n {2}c \(/)
    expect((await find('c')).definition.name).toBe('c')
    writeFileSync(join(root, 'conf.d', 'g.conf'), '[group:g]\nprograms=c, other\n')
    expect((await find('c')).definition.obstacles).toEqual([expect.stringContaining('group')])
    const nothing = await findPythonInstallation(join(root, 'conf.d'))
    await expect(findPulsarService(nothing, [], undefined)).rejects.toThrow(/holds no Python Pulsar/)
  })
})

/** As the Ansible role writes it; the command is that of pulsar_systemd_runner. */
const UNIT = (root: string, command: string): string => `[Unit]
Description=Pulsar
[Service]
User=pulsar
Group=galaxy
Umask=022
Type=simple
EnvironmentFile=-${root}/environment
Environment="PULSAR_VIRTUALENV=${root}/p/venv" LC_ALL=C
ExecStart=${command}
Restart=always
MemoryLimit=6G
[Install]
WantedBy=multi-user.target
`

describe('the file of a service', () => {
  it('is refused where it cannot be replaced', async () => {
    const root = await tempDirectory()
    writeFiles(root, { 'a b.conf': '' })
    const file = join(root, 'a b.conf')
    await demandReplaceable(file)
    await demandReplaceable(join(root, 'new', 'drop-in.conf'))
    const mounts = `30 1 0:1 / / rw - ext4 /dev/a rw\n31 30 0:1 /x ${file.replace(' ', '\\040')} rw - ext4 /dev/a rw\n`
    await expect(demandReplaceable(file, mounts)).rejects.toMatchObject({ code: 'ADOPT_REFUSED' })
  })
})

describe('a unit of systemd', () => {
  it.each([
    {
      runner: 'webless',
      command: 'p/venv/bin/pulsar -c ROOT/p/config -m webless',
      after: 'pulsar -c ROOT/p/config -m webless',
    },
    {
      runner: 'paste',
      command: 'p/venv/bin/python ROOT/p/venv/bin/paster serve ROOT/p/config/server.ini',
      after: 'pulsar-serve ROOT/p/config/server.ini',
    },
    {
      runner: 'uwsgi',
      command: 'p/venv/bin/uwsgi --ini-paste ROOT/p/config/server.ini',
      after: 'pulsar --mode uwsgi --config ROOT/p/config',
    },
  ])("of the Ansible role's runner $runner gets a drop-in, and loses it again", async ({
    command,
    after,
  }) => {
    const root = await tempDirectory()
    const full = (text: string): string => text.replaceAll('ROOT', root)
    writeFiles(root, {
      'p/config/app.yml': '---\n',
      'p/config/server.ini': '',
      'p/venv/bin/pulsar-main': '#!/bin/sh\n',
      environment: 'PULSAR_LOCAL_ENV="/etc/site_env.sh"\n',
      'units/pulsar.service': UNIT(root, `${root}/${full(command)}`),
      'units/other.service': '[Service]\nExecStart=/bin/true\nExecStart=/bin/true\n',
      'units/pulsar.service.d/limits.conf': '[Service]\nUser=galaxy\n',
    })
    const units = join(root, 'units')
    const installation = await findPythonInstallation(join(root, 'p'))
    const find = async () =>
      findPulsarService(installation, await readSystemdServices(signal, [units]), undefined)
    const service = await find()
    expect(service.definition).toMatchObject({
      ...{ name: 'pulsar', user: 'galaxy', group: 'galaxy' },
      env: { LC_ALL: 'C', PULSAR_VIRTUALENV: `${root}/p/venv`, PULSAR_LOCAL_ENV: '/etc/site_env.sh' },
    })
    const prefix = adoptedPrefix(installation)
    const edit = await planEdit(service, prefix, undefined, units, signal)
    expect(edit.edit.path).toBe(join(units, 'pulsar.service.d', 'zz-magnetar.conf'))
    expect(edit.edit.after.split('\n').filter((line) => !line.startsWith('#'))).toEqual([
      '[Service]',
      'ExecStart=',
      `ExecStart=${prefix}/bin/${full(after)}`,
      'KillMode=process',
      '',
    ])
    writeFileSync(edit.edit.path, edit.edit.after)
    // The same again: what Magnetar wrote is not taken for how the Python Pulsar is started.
    expect(await planEdit(await find(), prefix, undefined, units, signal)).toEqual(edit)
    const record: AdoptionRecord = {
      ...{ version: 1, state: 'adopted', directory: join(root, 'p') },
      service: { kind: 'systemd', name: 'pulsar' },
      ...edit,
    }
    expect(await planBack(record, signal)).toMatchObject([{ kind: 'remove', path: edit.edit.path }])
  })
})
