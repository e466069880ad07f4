import { get } from 'node:http'
import { describe, expect, it } from 'vitest'
import { messageOf } from '../../src/lib/errors.js'
import { freePort } from '../helpers/free-port.js'

describe('messageOf', () => {
  it('says why no address of a host could be reached, where Node says nothing', async () => {
    const port = await freePort()
    const error = await new Promise<Error>((resolve) => {
      const addresses = [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]
      get({
        host: 'two.invalid',
        port,
        lookup: (_host, _options, callback) => callback(null, addresses),
      }).once('error', resolve)
    })
    expect(error.message).toBe('')
    expect(messageOf(error)).toBe(
      `connect ECONNREFUSED 127.0.0.1:${port}, connect ECONNREFUSED 127.0.0.2:${port}`,
    )
  })

  it('is the message of an error, and the text of anything else', () => {
    expect([messageOf(new TypeError('no')), messageOf('why'), messageOf(undefined)]).toEqual([
      'no',
      'why',
      'undefined',
    ])
  })
})
