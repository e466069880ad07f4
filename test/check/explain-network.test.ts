import { expect, it } from 'vitest'
import { explainNetwork } from '../../src/check/explain-network.js'
import { readTarget } from '../../src/check/target.js'

const target = readTarget('http://node.example.org:8913')

it.each([
  ['ENOTFOUND', /name is not known/, /getent hosts node.example.org/],
  ['EAI_AGAIN', /no name server answers/, /resolv.conf/],
  ['ECONNREFUSED', /nothing listens on node.example.org:8913/, /server:main.host/],
  ['ETIMEDOUT', /packets are lost/, /firewall/],
  ['EHOSTUNREACH', /no way from here/, /ip route get/],
  ['ECONNRESET', /cut the connection/, /log/],
  ['EWHATEVER', /no connection to node.example.org:8913: in its words/, /log/],
])('a connection that fails with %s is explained', (code, message, fix) => {
  // Several addresses were tried: Node puts the errors into one.
  const single = Object.assign(new Error('in its words'), { code })
  const several = Object.assign(new AggregateError([single], 'in its words'), { code: undefined })
  for (const error of [single, several])
    expect(explainNetwork(target, error)).toMatchObject({
      kind: 'reach',
      advice: { message: expect.stringMatching(message), fix: expect.stringMatching(fix) },
    })
})
