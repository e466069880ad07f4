import { readSubmit } from './submit-request.js'
import type { Exchange, Reply, Route } from './types.js'

/** Setting up, submitting, watching, stopping and removing jobs (pulsar/web/routes.py). */
export const jobRoutes: readonly Route[] = [
  { method: 'POST', path: '/jobs', handle: setup },
  { method: 'POST', path: '/jobs/{job_id}/submit', handle: submit },
  { method: '*', path: '/jobs/{job_id}/status', handle: status },
  { method: 'PUT', path: '/jobs/{job_id}/cancel', handle: cancel },
  { method: 'DELETE', path: '/jobs/{job_id}', handle: clean },
]

async function setup({ manager, query }: Exchange): Promise<Reply> {
  const json = await manager.setup({
    jobId: query.require('job_id'),
    toolId: query.get('tool_id'),
    toolVersion: query.get('tool_version'),
  })
  return { json }
}

async function submit({ manager, jobId, query }: Exchange): Promise<Reply> {
  await manager.submit(jobId, readSubmit(query))
  return 'ok'
}

async function status({ manager, jobId }: Exchange): Promise<Reply> {
  return { json: await manager.status(jobId) }
}

async function cancel({ manager, jobId }: Exchange): Promise<Reply> {
  await manager.cancel(jobId)
  return 'ok'
}

async function clean({ manager, jobId }: Exchange): Promise<Reply> {
  await manager.clean(jobId)
  return 'ok'
}
