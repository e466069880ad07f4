import { chmod, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openConfig } from '../../src/cli/config/config-directory.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const terminal = (cwd: string) => ({ env: {}, cwd }) as Parameters<typeof openConfig>[1]
/** To root nothing is closed: an effective user of his own stands in for the other user. */
const asOther = async (task: () => Promise<void>): Promise<void> => {
  const isRoot = process.geteuid?.() === 0
  if (isRoot) process.seteuid?.(65533)
  try {
    await task()
  } finally {
    if (isRoot) process.seteuid?.(0)
  }
}

describe('the configuration that a command is about', () => {
  it("is not called missing or wrong when it is another user's", async () => {
    const directory = await tempDirectory()
    const file = path.join(directory, 'app.yml')
    await writeFile(file, 'private_token: "x"\n')
    await chmod(directory, 0o755)
    await chmod(file, 0o000)
    await asOther(() =>
      expect(openConfig(directory, terminal(directory))).rejects.toMatchObject({
        code: 'NOT_PERMITTED',
        message: expect.stringContaining(file),
      }),
    )
    await chmod(directory, 0o000)
    await asOther(() =>
      expect(openConfig(path.join(directory, 'etc'), terminal('/'))).rejects.toMatchObject({
        code: 'NOT_PERMITTED',
      }),
    )
    await chmod(directory, 0o755)
  })

  it('has to be a directory', async () => {
    const directory = await tempDirectory()
    await expect(openConfig(path.join(directory, 'none'), terminal('/'))).rejects.toMatchObject({
      code: 'CONFIG_UNREADABLE',
    })
  })
})
