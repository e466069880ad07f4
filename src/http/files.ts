import fs from 'node:fs'
import path from 'node:path'
import { disk } from '../jobs/disk/disk.js'
import type { JobFilePath } from '../jobs/types.js'
import { SMALL_FILE_BYTES, sendFile } from './send-file.js'
import type { Exchange, Reply, Route } from './types.js'
import { receiveFile } from './upload.js'

/** Files of a job (pulsar/web/routes.py: upload_file, download_output, output_path). HEAD is ours, for resuming clients. */
export const fileRoutes: readonly Route[] = [
  { method: 'POST', path: '/jobs/{job_id}/files', handle: upload },
  { method: 'GET', path: '/jobs/{job_id}/files', handle: download },
  { method: 'HEAD', path: '/jobs/{job_id}/files', handle: download },
  { method: 'GET', path: '/jobs/{job_id}/files/path', handle: tellPath },
]

/** Types whose paths follow the rule of downloads; all others that of uploads. */
const DOWNLOAD_TYPES = new Set(['output', 'output_workdir', 'output_metadata'])

async function upload(exchange: Exchange): Promise<Reply> {
  const { manager, jobId, query } = exchange
  const type = query.require('type')
  const name = query.require('name')
  const cacheToken = query.get('cache_token')
  const cached = cacheToken ? await exchange.cache.open(cacheToken) : undefined
  try {
    const { base, components } = await manager.uploadPath(jobId, type, name)
    if (cached) await disk.copyFile(base, components, cached.fd)
    else await receiveFile(exchange, base, components)
    return pathReply({ base, components })
  } finally {
    if (cached) fs.closeSync(cached.fd)
  }
}

async function download(exchange: Exchange): Promise<Reply> {
  const { manager, jobId, query } = exchange
  const { base, components } = manager.downloadPath(
    jobId,
    query.get('type') ?? 'output',
    query.require('name'),
  )
  await sendFile(exchange, await disk.readSmallFile(base, components, SMALL_FILE_BYTES))
  return 'sent'
}

/** Answers where a file is or would be; a client on the same file system then copies it there, so its directory is made. */
async function tellPath({ manager, jobId, query }: Exchange): Promise<Reply> {
  const type = query.require('type')
  const name = query.require('name')
  if (DOWNLOAD_TYPES.has(type)) return pathReply(manager.downloadPath(jobId, type, name))
  const found = await manager.uploadPath(jobId, type, name)
  await disk.makeParents(found.base, found.components)
  return pathReply(found)
}

function pathReply({ base, components }: JobFilePath): Reply {
  return { json: { path: path.join(base, ...components) } }
}
