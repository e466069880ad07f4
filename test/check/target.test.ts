import { describe, expect, it } from 'vitest'
import { describePlace, readTarget } from '../../src/check/target.js'

describe('the URL of a node', () => {
  it.each([
    ['http://node.example.org:8913', undefined, 'http://node.example.org:8913/', 'node.example.org:8913'],
    ['https://node.example.org', undefined, 'https://node.example.org/', 'node.example.org:443'],
    ['http://[::1]:8913/', 'long', 'http://[::1]:8913/managers/long/', '[::1]:8913'],
    ['https://a.org/pulsar?x=1#y', undefined, 'https://a.org/pulsar/', 'a.org:443'],
    ['http://a.org/p/managers/b%20c', undefined, 'http://a.org/p/managers/b%20c/', 'a.org:80'],
    ['http://a.org/managers/b/', 'c', 'http://a.org/managers/c/', 'a.org:80'],
  ])('%s with manager %s', (text, manager, url, place) => {
    const target = readTarget(text, manager)
    expect(target.url.href).toBe(url)
    expect(describePlace(target)).toBe(place)
    expect(target.root.href).not.toContain('managers')
  })

  it.each([
    ['node.example.org:8913', /http:\/\/ or https:\/\//],
    ['http://', /Write it like/],
    ['http://secret@node:8913', /--token-file/],
    ['http://node:8913?private_token=secret', /--token-file/],
    ['secret@node:8913', /http:\/\/ or https:\/\//],
  ])('%s is refused, with what mends it and without its secret', (text, fix) => {
    let caught: { message: string; fix?: string } | undefined
    try {
      readTarget(text)
    } catch (error) {
      caught = error as typeof caught
    }
    expect(caught).toMatchObject({ code: 'ANSWER_INVALID', fix: expect.stringMatching(fix) })
    expect(`${caught?.message}${caught?.fix}`).not.toContain('secret')
  })
})
