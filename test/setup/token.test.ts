import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MagnetarError } from '../../src/lib/errors.js'
import { decideToken, readToken, tokenIn } from '../../src/setup/answers/token.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const signal = AbortSignal.timeout(20_000)

describe('a token that somebody gives', () => {
  it.each(['abc', 'abc\n', 'abc\r\n', 'abc\n\n'])('is %j without the line break', (text) => {
    expect(tokenIn(text, 'FILE')).toBe('abc')
  })

  it.each([
    ['', 'there is no token in FILE'],
    [' \n', 'there is no token in FILE'],
    ['sécret', 'characters other than ASCII'],
    ['\ufeffsecret', 'ASCII'],
    [' secret', 'begins or ends with a blank'],
    ['secret \n', 'begins or ends with a blank'],
    ['secret two', 'found several'],
    ['secret\ntwo', 'or a line break'],
    ['secret\u007f', 'expected one word'],
  ])('%j is refused, and not shown', (text, message) => {
    let told = ''
    try {
      tokenIn(text, 'FILE')
    } catch (error) {
      told = error instanceof MagnetarError ? `${error.message} ${error.fix}` : ''
    }
    expect(told).toContain(message)
    expect(told).not.toMatch(/s.cret/)
  })
})

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
