import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** Why certificates cannot be made here. */
export function opensslMissing(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'openssl makes the certificates; install it'
  }
}

export interface Authority {
  /** PEM file of its certificate. */
  readonly file: string
  /** A certificate for these names (`IP:127.0.0.1`, `DNS:localhost`). `days` -1: it has expired. */
  issue(names: string, days?: number): { readonly key: string; readonly cert: string }
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** A private certificate authority in `directory`. */
export function createAuthority(directory: string): Authority {
  const at = (name: string): string => path.join(directory, name)
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' })
  const caFile = at('ca.pem')
  openssl(
    'req',
    '-x509',
    ...EC,
    '-days',
    '3',
    '-subj',
    '/CN=A private authority',
    '-keyout',
    at('ca.key'),
    '-out',
    caFile,
  )
  let serial = 1
  return {
    file: caFile,
    issue(names, days = 2) {
      const [key, request, cert, extensions] = ['key', 'csr', 'pem', 'ext'].map((end) =>
        at(`${serial}.${end}`),
      )
      if (!key || !request || !cert || !extensions) throw new Error('no names')
      writeFileSync(extensions, `subjectAltName=${names}\n`)
      openssl('req', ...EC, '-subj', '/CN=job files', '-keyout', key, '-out', request)
      const signed = [
        '-CA',
        caFile,
        '-CAkey',
        at('ca.key'),
        '-set_serial',
        String(serial++),
        '-extfile',
        extensions,
      ]
      openssl('x509', '-req', '-in', request, '-out', cert, '-days', String(days), ...signed)
      return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
    },
  }
}
