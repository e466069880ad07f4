import { describe, expect, it } from 'vitest'
import { MagnetarError } from '../../src/lib/errors.js'
import { isLoopback, refuseUnsafeStart, unencryptedWarning } from '../../src/node/exposure.js'

const node = (
  host: string,
  more: { token?: string; sslPem?: string; allow?: boolean; root?: boolean } = {},
) => ({
  configDirectory: '/srv/pulsar/etc',
  server: { host, port: 8913, sslPem: more.sslPem },
  privateToken: more.token,
  allowWithoutToken: more.allow ?? false,
  allowRoot: more.root ?? false,
})

async function refusal(
  config: Parameters<typeof refuseUnsafeStart>[0],
  uid = 1000,
): Promise<MagnetarError | undefined> {
  const thrown: unknown = await refuseUnsafeStart(config, uid).catch((error: unknown) => error)
  return thrown instanceof MagnetarError ? thrown : undefined
}

describe('a node', () => {
  it.each([
    '0.0.0.0',
    '::',
    '[::]',
    '10.1.2.3',
    'fe80::1%lo',
    'no-such-host.invalid',
    '',
  ])('does not listen on %j without a token', async (host) => {
    const error = await refusal(node(host))
    expect(error?.code).toBe('TOKEN_MISSING')
    expect(error?.fix).toContain('private_token: "…" to /srv/pulsar/etc/app.yml')
    expect(await refusal(node(host, { token: 't' }))).toBeUndefined()
    expect(await refusal(node(host, { allow: true }))).toBeUndefined()
  })

  it.each([
    'localhost',
    '127.0.0.1',
    '127.3.4.5',
    '::1',
    '[::1]',
    '::ffff:127.0.0.1',
  ])('listens on %s without one', async (host) => {
    expect(await isLoopback(host)).toBe(true)
    expect(await refusal(node(host))).toBeUndefined()
  })

  it('does not run as root unless told to', async () => {
    const error = await refusal(node('localhost'), 0)
    expect(error?.code).toBe('ROOT_REFUSED')
    expect(error?.fix).toContain('PULSAR_CONFIG_ALLOW_ROOT=true')
    expect(await refusal(node('localhost', { root: true }), 0)).toBeUndefined()
  })

  it('says that what goes beyond this machine is not encrypted', async () => {
    expect(await unencryptedWarning(node('0.0.0.0', { token: 't' }))).toContain('are not encrypted')
    expect(await unencryptedWarning(node('0.0.0.0', { token: 't', sslPem: '/pem' }))).toBeUndefined()
    expect(await unencryptedWarning(node('localhost'))).toBeUndefined()
  })
})
