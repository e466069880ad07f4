import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { errnoOf, messageOf } from '../../lib/errors.js'
import { defineExamination } from '../define-examination.js'
import type { Finding } from '../types.js'

const DAY_MS = 86_400_000
/** As `magnetar check` has it. */
const SOON_DAYS = 14

/** The file of ssl_pem. */
export const certificate = defineExamination({
  id: 'certificate',
  title: 'certificate',
  group: 'Node',
  findings: {
    'certificate-unusable': {
      state: 'fail',
      meaning: 'the file of `ssl_pem` is not there, cannot be read, or holds no certificate with its key',
      fix: '`cat chain.pem key.pem > FILE`; whether its name is that of the URL, `magnetar check URL` tells',
    },
    'certificate-ended': {
      state: 'fail',
      meaning: 'the certificate has ended, or has not begun',
      fix: 'renew it, put it into the file of `ssl_pem`, restart the server',
    },
    'certificate-ends': { state: 'warn', meaning: 'it ends within two weeks', fix: 'the same' },
  },
  async examine({ config }) {
    if (!config)
      return [{ id: 'certificate', state: 'left-out', message: 'the configuration has to be right first' }]
    const file = config.server.sslPem
    if (file === undefined) return [{ id: 'certificate', state: 'left-out', message: 'none: plain HTTP' }]
    try {
      return [judge(file, await readFile(file, 'utf8'), Date.now())]
    } catch (error) {
      if (errnoOf(error) === 'EACCES')
        return [{ id: 'certificate', state: 'left-out', message: `left out: only its user can read ${file}` }]
      return [unusable(file, messageOf(error))]
    }
  },
})

type Id = 'certificate' | 'certificate-unusable' | 'certificate-ended' | 'certificate-ends'

function unusable(file: string, why: string): Finding<Id> {
  return {
    id: 'certificate-unusable',
    state: 'fail',
    message: `${file}: ${why}`,
    fix: {
      text: 'Put the certificate, those of its authorities and the key into it:',
      command: `cat chain.pem key.pem > ${file}`,
    },
  }
}

function judge(file: string, pem: string, nowMs: number): Finding<Id> {
  let found: X509Certificate
  try {
    found = new X509Certificate(pem)
    if (!found.checkPrivateKey(createPrivateKey(pem)))
      return unusable(file, 'the key is not that of the certificate')
  } catch (error) {
    return unusable(file, messageOf(error))
  }
  const [begins, ends] = [Date.parse(found.validFrom), Date.parse(found.validTo)]
  const date = new Date(ends).toISOString().slice(0, 10)
  const fix = { text: `Renew it, put it into ${file}, then restart the server.` }
  if (nowMs > ends) return { id: 'certificate-ended', state: 'fail', message: `it ended on ${date}`, fix }
  if (nowMs < begins)
    return {
      id: 'certificate-ended',
      state: 'fail',
      message: `it begins on ${found.validFrom}, or the clock is wrong`,
      fix,
    }
  if (ends - nowMs < SOON_DAYS * DAY_MS)
    return { id: 'certificate-ends', state: 'warn', message: `it ends on ${date}`, fix }
  return { id: 'certificate', state: 'ok', message: `until ${date}` }
}
