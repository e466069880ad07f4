import { chownSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseManifest, readManifest, renderManifest } from '../../src/setup/manifest.js'
import type { Manifest } from '../../src/setup/types.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const digest = '0123456789abcdef'.repeat(4)
const full: Manifest = {
  version: 1,
  answers: { prefix: '/srv/pulsar', port: 8913, concurrentJobs: '*', start: false },
  files: {
    '/srv/pulsar/etc/app.yml': { keys: { private_token: digest } },
    '/srv/pulsar/bin/activate': { whole: digest },
  },
  madeUser: true,
}

describe('the manifest', () => {
  it('is read as it was written', async () => {
    const manifest = join(await tempDirectory(), 'setup.json')
    expect(await readManifest({ manifest })).toBeUndefined()
    expect(await readManifest({ manifest: join(manifest, 'x') })).toBeUndefined()
    writeFileSync(manifest, renderManifest(full))
    expect(await readManifest({ manifest })).toEqual(full)
    expect(await readManifest({ manifest: join(manifest, 'x') })).toBeUndefined()
  })

  it('has the same text whatever order it was put together in', () => {
    const { version, answers, files, madeUser } = full
    const turned = Object.fromEntries(Object.entries(answers).reverse())
    const other = {
      madeUser,
      files: Object.fromEntries(Object.entries(files).reverse()),
      answers: turned,
      version,
    }
    expect(renderManifest(other)).toBe(renderManifest(full))
    expect(renderManifest(full).endsWith('}\n')).toBe(true)
  })

  it.each([
    ['no JSON', '{"version": 1,', /is damaged \(/],
    ['something else', '[]', /is damaged \(/],
    ['an empty file', '', /is damaged \(/],
    ['a relative path', JSON.stringify({ ...full, files: { 'etc/app.yml': {} } }), /files\.etc\/app\.yml/],
    [
      'a digest that is none',
      JSON.stringify({ ...full, files: { '/x': { whole: 'x' } } }),
      /files\.\/x\.whole: .*SHA-256/,
    ],
    ['a missing part', JSON.stringify({ ...full, madeUser: undefined }), /madeUser/],
    ['a newer version', JSON.stringify({ version: 2 }), /written by a newer release/],
  ])('with %s is refused with what to do', (_what, text, message) => {
    const read = (): Manifest => parseManifest(text, '/srv/pulsar/lib/setup.json')
    expect(read).toThrow(
      expect.objectContaining({ code: 'SETUP_CONFLICT', message: expect.stringMatching(message) }),
    )
    expect(read).toThrow(
      expect.objectContaining({ message: expect.stringContaining('/srv/pulsar/lib/setup.json') }),
    )
    expect(read).toThrow(expect.objectContaining({ fix: expect.stringMatching(/release|mv/) }))
  })
})

describe('what root believes', () => {
  const isRoot = process.getuid?.() === 0

  it(
    'is only a manifest that root wrote: the user of the node owns its directory',
    needs(isRoot ? undefined : 'not root'),
    async () => {
      const file = join(await tempDirectory(), 'setup.json')
      writeFileSync(
        file,
        renderManifest({ version: 1, answers: { user: 'victim' }, files: {}, madeUser: true }),
      )
      expect((await readManifest({ manifest: file }))?.madeUser).toBe(true)
      chownSync(file, 65534, 65534)
      await expect(readManifest({ manifest: file })).rejects.toMatchObject({
        code: 'SETUP_CONFLICT',
        fix: expect.stringContaining(`chown root:root ${file}`),
      })
    },
  )

  it('is no link to another file', async () => {
    const directory = await tempDirectory()
    const file = join(directory, 'setup.json')
    writeFileSync(
      join(directory, 'other'),
      renderManifest({ version: 1, answers: {}, files: {}, madeUser: true }),
    )
    symlinkSync('other', file)
    await expect(readManifest({ manifest: file })).rejects.toMatchObject({ code: 'SETUP_CONFLICT' })
  })
})
