import { lstat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { findJobProcesses, type JobProcess } from '../../schedulers/processes-probe.js'
import { notTheUser } from '../as-user.js'
import { defineExamination } from '../define-examination.js'

/** A script's last processes end just after it has written its return code. */
const AFTER_END_MS = 60_000

/** What jobs have left running. */
export const processes = defineExamination({
  id: 'processes',
  title: 'processes',
  group: 'Jobs',
  findings: {
    'process-orphaned': {
      state: 'warn',
      meaning:
        'a process of a job runs though the job is over: its directory is gone, or its return code was written more than a minute ago',
      fix: '`kill PID`, once you have looked at what it is: `ps -fp PID`',
    },
  },
  async examine(facts) {
    const { account, user, staging } = facts
    if (!account.isRoot && account.uid !== user?.uid)
      return [{ id: 'processes', state: 'left-out', message: notTheUser(facts) }]
    const found = await findJobProcesses(staging)
    const orphaned: JobProcess[] = []
    for (const each of found) if (await isOver(each.directory)) orphaned.push(each)
    if (orphaned.length === 0) {
      const running = new Set(found.map(({ directory }) => directory)).size
      return [
        {
          id: 'processes',
          state: 'ok',
          message: `${running === 0 ? 'no' : running} job${running === 1 ? '' : 's'} on this machine`,
        },
      ]
    }
    const of = [...new Set(orphaned.map(({ directory }) => basename(directory)))].slice(0, 3).join(', ')
    const pids = orphaned.map(({ pid }) => pid)
    return [
      {
        id: 'process-orphaned',
        state: 'warn',
        message: `${pids.length} process${pids.length === 1 ? '' : 'es'} of jobs that are over (${of})`,
        fix: {
          text: `Look at what it is (ps -fp ${pids.join(',')}), then:`,
          command: `kill ${pids.join(' ')}`,
        },
      },
    ]
  },
})

async function isOver(directory: string): Promise<boolean> {
  const isThere = await lstat(directory).then(
    () => true,
    () => false,
  )
  if (!isThere) return true
  const ended = await lstat(join(directory, 'return_code')).catch(() => undefined)
  return ended !== undefined && Date.now() - ended.mtimeMs > AFTER_END_MS
}
