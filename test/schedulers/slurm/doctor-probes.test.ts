import { expect, it } from 'vitest'
import { parsePartitions, parseSettings, readAuth } from '../../../src/schedulers/slurm/health-probe.js'
import { parseJobLine } from '../../../src/schedulers/slurm/job-probe.js'

it('the munge socket that slurm.conf names', () => {
  expect(readAuth('AuthType=auth/munge\nauthinfo = cred_expire=60,socket=/run/m/s # here\n')).toEqual({
    type: 'auth/munge',
    socket: '/run/m/s',
  })
  expect(readAuth('#AuthType=auth/slurm\n')).toEqual({ type: undefined, socket: undefined })
})

it('settings and the clock of the controller', () => {
  const text = `Configuration data as of 2026-03-01T12:00:00
AccountingStorageType   = accounting_storage/none
MinJobAge               = 300 sec
`
  const nowMs = Date.parse('2026-03-01T12:10:00')
  expect(parseSettings(text, nowMs)).toEqual({ minJobAgeS: 300, hasAccounting: false, clockOffMs: -599_500 })
  expect(parseSettings('AccountingStorageType = accounting_storage/slurmdbd', nowMs)).toEqual({
    minJobAgeS: undefined,
    hasAccounting: true,
    clockOffMs: undefined,
  })
})

it('partitions with the nodes that take jobs', () => {
  const lines = [
    ['short*', 'up', '2', 'idle'],
    ['short*', 'up', '1', 'down*'],
    ['long', 'up', '3', 'drained'],
    ['long', 'up', '1', 'idle*'],
    ['old', 'inact', '1', 'mixed-'],
  ]
  expect(parsePartitions(lines.map((fields) => fields.join('\x1f')).join('\n'))).toEqual([
    { name: 'short', isDefault: true, availability: 'up', nodes: 3, usable: 2 },
    { name: 'long', isDefault: false, availability: 'up', nodes: 4, usable: 0 },
    { name: 'old', isDefault: false, availability: 'inact', nodes: 1, usable: 1 },
  ])
})

it('a job that ended', () => {
  const line =
    'JobId=7 JobName=magnetar-doctor JobState=FAILED Reason=NonZeroExitCode Dependency=(null) ExitCode=40:0 BatchHost=c12 '
  expect(parseJobLine(line)).toEqual({
    state: 'FAILED',
    reason: 'NonZeroExitCode',
    exitCode: 40,
    node: 'c12',
  })
})
