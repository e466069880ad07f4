import fs from 'node:fs'

/** Where distributions keep the authorities that their admins trust: Debian, SUSE and Alpine; Red Hat. */
const SYSTEM_BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt']

/**
 * The certificate authorities that this machine's admin trusts, as PEM texts: the system's bundle, SSL_CERT_FILE as OpenSSL and
 * Python read it, NODE_EXTRA_CA_CERTS. What cannot be read is left out.
 */
export function readSystemAuthorities(env: NodeJS.ProcessEnv = process.env): string[] {
  return [...SYSTEM_BUNDLES, env.SSL_CERT_FILE, env.NODE_EXTRA_CA_CERTS].flatMap((file) => {
    if (!file) return []
    try {
      return [fs.readFileSync(file, 'utf8')]
    } catch {
      // The other distribution's place.
      return []
    }
  })
}
