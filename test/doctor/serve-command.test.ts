import { expect, it } from 'vitest'
import { serveCommand } from '../../src/doctor/serve-command.js'

const user = (name: string, uid: number) => ({ name, uid, gid: uid })

it.each([
  ['the node is theirs', user('pulsar', 998), false, 'magnetar serve --config /etc/p'],
  [
    'root asks for a node of another user',
    user('pulsar', 998),
    true,
    'runuser -u pulsar -- magnetar serve --config /etc/p',
  ],
  ['the node is root’s', user('root', 0), true, 'magnetar serve --config /etc/p --allow-root'],
] as const)('the command that starts the server is one that works when %s', (_, owner, isRoot, command) => {
  const account = { isRoot } as Parameters<typeof serveCommand>[0]['account']
  expect(serveCommand({ configDirectory: '/etc/p', user: owner, account })).toBe(command)
})
