import { setTimeout as sleep } from 'node:timers/promises'

export interface TryJobReport {
  readonly status: string
  readonly output: string
  /** What went wrong, when it did. */
  readonly problem: string
  readonly ms: number
}

const POLL_MS = 50
const REQUEST_TIMEOUT_MS = 30_000
const JOB_LIMIT_MS = 120_000
const GREETING = 'Hello from Galaxy\n'

/**
 * Sends one real job over HTTP, as a client would: set up, upload, submit, watch, fetch, clean. `onStatus` is called at each
 * change of status.
 */
export async function runTryJob(
  url: string,
  token: string,
  onStatus: (status: string) => void,
): Promise<TryJobReport> {
  const id = `hello-${Date.now()}`
  const call = async (
    method: string,
    route: string,
    query: Record<string, string> = {},
    body?: string,
  ): Promise<string> => {
    const response = await fetch(new URL(`${route}?${new URLSearchParams(query)}`, url), {
      method,
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      ...(body === undefined ? {} : { body }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${text}`)
    return text
  }
  const job = JSON.parse(await call('POST', 'jobs', { job_id: id })) as {
    inputs_directory: string
    outputs_directory: string
  }
  await call('POST', `jobs/${id}/files`, { name: 'greeting.txt', type: 'input' }, GREETING)
  const command = `sleep 1; { cat '${job.inputs_directory}/greeting.txt'; echo "ran on $(hostname) with $GALAXY_SLOTS slot(s)"; } > '${job.outputs_directory}/answer.txt'`
  const started = performance.now()
  onStatus('submitted')
  await call('POST', `jobs/${id}/submit`, { command_line: command })
  for (let last = ''; ; await sleep(POLL_MS)) {
    const found = JSON.parse(await call('GET', `jobs/${id}/status`)) as {
      status: string
      complete: string
      returncode?: number
      stderr?: string
    }
    if (found.status !== last) onStatus(found.status)
    last = found.status
    const ms = performance.now() - started
    if (found.complete === 'true') {
      const good = found.status === 'complete' && found.returncode === 0
      const output = good ? await call('GET', `jobs/${id}/files`, { name: 'answer.txt', type: 'output' }) : ''
      await call('DELETE', `jobs/${id}`)
      return {
        status: found.status,
        output,
        problem: good ? '' : found.stderr || `return code ${found.returncode}`,
        ms,
      }
    }
    if (ms > JOB_LIMIT_MS) {
      await call('PUT', `jobs/${id}/cancel`)
      return {
        status: found.status,
        output: '',
        problem: `still ${found.status} after ${JOB_LIMIT_MS / 1000} s; cancelled`,
        ms,
      }
    }
  }
}
