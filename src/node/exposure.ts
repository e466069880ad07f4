import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import path from 'node:path'
import type { NodeConfig } from '../config/types.js'
import { MagnetarError } from '../lib/errors.js'

/** What a node lets others do to its machine, and what of that nobody may want without saying so. */

type Exposed = Pick<
  NodeConfig,
  'configDirectory' | 'server' | 'privateToken' | 'allowRoot' | 'allowWithoutToken'
>

/**
 * @param uid of this process
 * @throws MagnetarError ROOT_REFUSED; TOKEN_MISSING when other machines could reach the server and it asks for no token
 */
export async function refuseUnsafeStart(config: Exposed, uid = process.geteuid?.()): Promise<void> {
  if (uid === 0 && !config.allowRoot) {
    throw new MagnetarError(
      'ROOT_REFUSED',
      'the server does not run as root: jobs are programs of other people, and would be root too',
      {
        fix: `Start it as a user of its own: sudo -u pulsar magnetar serve …, or user=pulsar in the Supervisor program. Where there is none, as in some containers: --allow-root, allow_root: true in ${appFile(config)}, or PULSAR_CONFIG_ALLOW_ROOT=true in the environment.`,
      },
    )
  }
  if (config.privateToken !== undefined || config.allowWithoutToken) return
  if (await isLoopback(config.server.host)) return
  const { host, port } = config.server
  throw new MagnetarError(
    'TOKEN_MISSING',
    `other machines can reach ${host}:${port}, and there is no private_token: whoever gets there could run commands as this user`,
    {
      fix: `Have a token made: magnetar token rotate --config ${config.configDirectory}, or add the line private_token: "…" to ${appFile(config)}, and give it to Galaxy's destination. Or listen on this machine alone: host = localhost in [server:main]. Where a firewall or proxy lets only Galaxy through: allow_without_token: true in ${appFile(config)}.`,
    },
  )
}

/** A sentence, when the token and all data go over the network for everybody to read. */
export async function unencryptedWarning(config: Exposed): Promise<string | undefined> {
  const { host, port, sslPem } = config.server
  if (sslPem !== undefined || (await isLoopback(host))) return undefined
  return `requests to ${host}:${port} are not encrypted: whoever can read the network between Galaxy and here learns the private token and all data. Set ssl_pem in [server:main], or listen on localhost behind a proxy with TLS`
}

function appFile(config: Exposed): string {
  return path.join(config.configDirectory, 'app.yml')
}

/** Whether only this machine reaches `host`. A name counts when all its addresses do; one that cannot be looked up does not. */
export async function isLoopback(host: string): Promise<boolean> {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (bare === 'localhost') return true
  if (bare === '') return false
  if (isIP(bare) !== 0) return isLoopbackAddress(bare)
  try {
    const found = await lookup(bare, { all: true })
    return found.length > 0 && found.every(({ address }) => isLoopbackAddress(address))
  } catch {
    return false
  }
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

function isLoopbackAddress(address: string): boolean {
  return LOOPBACK.check(address.split('%')[0] ?? address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
