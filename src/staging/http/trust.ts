import fs from 'node:fs'
import tls from 'node:tls'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { readSystemAuthorities } from '../../lib/system-authorities.js'
import { CA_OPTION } from './option-names.js'

/**
 * Reads the PEM file of a private authority.
 * @throws MagnetarError CONFIG_UNREADABLE
 */
export function readAuthority(file: string): string {
  let text: string
  try {
    text = fs.readFileSync(file, 'utf8')
    tls.createSecureContext({ ca: text })
  } catch (error) {
    throw new MagnetarError('CONFIG_UNREADABLE', `${CA_OPTION} ${file} cannot be used: ${messageOf(error)}`, {
      cause: error,
    })
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new MagnetarError('CONFIG_UNREADABLE', `${CA_OPTION} ${file} holds no certificate in PEM form`)
  }
  return text
}

/**
 * Whom connections to Galaxy trust: Node's own list, what this machine's admin trusts (the system's bundle, SSL_CERT_FILE as
 * OpenSSL and Python read it, NODE_EXTRA_CA_CERTS), and the node's own authority.
 */
export function createTrust(authority: string | undefined, log: Logger): tls.SecureContext {
  const own = authority === undefined ? [] : [authority]
  const system = readSystemAuthorities()
  try {
    return tls.createSecureContext({ ca: [...tls.rootCertificates, ...system, ...own] })
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'a bundle of certificates of this machine is broken; not used')
    return tls.createSecureContext({ ca: [...tls.rootCertificates, ...own] })
  }
}
