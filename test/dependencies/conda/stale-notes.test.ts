import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createEnvironment } from '../../../src/dependencies/conda/create-environment.js'
import { lookAt, markCreating } from '../../../src/dependencies/conda/environment.js'
import { createCondaManager } from '../../../src/dependencies/conda/manage.js'
import { tidyAtStart } from '../../../src/dependencies/conda/prefix-lock.js'
import { readSettings } from '../../../src/dependencies/conda/settings.js'
import { messageOf } from '../../../src/lib/errors.js'
import { silentLogger } from '../../../src/lib/log.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const { signal } = new AbortController()
const NAME = '__zlib@1.2.8'

async function prefixWithStaleNote() {
  const prefix = join(await tempDirectory(), '_conda')
  const notes = join(prefix, '.magnetar')
  await mkdir(notes, { recursive: true })
  await writeFile(join(notes, 'lock'), '')
  await writeFile(join(notes, `${NAME}.creating`), '1\n')
  // That one was begun: its note stays.
  await mkdir(join(prefix, 'envs', '__begun@1'), { recursive: true })
  await writeFile(join(notes, '__begun@1.creating'), '1\n')
  return prefix
}

async function makeByHand(prefix: string) {
  await mkdir(join(prefix, 'envs', NAME, 'conda-meta'), { recursive: true })
  await writeFile(join(prefix, 'envs', NAME, 'conda-meta', 'history'), '==> now <==\n')
}

function settingsOf(prefix: string) {
  const context = { baseDirectory: prefix, nodeOption: () => undefined, cwd: prefix, env: process.env }
  return readSettings({ type: 'conda', options: { prefix, exec: join(prefix, 'fails') } }, context)
}

/** Makes __other@1 with the program `fails`: why that could not be done. */
async function failToMake(prefix: string): Promise<string> {
  const tool = {
    exec: join(prefix, 'fails'),
    kind: 'conda',
    version: '24.1.0',
    hasLibmambaSolver: false,
    hasCondaBuild: false,
  } as const
  const targets = [{ name: 'other', version: '1' }]
  const settings = settingsOf(prefix)
  const making = createEnvironment({ settings, tool, name: '__other@1', targets, log: silentLogger, signal })
  return making.then(
    () => 'made',
    (error: unknown) => messageOf(error),
  )
}

describe('a note on an environment of which nothing was made', () => {
  it('goes when the server starts, so that what an admin makes later is used', async () => {
    const prefix = await prefixWithStaleNote()
    await tidyAtStart(prefix, silentLogger, signal)
    await makeByHand(prefix)
    expect(await lookAt(prefix, NAME)).toBe('whole')
    expect(await lookAt(prefix, '__begun@1')).toBe('half-made')
  })

  it('goes when any environment is made', async () => {
    const prefix = await prefixWithStaleNote()
    await writeFile(join(prefix, 'fails'), '#!/bin/sh\necho "FooError: no" >&2; exit 1\n')
    await chmod(join(prefix, 'fails'), 0o755)
    expect(await failToMake(prefix)).toContain('FooError: no')
    await makeByHand(prefix)
    expect(await lookAt(prefix, NAME)).toBe('whole')
  })

  it('goes together with the HOME of a conda that was killed, and the HOME of the next one is made there', async () => {
    const prefix = await prefixWithStaleNote()
    await mkdir(join(prefix, '.magnetar', 'conda_exec_home_abc', '.cache'), { recursive: true })
    await writeFile(
      join(prefix, 'fails'),
      '#!/bin/sh\necho "FooError: $HOME has" "$HOME"/../conda_*; exit 1\n',
    )
    await chmod(join(prefix, 'fails'), 0o755)
    const message = await failToMake(prefix)
    const home = /FooError: (\S+) has (.+)/.exec(message)
    expect(home?.[1]).toMatch(new RegExp(`^${prefix}/.magnetar/conda_exec_home_(?!abc)`))
    expect(home?.[2]?.split(' ')).toHaveLength(1)
    expect((await readdir(join(prefix, '.magnetar'))).sort()).toEqual(['__begun@1.creating', 'lock'])
  })

  it('goes when environments are removed', async () => {
    const prefix = await prefixWithStaleNote()
    await createCondaManager(settingsOf(prefix)).remove([], signal)
    await makeByHand(prefix)
    expect(await lookAt(prefix, NAME)).toBe('whole')
  })

  it('is not left when it cannot be written', async () => {
    const prefix = join(await tempDirectory(), '_conda')
    await mkdir(join(prefix, '.magnetar'), { recursive: true })
    await symlink('/dev/full', join(prefix, '.magnetar', `${NAME}.creating`))
    await expect(markCreating(prefix, NAME)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await readdir(join(prefix, '.magnetar'))).toEqual([])
  })
})
