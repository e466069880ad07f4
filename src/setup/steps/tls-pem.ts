import { createPrivateKey, X509Certificate } from 'node:crypto'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { readSmallFile } from '../../lib/small-file.js'
import { defineStep } from '../define-step.js'
import { currentText, type InspectedFile, inspectConfigFile, planConfigFile } from '../files/config-file.js'
import { mergeWhole } from '../files/managed-file.js'
import { isExplicit, type SetupContext } from '../types.js'

interface State {
  readonly file: InspectedFile
  readonly wanted: WantedPem
}

type WantedPem =
  | { readonly kind: 'none' }
  | { readonly kind: 'pem'; readonly text: string; readonly notes: readonly string[] }
  /** The files of the last setup are gone; what they held is in place. */
  | { readonly kind: 'keep'; readonly note: string }

const STEP = 'tls-pem'
const DAY_MS = 86_400_000
const SOON_DAYS = 14

/** etc/server.pem: key and certificate in one file, as ssl_pem wants it. */
export const tlsPemStep = defineStep<State>({
  id: STEP,
  title: 'TLS certificate and key',
  async inspect(context) {
    const file = await inspectConfigFile(context.paths.tlsPem, context)
    return { file, wanted: await readWanted(context, currentText(file) !== undefined) }
  },
  plan(context, { file, wanted }) {
    const { manifest, paths, sources, force } = context
    const current = currentText(file)
    const written = manifest?.files[paths.tlsPem]
    const common = {
      step: STEP,
      path: paths.tlsPem,
      what: 'the TLS key and certificate',
      secret: true,
      // There is no "key: value" in it that could be shown.
      secretKeys: [WHOLE_FILE],
    }
    if (wanted.kind === 'keep') {
      const nothing = { text: current, managed: written ?? {}, backup: false, conflicts: [] }
      return planConfigFile(context, file, { ...common, ...nothing, notes: [wanted.note] })
    }
    const pem = wanted.kind === 'pem' ? wanted : undefined
    const { action, ...merged } = mergeWhole({
      path: paths.tlsPem,
      current,
      wanted: pem?.text,
      explicit: isExplicit(sources.tlsCert),
      written,
      force,
    })
    return planConfigFile(context, file, {
      ...common,
      text: action === 'none' ? current : action === 'write' ? pem?.text : undefined,
      ...merged,
      notes: [...merged.notes, ...(pem?.notes ?? [])],
    })
  },
})

/** In secretKeys: every line is secret. */
export const WHOLE_FILE = '*'

async function readWanted({ answers, sources, signal }: SetupContext, isThere: boolean): Promise<WantedPem> {
  const { tlsCert, tlsKey } = answers
  if (tlsCert === undefined || tlsKey === undefined) return { kind: 'none' }
  try {
    const [certificate, key] = await Promise.all([readPem(tlsCert, signal), readPem(tlsKey, signal)])
    return { kind: 'pem', ...joinPem(certificate, key) }
  } catch (error) {
    if (!isThere || isExplicit(sources.tlsCert)) throw error
    return { kind: 'keep', note: `the TLS certificate stays as it is: ${messageOf(error)}` }
  }
}

/**
 * A look at the files that somebody names, before anything is made of them; the key once it is known too.
 * @throws MagnetarError ANSWER_INVALID as `joinPem`, and when a file cannot be read; the signal's reason when aborted
 */
export async function checkPemFiles(
  tlsCert: string,
  tlsKey: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const certificate = await readPem(tlsCert, signal)
  if (tlsKey === undefined) requireValid(parseCertificate(certificate), certificate.file, new Date())
  else joinPem(certificate, await readPem(tlsKey, signal))
}

async function readPem(file: string, signal: AbortSignal): Promise<PemFile> {
  try {
    return { file, text: await readSmallFile(file, signal) }
  } catch (error) {
    signal.throwIfAborted()
    throw new MagnetarError('ANSWER_INVALID', `${file} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

interface PemFile {
  readonly file: string
  readonly text: string
}

/**
 * Key and certificate as one text, after a look at both. `notes`: it ends soon.
 * @throws MagnetarError ANSWER_INVALID when they are no such things, do not belong together, or are not valid now
 */
export function joinPem(
  certificate: PemFile,
  key: PemFile,
  now = new Date(),
): { readonly text: string; readonly notes: readonly string[] } {
  const parsed = parseCertificate(certificate)
  const privateKey = parseKey(key)
  if (!parsed.checkPrivateKey(privateKey))
    throw invalid(
      `the key ${key.file} does not belong to the certificate ${certificate.file}`,
      'Name the two files that were issued together; the certificate of the server stands first in its file, before its chain.',
    )
  const to = requireValid(parsed, certificate.file, now)
  const daysLeft = Math.floor((to.getTime() - now.getTime()) / DAY_MS)
  const notes =
    daysLeft < SOON_DAYS
      ? [`the TLS certificate expires on ${day(to)}; run setup again when it is renewed`]
      : []
  return { text: [key, certificate].map(({ text }) => `${text.trim()}\n`).join(''), notes }
}

/** When it ends. */
function requireValid(certificate: X509Certificate, file: string, now: Date): Date {
  const from = new Date(certificate.validFrom)
  const to = new Date(certificate.validTo)
  if (to <= now) throw invalid(`the certificate ${file} expired on ${day(to)}`, 'Renew it first.')
  if (from > now)
    throw invalid(
      `the certificate ${file} is valid only from ${day(from)} on`,
      'Check the clock of this machine.',
    )
  return to
}

function parseCertificate({ file, text }: PemFile): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch (error) {
    throw invalid(
      `${file} holds no certificate in PEM form`,
      'It must have a line -----BEGIN CERTIFICATE-----.',
      error,
    )
  }
}

function parseKey({ file, text }: PemFile): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(text)
  } catch (error) {
    if (/ENCRYPTED/.test(text))
      throw invalid(
        `the key ${file} is protected by a passphrase, which nobody could type when the server starts`,
        `Decrypt it first: openssl pkey -in ${file} -out server.key`,
        error,
      )
    throw invalid(
      `${file} holds no private key in PEM form`,
      'It must have a line -----BEGIN PRIVATE KEY-----.',
      error,
    )
  }
}

function invalid(message: string, fix: string, cause?: unknown): MagnetarError {
  return new MagnetarError('ANSWER_INVALID', message, { fix, cause })
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}
