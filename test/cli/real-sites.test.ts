import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSites, type Site } from '../config/real-sites.js'
import { freePort } from '../helpers/free-port.js'
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

// Every configuration that was collected from a site starts a server which answers and runs what it can.

const NOT_RUN = 'this release cannot run jobs with type: queued_condor'

const sites = await readSites()

async function start(site: Site): Promise<ServerProcess> {
  const root = await tempDirectory()
  for (const [path, content] of Object.entries(site.files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content.replaceAll('ROOT', root))
  }
  // queued_drmaa starts only where jobs can go: here to a Slurm that takes none.
  const bin = join(root, 'bin')
  await mkdir(bin)
  for (const program of ['sbatch', 'squeue', 'sacct', 'scancel', 'scontrol', 'sinfo']) {
    await writeFile(join(bin, program), '#!/bin/sh\necho "no Slurm here" >&2\nexit 1\n')
    await chmod(join(bin, program), 0o755)
  }
  const port = await freePort()
  return startServerProcess({
    command: process.execPath,
    args: [
      resolve('bin', 'magnetar.js'),
      'serve',
      '-c',
      join(root, 'etc'),
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
    ],
    cwd: root,
    env: { PATH: [bin, process.env.PATH].join(delimiter) },
    url: `http://127.0.0.1:${port}/`,
  })
}

interface Manager {
  readonly name: string
  readonly type: string
  readonly token: string
}

function managersOf(server: ServerProcess, site: Site): Manager[] {
  const listed = /ready: \S+ · managers (.*?) · /.exec(server.logs())?.[1] ?? ''
  const token = /^private_token *: *(\S+)/m.exec(site.files['etc/app.yml'] ?? '')?.[1] ?? ''
  return [...listed.matchAll(/(\S+) \((\w+)\)/g)].map(([, name = '', type = '']) => ({ name, type, token }))
}

async function call(server: ServerProcess, method: string, manager: Manager, route: string, query = {}) {
  const { name, token } = manager
  const words = new URLSearchParams({ private_token: token, job_id: 'j', ...query })
  const response = await fetch(`${server.url}managers/${name}/${route}?${words}`, { method })
  expect({ route, status: response.status }).toEqual({ route, status: 200 })
  const text = await response.text()
  return text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {}
}

describe('a server on the configuration of a real site', () => {
  const counts = { complete: 0, failed: 0, accepted: 0 }

  it.each(
    sites,
  )('starts for $name, answers for every manager, and runs the jobs that it can', async (site) => {
    const server = await start(site)
    await waitFor(() => server.logs().includes('ready: '), { what: 'start' })
    const managers = managersOf(server, site)
    expect(managers.length).toBeGreaterThan(0)
    for (const manager of managers) {
      const job = await call(server, 'POST', manager, 'jobs')
      expect(job.job_directory).toContain('/j')
      if (manager.type === 'queued_drmaa') counts.accepted += 1
      else counts[await runJob(server, manager)] += 1
    }
    expect(await server.stop()).toBe(0)
  })

  it('ran jobs on every site that has a manager for them', () => {
    expect({ sites: sites.length, ...counts }).toEqual({ sites: 14, complete: 4, failed: 12, accepted: 9 })
  })

  it('says in one line each what is not served, and shows no secret', async () => {
    const site = sites.find(({ name }) => name === 'org-bridges2')
    const server = await start(site ?? { name: '', files: {} })
    await waitFor(() => server.logs().includes('ready: '), { what: 'start' })
    const logs = server.logs()
    expect(logs.match(/message_queue_url is set: this release serves REST only/g)).toHaveLength(1)
    expect(logs.match(/sentry_dsn is set: this release does not report to Sentry/g)).toHaveLength(1)
    expect(logs).not.toMatch(/main:secret|key@sentry/)
  })
})

async function runJob(server: ServerProcess, manager: Manager): Promise<'complete' | 'failed'> {
  await call(server, 'POST', manager, 'jobs/j/submit', { command_line: 'echo ran' })
  const status = await waitFor(
    async () => {
      const found = await call(server, 'GET', manager, 'jobs/j/status')
      return found.complete === 'true' && found
    },
    { what: `end of the job of ${manager.name}`, timeoutMs: 30_000 },
  )
  if (status.status === 'complete') return 'complete'
  expect(status).toMatchObject({ status: 'failed', stderr: expect.stringContaining(NOT_RUN) })
  return 'failed'
}
