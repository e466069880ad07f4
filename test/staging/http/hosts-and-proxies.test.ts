import { describe, expect, it } from 'vitest'
import { compileHosts } from '../../../src/staging/http/allowed-hosts.js'
import { readProxy } from '../../../src/staging/http/proxy.js'

describe('the patterns of allowed hosts', () => {
  it.each<[string, string, boolean]>([
    ['g.org', 'https://g.org/x', true],
    ['g.org', 'http://g.org:8080/x', true],
    ['G.ORG', 'https://g.Org./x', true],
    ['g.org', 'https://sub.g.org/x', false],
    ['g.org', 'https://g.org.evil.com/x', false],
    ['g.org', 'https://evilg.org/x', false],
    ['g.org', 'https://g.org@evil.com/x', false],
    ['g.org:8080', 'http://g.org:8080/x', true],
    ['g.org:8080', 'http://g.org/x', false],
    ['g.org:443', 'https://g.org/x', true],
    ['g.org:443', 'http://g.org/x', false],
    ['*.g.org', 'https://a.b.g.org/x', true],
    ['*.g.org', 'https://g.org/x', false],
    ['*.g.org', 'https://evilg.org/x', false],
    ['*.g.org:444', 'https://a.g.org:444/x', true],
    ['127.0.0.1', 'http://127.0.0.1:80/x', true],
    ['[::1]:9000', 'http://[::1]:9000/x', true],
  ])('%s and %s: %s', (pattern, url, wanted) => {
    expect(compileHosts([pattern])(new URL(url))).toBe(wanted)
  })

  it('allow everything when there are none, and nothing when the list is empty', () => {
    expect(compileHosts(undefined)(new URL('http://any.org'))).toBe(true)
    expect(compileHosts([])(new URL('http://any.org'))).toBe(false)
  })

  it.each([
    '',
    '*',
    'https://g.org',
    'g.org/x',
    'a*.g.org',
    'g.org:port',
    'g.org:1:2',
    '::1',
    'a b',
  ])('refuse %j', (pattern) => {
    expect(() => compileHosts([pattern])).toThrow('is no host')
  })
})

describe('the proxy of the environment', () => {
  it.each<[Record<string, string>, string, boolean]>([
    [{}, 'https://g.org', true],
    [{ no_proxy: 'g.org' }, 'https://g.org', false],
    [{ NO_PROXY: 'other.org, .g.org' }, 'https://a.g.org', false],
    [{ no_proxy: '*.g.org' }, 'https://a.g.org', false],
    [{ no_proxy: 'g.org' }, 'https://evilg.org', true],
    [{ no_proxy: 'g.org:8443' }, 'https://g.org', true],
    [{ no_proxy: 'g.org:443' }, 'https://g.org', false],
    [{ no_proxy: '*' }, 'https://g.org', false],
    [{ no_proxy: '' }, 'https://g.org', true],
    [{}, 'https://localhost:8443', false],
    [{}, 'https://127.3.4.5', false],
    [{}, 'https://[::1]', false],
  ])('with %o, %s goes through it: %s', (environment, url, wanted) => {
    const proxy = readProxy({ https_proxy: 'proxy.org:3128', ...environment })
    expect(proxy?.url.href).toBe('http://proxy.org:3128/')
    expect(proxy?.isExempt(new URL(url))).toBe(!wanted)
  })

  it('is none when nothing names one', () => {
    expect(readProxy({ http_proxy: 'http://proxy.org' })).toBeUndefined()
    expect(readProxy({ https_proxy: '' })).toBeUndefined()
  })
})
