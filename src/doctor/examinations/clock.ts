import { runCommand } from '../../lib/exec.js'
import { findProgram } from '../../lib/find-program.js'
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
      fix: 'on the machine that is wrong `timedatectl set-ntp true`, or a time service (chrony) is installed and started; a container has the clock of its host',
    },
    'clock-drifts': {
      state: 'warn',
      meaning: 'it differs by more than 30 s',
      fix: 'the same',
    },
    'clock-unkept': {
      state: 'warn',
      meaning: 'there was nothing to compare the clock with, and no time service keeps it right',
      fix: '`timedatectl set-ntp true`, or a time service (chrony) is installed and started',
    },
  },
  async examine(facts, signal) {
    const others = await otherClocks(facts)
    const off = others.filter(({ name, offMs }) => judgeClock(name, offMs, '').length > 0)
    if (off.length > 0) {
      const command = await keepRight(facts, signal)
      return off.flatMap(({ name, offMs }) => judgeClock(name, offMs, command))
    }
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
        fix: { command: await keepRight(facts, signal) },
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

/** What keeps the clock of this machine right, with what is installed here. */
async function keepRight({ systemd, env }: DoctorFacts, signal: AbortSignal): Promise<string> {
  const isThere = async (program: string): Promise<boolean> =>
    (await findProgram(program, env.PATH)) !== undefined
  const start = systemd?.running === true ? 'timedatectl set-ntp true' : 'service chrony restart'
  if (systemd?.running === true) {
    const args = ['show', '--property=CanNTP', '--value']
    const found = await runCommand('timedatectl', args, { timeoutMs: TIMEOUT_MS, signal }).catch(
      () => undefined,
    )
    if (found?.stdout.trim() !== 'no') return start
  } else if (await isThere('chronyd')) return start
  for (const [program, install] of INSTALLERS) if (await isThere(program)) return `${install} && ${start}`
  return start
}

const INSTALLERS = [
  ['apt-get', 'apt-get install -y chrony'],
  ['dnf', 'dnf install -y chrony'],
  ['zypper', 'zypper install -y chrony'],
] as const

/** @param offMs the other clock less ours */
export function judgeClock(
  name: string,
  offMs: number,
  command: string,
): Finding<'clock-off' | 'clock-drifts'>[] {
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
      fix: {
        text: '"date -u" on both shows which one is wrong. If it is this one (a container has the clock of its host, mend it there):',
        command,
      },
    },
  ]
}
