import type { PeerCertificate } from 'node:tls'
import { NOT_PINNED } from './node-client.js'
import type { Target } from './target.js'
import { CheckProblem } from './types.js'

export const TLS_WHY = 'Galaxy makes no connection that it cannot verify, so no job gets to the node.'

const RENEW =
  "Put a new one into the file of ssl_pem (server.ini) or into the proxy, and restart it; for Let's Encrypt: certbot renew"

/**
 * What is wrong with a certificate. `code`: OpenSSL's name of the problem (X509_V_ERR_… without its beginning), or Node's
 * ERR_TLS_CERT_ALTNAME_INVALID.
 */
export function explainCertificate(
  { host }: Target,
  code: string,
  certificate: PeerCertificate,
): CheckProblem {
  const problem = (message: string, fix: string): CheckProblem =>
    new CheckProblem('tls', { message, why: TLS_WHY, fix })
  const names = certificate.subjectaltname?.replace(/DNS:|IP Address:/g, '') || certificate.subject?.CN
  const issuer = [certificate.issuer?.CN ?? certificate.issuer?.O ?? 'an unknown authority'].flat().join(', ')
  switch (code.replace(/^Error \[(\w+)\].*$/s, '$1')) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return problem(
        `the certificate is for ${names || 'no name at all'}, not for ${host}`,
        `Call the node by a name of its certificate, or get one for ${host}.`,
      )
    case 'CERT_HAS_EXPIRED':
      return problem(
        `the certificate, or one above it, has expired (its own end: ${certificate.valid_to})`,
        RENEW,
      )
    case 'CERT_NOT_YET_VALID':
      return problem(
        `the certificate is not valid before ${certificate.valid_from}`,
        'See whether the clock of this machine is right (timedatectl), else get another certificate.',
      )
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return problem(
        `the certificate of ${names} is signed by nobody but itself`,
        "Copy it from the node and name it here with --ca-file FILE; let Galaxy trust it too (SSL_CERT_FILE, or the system's store), or get one of a known authority.",
      )
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return problem(
        `the certificate is signed by ${issuer}, whom this machine does not know`,
        "A private authority: name its certificate with --ca-file FILE (Galaxy needs it too: SSL_CERT_FILE, or the system's store). A public one: the file of ssl_pem lacks the intermediate certificates.",
      )
    case NOT_PINNED:
      return problem(
        'the server shows another certificate than ssl_pem of its configuration has',
        'Restart the server, so that it takes the new one up; or another server has its port.',
      )
    default:
      return problem(
        `the certificate cannot be verified: ${code}`,
        `See: openssl s_client -connect ${host} -showcerts`,
      )
  }
}
