import { hostname } from 'node:os'
import type { SlurmHealth } from '../../schedulers/slurm/health-probe.js'
import { defineExamination } from '../define-examination.js'
import { noteOnVersion } from '../slurm-versions.js'
import type { DoctorFacts, Finding } from '../types.js'

/** Without accounting the node has to ask within this time how a job ended; it asks every 10 s at least. */
const MIN_JOB_AGE_S = 60

/** Commands, munge, controller, settings. */
export const slurm = defineExamination({
  id: 'slurm',
  title: 'Slurm',
  group: 'Slurm',
  timeoutMs: 15_000,
  findings: {
    'slurm-missing': {
      state: 'fail',
      meaning: 'commands of Slurm are not on this machine; DRMAA managers need them too',
      fix: '`apt install slurm-client` (or that of the distribution), with the slurm.conf and the munge key of the cluster',
    },
    'munge-down': {
      state: 'fail',
      meaning: 'munge, with which Slurm knows who asks, does not answer on this machine',
      fix: '`systemctl restart munge`',
    },
    'slurm-down': {
      state: 'fail',
      meaning: 'the controller (slurmctld) does not answer; jobs keep their state, and new ones wait',
      fix: '`systemctl restart slurmctld` on the machine of the controller',
    },
    'min-job-age': {
      state: 'warn',
      meaning:
        'Slurm forgets jobs sooner than a minute after their end (MinJobAge) and keeps no accounting: how a job ended may be lost',
      fix: '`MinJobAge=300` in slurm.conf of the controller, then `scontrol reconfigure`',
    },
  },
  async examine(facts) {
    if (!facts.usesSlurm) return [{ id: 'slurm', state: 'left-out', message: 'not used' }]
    return judge(await facts.slurm(), facts)
  },
})

type Id = 'slurm' | 'slurm-missing' | 'munge-down' | 'slurm-down' | 'min-job-age'

function judge(
  { missing, munge, controller, settings, version }: SlurmHealth,
  facts: DoctorFacts,
): Finding<Id>[] {
  if (missing.length > 0)
    return [
      {
        id: 'slurm-missing',
        state: 'fail',
        message: `there is no ${missing.join(', ')} on this machine`,
        fix: { text: 'On Debian and Ubuntu:', command: 'apt install slurm-client' },
      },
    ]
  const findings: Finding<Id>[] = []
  const service = (name: string): string =>
    facts.systemd?.running === true ? `systemctl restart ${name}` : `service ${name} restart`
  if (munge)
    findings.push({
      id: 'munge-down',
      state: 'fail',
      message: munge.installed ? `munge does not work here: ${munge.why}` : 'munge is not installed',
      fix: { command: munge.installed ? service('munge') : 'apt install munge' },
    })
  // Without munge nobody is answered, and the controller need not be down.
  if (!controller.up && !munge) {
    const isHere = controller.host !== undefined && controller.host === hostname().split('.')[0]
    const where = controller.host === undefined || isHere ? '' : `On ${controller.host}: `
    findings.push({
      id: 'slurm-down',
      state: 'fail',
      message: `the controller does not answer: ${controller.why}`,
      fix: { ...(where === '' ? {} : { text: where.trim() }), command: service('slurmctld') },
    })
  }
  const age = settings?.minJobAgeS
  // 0: never forgotten (man slurm.conf).
  if (age !== undefined && age > 0 && age < MIN_JOB_AGE_S && settings?.hasAccounting === false)
    findings.push({
      id: 'min-job-age',
      state: 'warn',
      message: `Slurm forgets jobs ${age} s after their end (MinJobAge), and keeps no accounting`,
      fix: {
        text: 'Set MinJobAge=300 in slurm.conf on the machine of the controller, then:',
        command: 'scontrol reconfigure',
      },
    })
  if (findings.length > 0) return findings
  const note = version === undefined ? undefined : noteOnVersion(version, new Date())
  return [
    {
      id: 'slurm',
      state: 'ok',
      message: `${version ?? ''}, munge and controller answer${note === undefined ? '' : `; ${note}`}`,
    },
  ]
}
