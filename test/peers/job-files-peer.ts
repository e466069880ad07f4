import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import https from 'node:https'
import { join, resolve } from 'node:path'
import { freePort } from '../helpers/free-port.js'
import { type ServerProcess, startServerProcess } from '../helpers/server-process.js'
import type { PulsarVenv } from './pulsar-venv.js'

/** Galaxy's job files as Pulsar's own tests have them: simple-job-files and tuswsgi, on a real web server (job-files.py). */
export interface JobFilesPeer {
  /** What Galaxy calls files_endpoint, with the job's key. */
  readonly endpoint: string
  /** Only files below it are served and taken. */
  readonly root: string
  /** What was asked since the last call: `GET input …/dataset_0.dat`, sorted; temporary names are made equal. */
  takeRequests(): string[]
  stop(): Promise<unknown>
}

const KEY = 'k3y-0f-th3-j0b'

/** Why it cannot be started, as a sentence for `needs`. */
export function findJobFilesPeer(venv: PulsarVenv): string | undefined {
  const { status } = spawnSync(join(venv.bin, 'python'), ['-c', 'import simplejobfiles, tuswsgi'])
  return status === 0
    ? undefined
    : 'no simple-job-files in the Python environment of the tests; run "npm run peers"'
}

export async function startJobFilesPeer(
  venv: PulsarVenv,
  directory: string,
  tls?: { readonly key: string; readonly cert: string; readonly ca: string },
): Promise<JobFilesPeer> {
  const [root, uploads] = [join(directory, 'galaxy'), join(directory, 'uploads')]
  await Promise.all([root, uploads].map((path) => mkdir(path, { recursive: true })))
  const port = await freePort()
  const options = ['--bind', `127.0.0.1:${port}`, '--threads', '8', '--access-logfile', '-']
  if (tls) {
    await writeFile(join(directory, 'key.pem'), tls.key, { mode: 0o600 })
    await writeFile(join(directory, 'cert.pem'), tls.cert)
    options.push('--keyfile', join(directory, 'key.pem'), '--certfile', join(directory, 'cert.pem'))
  }
  const origin = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`
  const server: ServerProcess = await startServerProcess({
    command: join(venv.bin, 'python'),
    args: ['-m', 'gunicorn', '--chdir', resolve('test', 'peers'), ...options, 'job-files:app'],
    cwd: directory,
    env: {
      JOB_FILES_ROOT_DIRECTORY: root,
      JOB_FILES_UPLOADS: uploads,
      JOB_FILES_KEY: KEY,
      PYTHONDONTWRITEBYTECODE: '1',
      // gunicorn puts a socket there.
      HOME: directory,
    },
    url: `${origin}/`,
    ...(tls ? { request: (url: string) => answersWith(url, tls.ca) } : {}),
  })
  let seen = 0
  return {
    endpoint: `${origin}/api/jobs/adb5f5c93f827949/files?job_key=${KEY}`,
    root,
    takeRequests() {
      const news = server.logs().slice(seen)
      seen += news.length
      return [...news.matchAll(/"([A-Z]+) (\/api\/\S+) HTTP\/1\.[01]" (\d+)/g)].map(describeRequest).sort()
    },
    stop: () => server.stop(),
  }
}

function describeRequest([, method = '', target = '', status = '']: RegExpMatchArray): string {
  const { pathname, searchParams } = new URL(target, 'http://x')
  const isUpload = pathname.startsWith('/api/job_files')
  const path = (searchParams.get('path') ?? '').replace(/^.*\/pulsar-check-client\.[^/]*/, '…')
  return [method, isUpload ? 'upload' : '', searchParams.get('file_type') ?? '', path, status]
    .filter((part) => part !== '')
    .join(' ')
}

function answersWith(url: string, ca: string): Promise<boolean> {
  return new Promise((resolvePromise) => {
    https
      .get(url, { ca, timeout: 5000 }, (answer) => {
        answer.resume()
        resolvePromise(true)
      })
      .on('error', () => resolvePromise(false))
  })
}
