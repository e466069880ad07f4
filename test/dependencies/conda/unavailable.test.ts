import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { installConda } from '../../../src/dependencies/conda/auto-init.js'
import { createCondaSource } from '../../../src/dependencies/conda/conda-source.js'
import { readSettings } from '../../../src/dependencies/conda/settings.js'
import { silentLogger } from '../../../src/lib/log.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const { signal } = new AbortController()

async function whyNot(options: Readonly<Record<string, unknown>>, cwd: string) {
  const context = {
    baseDirectory: join(cwd, 'deps'),
    nodeOption: () => undefined,
    cwd,
    env: { PATH: join(cwd, 'bin') },
  }
  const settings = readSettings({ type: 'conda', options }, context)
  const found = createCondaSource(settings).find(silentLogger, signal)
  return found.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('a conda that cannot be used', () => {
  it('is named with what is wrong with it, and which option to correct', async () => {
    const cwd = await tempDirectory()
    await writeFile(join(cwd, 'text'), 'no program')
    await chmod(join(cwd, 'text'), 0o644)
    const fix = expect.stringContaining('conda_exec in app.yml')
    const code = 'CONDA_UNAVAILABLE'
    const at = `there is no Conda that works at ${cwd}`
    expect(await whyNot({ exec: './text' }, cwd)).toMatchObject({
      code,
      fix,
      message: `${at}/text: the user of the server may not run it, or it is no program`,
    })
    expect(await whyNot({ exec: '/nowhere/conda' }, cwd)).toMatchObject({
      code,
      fix,
      message: 'there is no Conda that works at /nowhere/conda: there is no such program',
    })
    expect(await whyNot({ exec: 'magnetar-test-mamba' }, cwd)).toMatchObject({
      code,
      fix,
      message: `there is no magnetar-test-mamba on the PATH of the server (${cwd}/bin)`,
    })
    expect(await whyNot({}, cwd)).toMatchObject({
      code,
      fix: expect.stringContaining('magnetar config set conda_auto_init true'),
      message: `${at}/deps/_conda/bin/conda: there is no such program`,
    })
  })

  it('cannot be installed where the server may not write: the directory is named, and not the network', async () => {
    const cwd = await tempDirectory()
    await mkdir(join(cwd, 'deps'))
    // A file is in the way of everybody, root too.
    await writeFile(join(cwd, 'deps', 'file'), '')
    const prefix = join(cwd, 'deps', 'file', 'below', '_conda')
    const context = { baseDirectory: cwd, nodeOption: () => undefined, cwd, env: {} }
    const settings = readSettings({ type: 'conda', options: { prefix, auto_init: 'true' } }, context)
    await expect(installConda(settings, silentLogger, signal)).rejects.toMatchObject({
      code: 'CONDA_UNAVAILABLE',
      fix: expect.stringMatching(/must be able to write to .*\/deps\/file\/below: .*tool_dependency_dir/),
    })
  })
})
