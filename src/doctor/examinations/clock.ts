import { runCommand } from '../../lib/exec.js'
import { defineExamination } from '../define-examination.js'
import type { DoctorFacts, Finding } from '../types.js'

/** As `magnetar check` has them: munge allows 300 s at the most. */
const FAIL_MS = 300_000
const WARN_MS = 30_000
const TIMEOUT_MS = 3000

/** The clock, beside those of the Slurm controller and of Galaxy; where nothing can be compared, whether anything keeps it right. */
export const clock = defineExamination({
  id: 'clock',
  title: 'clock',
  group: 'Machine',
  findings: {
    'clock-off': {
      state: 'fail',
      meaning:
        'the clock differs by more than 5 minutes from that of the Slurm controller or of Galaxy: munge refuses such machines',
      fix: '`timedatectl set-ntp true` on the machine that is wrong',
    },
    'clock-drifts': {
      state: 'warn',
      meaning: 'it differs by more than 30 s',
      fix: '`timedatectl set-ntp true` on the machine that is wrong',
    },
    'clock-unkept': {
      state: 'warn',
      meaning: 'there was nothing to compare the clock with, and no time service keeps it right',
      fix: '`timedatectl set-ntp true`',
    },
  },
  async examine(facts, signal) {
    const others = await otherClocks(facts)
    const findings = others.flatMap(({ name, offMs }) => judgeClock(name, offMs))
    if (findings.length > 0) return findings
    const names = others.map(({ name }) => name).join(' and ')
    if (names !== '') return [{ id: 'clock', state: 'ok', message: `as that of ${names}` }]
    if (facts.systemd?.running !== true)
      return [{ id: 'clock', state: 'left-out', message: 'nothing to compare it with' }]
    const args = ['show', '--property=NTPSynchronized', '--value']
    const result = await runCommand('timedatectl', args, { timeoutMs: TIMEOUT_MS, signal }).catch(
      () => undefined,
    )
    const word = result?.code === 0 ? result.stdout.trim() : ''
    if (word === 'yes') return [{ id: 'clock', state: 'ok', message: 'kept right by a time service' }]
    if (word !== 'no') return [{ id: 'clock', state: 'left-out', message: 'nothing to compare it with' }]
    return [
      {
        id: 'clock-unkept',
        state: 'warn',
        message: 'no time service keeps it right',
        fix: { command: 'timedatectl set-ntp true' },
      },
    ]
  },
})

async function otherClocks({
  usesSlurm,
  slurm,
  galaxy,
}: DoctorFacts): Promise<{ name: string; offMs: number }[]> {
  const [health, contacts] = await Promise.all([usesSlurm ? slurm() : undefined, galaxy()])
  const controller = health?.settings?.clockOffMs
  return [
    ...(controller === undefined ? [] : [{ name: 'the Slurm controller', offMs: controller }]),
    ...contacts.flatMap(({ origin, clockOffMs }) =>
      clockOffMs === undefined ? [] : [{ name: new URL(origin).host, offMs: clockOffMs }],
    ),
  ]
}

/** @param offMs the other clock less ours */
export function judgeClock(name: string, offMs: number): Finding<'clock-off' | 'clock-drifts'>[] {
  const off = Math.abs(offMs)
  if (off <= WARN_MS) return []
  const seconds = Math.round(off / 1000)
  const how = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} minutes`
  const isOff = off > FAIL_MS
  return [
    {
      id: isOff ? 'clock-off' : 'clock-drifts',
      state: isOff ? 'fail' : 'warn',
      message: `it is ${how} ${offMs > 0 ? 'behind' : 'ahead of'} that of ${name}`,
      fix: { text: 'On the machine that is wrong:', command: 'timedatectl set-ntp true' },
    },
  ]
}
