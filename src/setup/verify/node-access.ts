import { readFile } from 'node:fs/promises'
import { createNodeClient, type NodeClient } from '../../check/node-client.js'
import { loadConfig } from '../../config/load.js'
import type { NodeConfig } from '../../config/types.js'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import type { NodePaths } from '../types.js'

/** How this machine reaches the node that its configuration describes. */
export interface NodeAccess {
  readonly config: NodeConfig
  /** "http://127.0.0.1:8913/" */
  readonly url: string
  readonly client: NodeClient
  /** Of the node, PEM; undefined: it serves plain HTTP. */
  readonly certificate: string | undefined
}

/**
 * Reads the configuration as the service starts with it (`pulsar --mode uwsgi --config PREFIX/etc`, in that directory, without
 * variables of ours).
 * @throws MagnetarError CONFIG_INVALID, CONFIG_UNREADABLE, CERTIFICATE_UNREADABLE; the signal's reason when aborted
 */
export async function readNodeAccess(
  paths: Pick<NodePaths, 'etc'>,
  signal: AbortSignal,
): Promise<NodeAccess> {
  const config = await loadConfig({
    configDirectory: paths.etc,
    mode: 'uwsgi',
    env: {},
    cwd: paths.etc,
    signal,
  }).catch((error: unknown) => {
    // Of a file that was not read to its end, not of the configuration.
    signal.throwIfAborted()
    throw error
  })
  const { sslPem } = config.server
  const certificate = sslPem === undefined ? undefined : await readCertificate(sslPem, signal)
  const url = localUrl(config.server)
  return {
    config,
    url,
    certificate,
    client: createNodeClient({ url, token: config.privateToken, certificate }),
  }
}

/** Where a node that listens at `host` is reached from its own machine. */
export function localUrl({ host, port, sslPem }: NodeConfig['server']): string {
  const everywhere: Readonly<Record<string, string>> = {
    '0.0.0.0': '127.0.0.1',
    '::': '::1',
    '': '127.0.0.1',
  }
  const address = everywhere[host] ?? host
  const name = address.includes(':') ? `[${address}]` : address
  return `${sslPem === undefined ? 'http' : 'https'}://${name}:${port}/`
}

export async function readCertificate(file: string, signal: AbortSignal): Promise<string> {
  try {
    const pem = await readFile(file, { encoding: 'utf8', signal })
    // The file holds the key as well, which is of no use here.
    return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).join('\n')
  } catch (error) {
    throw new MagnetarError('CERTIFICATE_UNREADABLE', `cannot read ssl_pem ${file}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
