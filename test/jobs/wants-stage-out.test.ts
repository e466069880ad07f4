import { describe, expect, it } from 'vitest'
import { wantsStageOut } from '../../src/jobs/wants-stage-out.js'

describe('whether this node delivers outputs', () => {
  it.each([
    [null, false],
    [{}, false],
    [{ default_action: 'none', paths: [{ path: '/x', action: 'copy' }] }, false],
    [{ default_action: 'remote_transfer' }, true],
    [{ default_action: 'none', paths: [{ path: '/x', action: 'remote_copy' }] }, true],
    [{ default_action: 'unheard_of' }, true],
  ])('%j: %j', (mapper, delivers) => {
    expect(wantsStageOut({ action_mapper: mapper, client_outputs: {} })).toBe(delivers)
    expect(wantsStageOut({ action_mapper: mapper })).toBe(false)
  })

  it('is not so without staging', () => {
    expect(wantsStageOut(null)).toBe(false)
    expect(wantsStageOut({})).toBe(false)
  })
})
