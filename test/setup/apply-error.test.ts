import { describe, expect, it } from 'vitest'
import { MagnetarError, toMagnetarError } from '../../src/lib/errors.js'
import { applyError, nameChange } from '../../src/setup/apply/apply-error.js'
import { reasonOf } from '../../src/setup/apply/apply-reason.js'
import type { FileChange } from '../../src/setup/types.js'

const change: FileChange = {
  kind: 'file',
  step: 'app-yml',
  title: 'create /srv/pulsar/etc/app.yml',
  counts: 'file',
  path: '/srv/pulsar/etc/app.yml',
  mode: 0o600,
  owner: undefined,
  before: 'private_token: old-secret\n',
  after: 'private_token: new-secret\n',
  secretKeys: ['private_token'],
  backup: false,
}

const nothing = { kept: [], undone: [], notUndone: [], left: [], mayBeLeft: [], warnings: [] }

function failed(
  code: string,
  text = `${code}: it failed, open '/proc/self/fd/21/.app.yml.magnetar-new'`,
): Error {
  return Object.assign(new Error(text), { code })
}

describe('the error of a plan', () => {
  it.each([
    ['EACCES', false, 'NOT_PERMITTED', 'this user may not do that', 'Run it as root'],
    ['EPERM', true, 'SETUP_FAILED', 'not even root may do that', 'Correct that'],
    ['ENOSPC', true, 'SETUP_FAILED', 'no space or no inodes left', 'df -h /srv/pulsar/etc'],
    ['EDQUOT', false, 'SETUP_FAILED', 'quota is used up', 'df -h /srv/pulsar/etc'],
    ['EROFS', true, 'SETUP_FAILED', 'the file system is read-only', 'Correct that'],
    ['EWHATEVER', true, 'SETUP_FAILED', "it failed, open '.app.yml.magnetar-new'", 'Correct that'],
  ])('for %s (root: %s) is %s, says why and what to do', (errno, isRoot, code, why, fix) => {
    const error = applyError(change, failed(errno), nothing, { isRoot, keep: false })
    expect(error.code).toBe(code)
    expect(error.message).toMatch(
      /^could not create \/srv\/pulsar\/etc\/app\.yml: .*\. Nothing else was changed\.$/,
    )
    expect(error.message).toContain(why)
    expect(error.message).toContain(errno)
    expect(error.message).not.toContain('/proc/')
    expect(error.fix).toContain(fix)
  })

  it('for a full disk that was told as such keeps the meaning, not the advice for jobs', () => {
    const full = toMagnetarError(failed('ENOSPC'))
    const error = applyError(change, full, nothing, { isRoot: true, keep: false })
    expect(error).toMatchObject({ code: 'SETUP_FAILED', fix: expect.stringContaining('df -h') })
    expect(error.message).toContain('no space')
    expect(error.message).not.toContain('job')
  })

  it('holds no secret', () => {
    const error = applyError(
      change,
      new Error('no'),
      { ...nothing, left: [nameChange(change)] },
      { isRoot: true, keep: true },
    )
    expect(JSON.stringify([error, error.message, error.details])).not.toMatch(/secret/)
    expect(error.details.failed).toEqual({
      step: 'app-yml',
      kind: 'file',
      title: 'create /srv/pulsar/etc/app.yml',
      path: '/srv/pulsar/etc/app.yml',
    })
  })

  it('says what is left of commands that were undone', () => {
    const undone = [{ ...nameChange(change), title: 'create the user pulsar' }]
    const error = applyError(
      change,
      new Error('no.'),
      { ...nothing, undone, mayBeLeft: ['/etc/passwd-'] },
      { isRoot: true, keep: false },
    )
    expect(error.message).toBe(
      'could not create /srv/pulsar/etc/app.yml: no. Undone: create the user pulsar. Everything is as it was before, except perhaps /etc/passwd-.',
    )
  })
})

describe('the list in its message', () => {
  it('is short when there are many', () => {
    const kept = Array.from({ length: 9 }, (_, index) => ({ ...nameChange(change), title: `do ${index}` }))
    const error = applyError(change, new Error('no'), { ...nothing, kept }, { isRoot: true, keep: true })
    expect(error.message).toContain('kept as --keep says: 9 changes, from "do 0" to "do 8".')
    expect(error.details.kept).toHaveLength(9)
  })
})

describe('reasonOf', () => {
  it('is the message of an error that was made for people, and of any other', () => {
    expect(reasonOf(new MagnetarError('SETUP_CONFLICT', 'in the way'), true)).toBe('in the way')
    expect(reasonOf(new Error('odd'), true)).toBe('odd')
    expect(reasonOf('odd', true)).toBe('odd')
  })
})
