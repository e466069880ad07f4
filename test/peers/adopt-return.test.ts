import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import type { FoundPulsar } from '../../src/setup/adopt/adoption.js'
import { demandsOfReturn } from '../../src/setup/adopt/demands-of-return.js'
import { readPulsarCommand } from '../../src/setup/adopt/pulsar-command.js'
import type { ServiceDefinition } from '../../src/setup/adopt/service-definition.js'
import { mountSmallDisk } from '../chaos/small-disk.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { writeFiles } from '../setup/install-fixture.js'
import { findPulsarVenv } from './pulsar-venv.js'

const found = findPulsarVenv()

describe('a Python Pulsar that is to have its service back', needs(found.missing), () => {
  let directory: string
  let definition: ServiceDefinition
  const edit = (name: string, text: string): void => writeFileSync(join(directory, 'config', name), text)
  const ask = (own: Partial<ServiceDefinition> = {}, config?: FoundPulsar['config']) => {
    const all = { ...definition, ...own }
    const pulsar = readPulsarCommand(all.expanded ?? '', all)
    if (pulsar === undefined) throw new Error('no Pulsar')
    return demandsOfReturn(
      {
        service: { definition: all, pulsar },
        installation: { directory, configDirectories: [], virtualenv: undefined, version: '0.16.0' },
        pid: undefined,
        config,
      },
      { edit: { path: '/nonexistent', after: '' }, command: { before: all.command, after: '' } },
      AbortSignal.timeout(60_000),
    )
  }

  beforeEach(async () => {
    directory = await tempDirectory()
    const python = `${found.venv?.bin}/python`
    writeFiles(directory, {
      'config/app.yml': 'private_token: s3cret\n',
      'config/server.ini':
        '[server:main]\nport = 8913\n[app:main]\npaste.app_factory = pulsar.web.wsgi:app_factory\n',
      'bin/pulsar': '#!/bin/bash\n',
      'bin/pulsar-serve': `#!${python}\n`,
    })
    const command = `${directory}/bin/pulsar -c ${directory}/config -m gunicorn`
    definition = {
      ...{ kind: 'systemd', name: 'p', file: '/nonexistent', command, expanded: command },
      ...{ user: undefined, group: undefined, directory: '/', env: {}, obstacles: [], notes: [] },
    }
  })

  it('gets it when it can read its configuration', async () => {
    expect(await ask()).toEqual([])
    edit('app.yml', '')
    expect(await ask()).toEqual([])
    // A command in which it cannot be seen is not judged.
    expect(await ask({ kind: 'supervisor', command: '%(ENV_UNKNOWN_TO_ALL)s -c x' })).toEqual([])
  })

  it.each([
    [
      'app.yml',
      'private_token: s3cret\nmanagers:\n\t_default_: s3cret\n',
      /app\.yml: line 3, column 1: found character/,
    ],
    ['app.yml', 'private_token: "s3cret\nport: 1\n', /app\.yml: line 3, column 1: /],
    [
      'app.yml',
      'private_token s3cret\n',
      /would not start: the configuration in .*config cannot be read: ValueError: /,
    ],
    [
      'server.ini',
      '[server:main]\nport = 8913\nprivate_token s3cret\n',
      /server\.ini: line 3 cannot be read/,
    ],
    ['server.ini', 'private_token = s3cret\n', /server\.ini: line 1 cannot be read/],
    ['server.ini', '[app:main]\nprivate_token = %s3cret\n', /server\.ini: private_token cannot be read/],
  ])('does not get it with %s in which something is wrong: %j', async (name, text, why) => {
    edit(name, text)
    const [problem, ...more] = await ask()
    expect(problem).toMatch(why)
    expect(problem).not.toContain('s3cret')
    expect(more).toEqual([])
  })

  it('does not get it while the disk of its records is full', async (context) => {
    const place = join(directory, 'active')
    writeFiles(directory, {
      'config/app.yml': `persistence_directory: ${place}\nstaging_directory: ${directory}/jobs\n`,
    })
    const config = await loadConfig({ configDirectory: join(directory, 'config'), env: {}, cwd: directory })
    expect(await ask({}, config)).toEqual([])
    const disk = mountSmallDisk(place, 1)
    if (!disk) return context.skip('mounting is not permitted here')
    onTestFinished(() => disk.unmount())
    expect(await ask({}, config)).toEqual([
      expect.stringMatching(/^persistence_directory: the disk of .*active is full: .* df -h /),
    ])
  })

  it('does not get it without its program or its Python', async () => {
    const program = `${directory}/bin/nothing/pulsar`
    const command = `${program} -c ${directory}/config`
    expect(await ask({ command, expanded: command })).toEqual([
      expect.stringContaining(`${program}, which is not there`),
    ])
    // As a newer release of the system leaves a virtualenv.
    symlinkSync('/usr/bin/python2.99', join(directory, 'bin/python'))
    writeFileSync(join(directory, 'bin/pulsar-serve'), `#!${directory}/bin/python\nimport re\n`)
    expect(await ask()).toEqual([
      expect.stringContaining(`the Python of the Pulsar, ${directory}/bin/python, is not there`),
    ])
  })

  it('gets it with what local_env.sh sets, and not where that is missing', async () => {
    // A Python that finds Pulsar by that alone.
    const python = join(directory, 'python')
    writeFileSync(
      python,
      `#!/bin/sh\n[ -n "$OF_LOCAL_ENV" ] || { echo no module; exit 1; }\nexec ${found.venv?.bin}/python "$@"\n`,
    )
    chmodSync(python, 0o755)
    writeFileSync(join(directory, 'bin/pulsar-serve'), `#!${python}\n`)
    expect(await ask()).toEqual(['the Python Pulsar would not start: no module'])
    edit('local_env.sh', 'export OF_LOCAL_ENV=yes\n')
    expect(await ask()).toEqual([])
  })
})
