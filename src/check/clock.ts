import type { NodeClient } from './node-client.js'
import { CheckProblem, type Finding, LeftOut } from './types.js'

/** As munge allows at the most (its default time-to-live): beyond it Slurm refuses its own machines. */
const FAIL_S = 300
const WARN_S = 30

const WHY =
  'Slurm (munge), certificates and the ages of files go by it; jobs then fail in ways that do not tell why.'

/**
 * Compares the node's clock with this machine's, by the Date of an answer, which has whole seconds.
 * @throws CheckProblem of kind clock; LeftOut when the server sends no date; NodeUnreachable
 */
export async function checkClock(client: NodeClient, signal: AbortSignal): Promise<Finding<void>> {
  const before = Date.now()
  const { headers } = await client.call('GET', 'healthz', { signal })
  const here = (before + Date.now()) / 2
  const there = Date.parse(headers.date ?? '')
  if (Number.isNaN(there)) throw new LeftOut({ message: 'left out: the answers of the server have no Date' })
  // The middle of the second that it stands for.
  const off = (there + 500 - here) / 1000
  const seconds = Math.round(Math.abs(off))
  if (seconds < 2) return { value: undefined, message: 'as here' }
  const message = `the node is ${describeSeconds(seconds)} ${off > 0 ? 'ahead of' : 'behind'} this machine`
  const fix =
    'See which one is wrong: date -u on both. There: timedatectl set-ntp true, or, where it says that NTP is not supported, install chrony'
  if (seconds > FAIL_S) throw new CheckProblem('clock', { message, why: WHY, fix })
  return { value: undefined, message, ...(seconds > WARN_S ? { warning: { why: WHY, fix } } : {}) }
}

function describeSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`
}
