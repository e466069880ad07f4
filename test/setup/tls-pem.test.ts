import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { copyFile, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { MagnetarError } from '../../src/lib/errors.js'
import { makePlan } from '../../src/setup/plan.js'
import { appYmlStep } from '../../src/setup/steps/app-yml.js'
import { directoriesStep } from '../../src/setup/steps/directories.js'
import { serverIniStep } from '../../src/setup/steps/server-ini.js'
import { checkPemFiles, joinPem, tlsPemStep } from '../../src/setup/steps/tls-pem.js'
import type { SetupContext } from '../../src/setup/types.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { contextFor, setUp } from './context-fixture.js'

function opensslMissing(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'openssl makes the certificates; install it'
  }
}

const DAYS = 30
const DAY_MS = 86_400_000
const steps = [directoriesStep, appYmlStep, serverIniStep, tlsPemStep]

describe('the TLS certificate', needs(opensslMissing()), () => {
  let directory = ''
  const file = (name: string): string => join(directory, name)
  const pem = (name: string): { file: string; text: string } => ({
    file: file(name),
    text: readFileSync(file(name), 'utf8'),
  })

  beforeAll(async () => {
    directory = await tempDirectory()
    for (const name of ['a', 'b']) {
      const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', String(DAYS)]
      const output = ['-subj', `/CN=${name}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)]
      execFileSync('openssl', ['req', '-x509', ...kind, ...output], { stdio: 'ignore' })
    }
    const locked = ['-in', file('a.key'), '-aes256', '-passout', 'pass:x', '-out', file('locked.key')]
    execFileSync('openssl', ['pkey', ...locked], { stdio: 'ignore' })
    await writeFile(file('empty'), 'nothing\n')
  })

  const refused = (certificate: string, key: string, now?: Date): MagnetarError => {
    try {
      joinPem(pem(certificate), pem(key), now)
    } catch (error) {
      if (error instanceof MagnetarError) return error
      throw error
    }
    throw new Error('expected a refusal')
  }

  it('and its key are one text', () => {
    const { text, notes } = joinPem(pem('a.crt'), pem('a.key'))
    expect(notes).toEqual([])
    expect(text.match(/-----BEGIN [A-Z ]+-----/g)).toEqual([
      '-----BEGIN PRIVATE KEY-----',
      '-----BEGIN CERTIFICATE-----',
    ])
    expect(text).toContain(pem('a.crt').text.trim())
  })

  it.each([
    ['a.crt', undefined, undefined],
    ['a.crt', 'a.key', undefined],
    ['empty', undefined, 'holds no certificate'],
    ['none', undefined, 'none cannot be read: it does not exist'],
    ['a.crt', 'b.key', 'does not belong to the certificate'],
    ['a.crt', 'locked.key', 'protected by a passphrase'],
    ['pipe', undefined, 'it is not a regular file'],
  ])('a question looks at %s and %s without waiting', async (certificate, key, message) => {
    if (certificate === 'pipe') execFileSync('mkfifo', [file('pipe')])
    const checked = checkPemFiles(file(certificate), key && file(key), AbortSignal.timeout(20_000))
    if (message === undefined) await expect(checked).resolves.toBeUndefined()
    else
      await expect(checked).rejects.toMatchObject({
        code: 'ANSWER_INVALID',
        message: expect.stringContaining(message),
      })
  })

  it.each([
    ['that belong to others', 'a.crt', 'b.key', 'does not belong to the certificate'],
    ['where there is no certificate', 'empty', 'a.key', 'holds no certificate'],
    ['where there is no key', 'a.crt', 'empty', 'holds no private key'],
    ['with a passphrase', 'a.crt', 'locked.key', 'protected by a passphrase'],
  ])('is refused with files %s', (_what, certificate, key, message) => {
    const error = refused(certificate, key)
    expect(error).toMatchObject({ code: 'ANSWER_INVALID', message: expect.stringContaining(message) })
    expect(error.message).not.toContain('BEGIN PRIVATE')
  })

  it('is refused when it is not valid now', () => {
    const later = new Date(Date.now() + (DAYS + 1) * DAY_MS)
    expect(refused('a.crt', 'a.key', later).message).toContain('expired on')
    expect(refused('a.crt', 'a.key', new Date(Date.now() - DAY_MS)).message).toContain('valid only from')
  })

  it('is told about when it ends soon', () => {
    const soon = new Date(Date.now() + (DAYS - 3) * DAY_MS)
    expect(joinPem(pem('a.crt'), pem('a.key'), soon).notes).toEqual([expect.stringContaining('expires on')])
  })

  async function makeContext(): Promise<SetupContext> {
    const base = await tempDirectory()
    await copyFile(file('a.crt'), join(base, 'crt'))
    await copyFile(file('a.key'), join(base, 'key'))
    const answers = { tlsCert: join(base, 'crt'), tlsKey: join(base, 'key'), host: '0.0.0.0' }
    return contextFor({ root: false, prefix: join(base, 'pulsar'), answers })
  }

  it('is what the server speaks HTTPS with in the mode that its service starts it in', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    const { etc, tlsPem } = context.paths
    const config = await loadConfig({ configDirectory: etc, mode: 'uwsgi', env: {}, cwd: etc })
    expect(config.server).toMatchObject({ host: '0.0.0.0', sslPem: tlsPem })
    expect((await stat(tlsPem)).mode & 0o777).toBe(0o600)
  })

  it('is replaced when it was renewed, and stays when its files are gone', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    const again = { ...context, manifest: plan.manifest }
    expect((await makePlan(again, steps)).changes).toEqual([])

    await copyFile(file('b.crt'), context.answers.tlsCert ?? '')
    await copyFile(file('b.key'), context.answers.tlsKey ?? '')
    const renewed = await setUp(again, steps)
    expect(renewed.changes).toMatchObject([{ kind: 'file', path: context.paths.tlsPem, secretKeys: ['*'] }])
    expect(await readFile(context.paths.tlsPem, 'utf8')).toContain(pem('b.crt').text.trim())

    await rm(context.answers.tlsCert ?? '')
    const gone = await makePlan({ ...context, manifest: renewed.manifest }, steps)
    expect({ changes: gone.changes, manifest: gone.manifest }).toEqual({
      changes: [],
      manifest: renewed.manifest,
    })
    expect(gone.notes).toEqual([expect.stringContaining('the TLS certificate stays as it is')])
    const asked = contextFor({ ...context, prefix: context.paths.prefix, root: false, explicit: ['tlsCert'] })
    await expect(makePlan({ ...asked, answers: context.answers }, steps)).rejects.toMatchObject({
      code: 'ANSWER_INVALID',
    })
  })

  it('goes when the node is to serve plain HTTP again', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    const answers = { ...context.answers, tlsCert: undefined, tlsKey: undefined }
    await setUp({ ...context, answers, manifest: plan.manifest }, steps)
    await expect(stat(context.paths.tlsPem)).rejects.toThrow('ENOENT')
    expect(await readFile(context.paths.serverIni, 'utf8')).not.toMatch(/^ssl_pem/m)
  })
})
