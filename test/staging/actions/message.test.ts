import { mkdir, readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { message } from '../../../src/staging/actions/message.js'
import { TransferError } from '../../../src/staging/transfer-error.js'
import { describeStagingAction } from '../../conformance/staging-action.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools } from '../../helpers/transfer-tools.js'

describeStagingAction({
  action: message,
  textOnly: true,
  open: async () => ({
    offer: async (_name, content) => ({ action_type: 'message', contents: content.toString('utf8') }),
  }),
})

describe('message', () => {
  it('writes its text as UTF-8, line ends and all', async () => {
    const base = path.join(await tempDirectory(), 'configs')
    const contents = '\ufeffein \u00dcbungsfile\r\n\u65e5\u672c \u{1f9ec}\0end'
    const to = { base, components: ['config.txt'] }
    await message.stageIn?.({ action_type: 'message', contents }, to, createTransferTools())
    expect((await readFile(path.join(base, 'config.txt'))).equals(Buffer.from(contents))).toBe(true)
  })

  it.each([
    ['no contents', undefined, /config\.txt has no contents/],
    [
      'more contents than any submit can carry',
      'x'.repeat(64 * 1024 * 1024 + 1),
      /67108865 bytes, more than/,
    ],
  ])('fails for good with %s', async (_what, contents, words) => {
    const base = await tempDirectory()
    await mkdir(path.join(base, 'configs'))
    const spec = { action_type: 'message', ...(contents === undefined ? {} : { contents }) }
    const to = { base: path.join(base, 'configs'), components: ['config.txt'] }
    const failure = await message.stageIn?.(spec, to, createTransferTools()).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(TransferError)
    expect(failure).toMatchObject({ transient: false, message: expect.stringMatching(words) })
    expect(await readdir(to.base)).toEqual([])
  })
})
