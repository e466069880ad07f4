import { describe, expect, it } from 'vitest'
import { copy } from '../../../src/staging/actions/copy.js'
import { findAction } from '../../../src/staging/actions/index.js'
import { none } from '../../../src/staging/actions/none.js'
import { rewrite } from '../../../src/staging/actions/rewrite.js'
import { transfer } from '../../../src/staging/actions/transfer.js'
import { TransferError } from '../../../src/staging/transfer-error.js'
import { describeStagingAction } from '../../conformance/staging-action.js'
import { createTransferTools } from '../../helpers/transfer-tools.js'

for (const action of [none, rewrite, transfer, copy])
  describeStagingAction({ action, open: async () => ({}) })

describe('the registry of actions', () => {
  it.each([
    ['none', 'nobody'],
    ['rewrite', 'nobody'],
    ['transfer', 'client'],
    ['copy', 'client'],
    ['remote_copy', 'node'],
    ['remote_transfer', 'node'],
    ['remote_transfer_tus', 'node'],
    ['remote_rsync_transfer', 'node'],
    ['remote_scp_transfer', 'node'],
    ['remote_object_store_copy', 'node'],
    ['message', 'node'],
  ])('knows %s, moved by the %s', (type, movedBy) => {
    expect(findAction(type)).toMatchObject({ type, movedBy })
  })

  it.each([
    'json_transfer',
    '',
    'toString',
    `x${'y'.repeat(1000)}`,
  ])('refuses %j for good, by name', (type) => {
    let failure: unknown
    try {
      findAction(type)
    } catch (error) {
      failure = error
    }
    expect(failure).toBeInstanceOf(TransferError)
    expect(failure).toMatchObject({
      transient: false,
      message: expect.stringContaining(`"${type.slice(0, 100)}`),
    })
    expect(String(failure).length).toBeLessThan(500)
  })
})

describe('remote_object_store_copy', () => {
  it('fails for good both ways and says what to use instead', async () => {
    const { stageIn, stageOut } = findAction('remote_object_store_copy')
    const spec = { action_type: 'remote_object_store_copy', path: '/galaxy/dataset_1.dat' }
    const file = { base: '/nowhere', components: ['f'] }
    for (const stage of [stageIn, stageOut]) {
      const failure = await stage?.(spec, file, createTransferTools()).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(TransferError)
      expect(failure).toMatchObject({
        transient: false,
        message: expect.stringMatching(
          /remote_object_store_copy.*\/galaxy\/dataset_1\.dat.*use remote_transfer, or remote_copy/,
        ),
      })
    }
  })
})
