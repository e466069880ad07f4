import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findPrefix } from '../../../src/setup/adopt/find-prefix.js'
import { findPythonInstallation } from '../../../src/setup/adopt/python-installation.js'
import type { AdoptionRecord } from '../../../src/setup/adopt/record.js'
import { readSupervisorPrograms } from '../../../src/setup/adopt/supervisor-definitions.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { writeFiles } from '../install-fixture.js'

it('a program of Supervisor tells where its Magnetar is, where a record there says that it was given it', async () => {
  const root = await tempDirectory()
  const [site, prefix, configFile] = [join(root, 'p'), join(root, 'opt'), join(root, 'supervisord.conf')]
  const record = (state: AdoptionRecord['state'], name: string): string =>
    JSON.stringify({
      ...{ version: 1, state, directory: site, service: { kind: 'supervisor', name } },
      ...{ edit: { path: configFile, after: '' }, command: { before: '', after: '' } },
    })
  writeFiles(root, {
    'p/etc/app.yml': '---\n',
    'supervisord.conf': `[program:p]\ncommand=${prefix}/bin/pulsar -c ${site}/etc\n`,
  })
  const find = async (wanted?: string): Promise<string> =>
    findPrefix(
      await findPythonInstallation(site),
      await readSupervisorPrograms({ configFile }, AbortSignal.timeout(10_000)),
      wanted,
    )
  expect(await find()).toBe(join(site, 'magnetar'))
  writeFiles(prefix, { 'lib/adopted/p.supervisor.json': record('adopted', 'p') })
  expect(await find()).toBe(prefix)
  expect(await find('p')).toBe(prefix)
  expect(await find('q')).toBe(join(site, 'magnetar'))
  writeFiles(prefix, { 'lib/adopted/p.supervisor.json': record('returned', 'p') })
  expect(await find()).toBe(join(site, 'magnetar'))
})
