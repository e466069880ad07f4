import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createCondaResolver } from '../../../src/dependencies/conda/conda-resolver.js'
import { readSettings } from '../../../src/dependencies/conda/settings.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const requirement = { name: 'zlib', version: '1.2.8', type: 'package', specs: [] }

it('the conda resolver advises which option makes it provide what is missing', async () => {
  const cwd = await tempDirectory()
  const context = { baseDirectory: cwd, nodeOption: () => undefined, cwd, env: {} }
  const advice = (options: Readonly<Record<string, unknown>>, type = 'package') =>
    createCondaResolver(readSettings({ type: 'conda', options }, context)).advise?.({ ...requirement, type })
  const install = 'Conda installs what is missing with "magnetar config set conda_auto_install true"'
  const init = `Conda itself (there is no ${cwd}/_conda/bin/conda) with "magnetar config set conda_auto_init true"`
  expect(advice({})).toContain(install)
  expect(advice({})).toContain(init)
  expect(advice({ auto_init: 'true' })).not.toContain('conda_auto_init')
  await mkdir(join(cwd, '_conda', 'bin'), { recursive: true })
  await writeFile(join(cwd, '_conda', 'bin', 'conda'), '')
  expect(advice({})).toContain(install)
  expect(advice({})).not.toContain('conda_auto_init')
  expect(advice({ read_only: 'true', auto_install: 'true' })).toContain('read_only')
  expect(advice({ auto_install: 'true' })).toBeUndefined()
  expect(advice({}, 'set_environment')).toBeUndefined()
})
