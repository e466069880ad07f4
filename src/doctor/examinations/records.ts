import { defineExamination } from '../define-examination.js'
import type { DoctorFacts, Finding } from '../types.js'

const DIRECTORY = 'persistence_directory/magnetar-store'

/** What the server knows of its jobs, as it will find it at its next start. */
export const records = defineExamination({
  id: 'records',
  title: 'job records',
  group: 'Jobs',
  // A copy of them is made, as large as they are.
  timeoutMs: 20_000,
  findings: {
    'records-broken': {
      state: 'fail',
      meaning: 'the records of jobs cannot be opened: the server will not start',
      fix: `look at the disk; put ${DIRECTORY} back from a backup, or set it aside with \`mv\`: jobs that were under way are not known any more then`,
    },
    'records-missing': {
      state: 'warn',
      meaning:
        'there are directories of jobs, but no records: these were removed, and the server will start knowing none of its jobs',
      fix: `put ${DIRECTORY} back from a backup, before the server is started`,
    },
    'records-not-copied': {
      state: 'warn',
      meaning: 'the records were not examined: no copy of them could be made, for the reason that is given',
      fix: 'as it says: mostly free space, or name another place with `TMPDIR=DIRECTORY magnetar doctor`',
    },
  },
  async examine(facts, signal) {
    return [await judge(facts, signal)]
  },
})

type Id = 'records' | 'records-broken' | 'records-missing' | 'records-not-copied'

async function judge(
  { config, stuck, lookAtRecords }: DoctorFacts,
  signal: AbortSignal,
): Promise<Finding<Id>> {
  const leftOut = (message: string): Finding<Id> => ({ id: 'records', state: 'left-out', message })
  if (config === undefined) return leftOut('the configuration is wrong')
  if (stuck.length > 0) return leftOut('a file system does not answer')
  const look = await lookAtRecords(config, signal)
  switch (look.state) {
    case 'none':
      return { id: 'records', state: 'ok', message: 'none are kept' }
    case 'in-use':
      return { id: 'records', state: 'ok', message: 'the server has them open' }
    case 'readable':
      return look.lost === 0
        ? { id: 'records', state: 'ok', message: 'can be opened' }
        : {
            id: 'records-missing',
            state: 'warn',
            message: `${look.lost === 1 ? 'one job directory' : `${look.lost} job directories`}, but no records of jobs in ${config.persistenceDirectory}`,
            fix: {
              text: `They were removed. Put magnetar-store back from a backup before the server is started; without them it knows none of these jobs, and Galaxy is told that they are lost.`,
            },
          }
    case 'unreadable': {
      const { code, message, fix } = look.error
      if (code === 'NOT_PERMITTED') return leftOut(message)
      const isBroken = code !== 'COPY_FAILED'
      return {
        id: isBroken ? 'records-broken' : 'records-not-copied',
        state: isBroken ? 'fail' : 'warn',
        message,
        ...(fix === undefined ? {} : { fix: { text: fix } }),
      }
    }
  }
}
