import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { decideToken, readToken } from '../../src/setup/answers/token.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const signal = AbortSignal.timeout(20_000)

describe('the token of a node', () => {
  it('is the one given, before the one of app.yml, before a new one', async () => {
    const appYml = join(await tempDirectory(), 'app.yml')
    const first = await decideToken(undefined, { appYml }, signal)
    expect(first.source).toBe('generated')
    await writeFile(appYml, 'private_token: old\n')
    expect(await decideToken(undefined, { appYml }, signal)).toEqual({
      token: 'old',
      source: 'found in app.yml',
    })
    expect(await decideToken('new', { appYml }, signal)).toEqual({ token: 'new', source: 'given' })
  })

  it('is 256 bits in letters, digits, - and _, each time others', async () => {
    const paths = { appYml: join(await tempDirectory(), 'app.yml') }
    const tokens = await Promise.all(Array.from({ length: 20 }, () => decideToken(undefined, paths, signal)))
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(20)
    for (const { token } of tokens) expect(token).toMatch(/^[\w-]{43}$/)
  })

  it.each([
    ['private_token: foo\n', 'foo'],
    ['private_token: 0123\n', '0123'],
    ["private_token: 'yes'\n", 'yes'],
    ['private_token:\n', ''],
    ['other: 1\n', undefined],
    ['private_token: [a\n', undefined],
    ['- a\n', undefined],
  ])('is read from %j as the server takes it', async (text, token) => {
    expect(await readToken(text)).toBe(token)
  })
})
