/**
 * By hand, after `npm run build`: sends jobs through a node with queued_drmaa and the tests' own library, and prints jobs per second
 * and what the server and its library process hold at the start, in the middle and at the end.
 *
 * Every fourth job takes a second, so that the library is asked for states as well.
 *
 *     node test/peers/drmaa/measure.js 2000
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const count = Number(process.argv[2] ?? 2000)
const width = 16
const directory = mkdtempSync(join(tmpdir(), 'measure-drmaa-'))
const library = join(directory, 'libdrmaa.so')
const state = join(directory, 'drmaa')
mkdirSync(state)
execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, 'test/peers/drmaa/libdrmaa.c', '-lpthread'])
writeFileSync(
  join(directory, 'app.yml'),
  'managers:\n  _default_:\n    type: queued_drmaa\nstaging_directory: staging\npersistence_directory: persisted\n',
)

const port = await new Promise((done) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address()
    probe.close(() => done(port))
  })
})
const url = `http://127.0.0.1:${port}/`
const server = spawn(
  process.execPath,
  [resolve('bin/magnetar.js'), 'serve', '--config', directory, '--host', '127.0.0.1', '--port', String(port)],
  {
    cwd: directory,
    env: { ...process.env, DRMAA_LIBRARY_PATH: library, TEST_DRMAA_DIR: state },
    stdio: 'ignore',
  },
)

try {
  await until(async () => (await fetch(url)).status === 404)
  const helper = childOf(server.pid)
  const samples = [sample('start', helper)]
  const begun = performance.now()
  let next = 0
  let done = 0
  let wrong = 0
  const worker = async () => {
    for (let n = next++; n < count; n = next++) {
      const id = `m${n}`
      await call('POST', 'jobs', { job_id: id })
      await call('POST', `jobs/${id}/submit`, {
        command_line: `${n % 4 === 0 ? 'sleep 1; ' : ''}(exit ${n % 7})`,
        params: '{}',
        dependencies_description: 'null',
        env: '[]',
        setup_params: '{}',
      })
      await until(async () => {
        const status = JSON.parse(await call('GET', `jobs/${id}/status`))
        if (status.complete !== 'true') return false
        if (status.status !== 'complete' || status.returncode !== n % 7) wrong += 1
        return true
      })
      await call('DELETE', `jobs/${id}`)
      done += 1
      if (done === Math.round(count / 10)) samples.push(sample('after a tenth', helper))
      if (done === Math.round(count / 2)) samples.push(sample('middle', helper))
    }
  }
  await Promise.all(Array.from({ length: width }, worker))
  const seconds = (performance.now() - begun) / 1000
  samples.push(sample('end', helper))
  console.table(samples)
  const calls = readFileSync(join(state, 'calls'), 'utf8').split('\n')
  const questions = calls.filter((line) => line.startsWith('job_ps')).length
  const taken = calls.filter((line) => line.startsWith('run_job')).length
  console.log(
    `${count} jobs, ${width} at a time: ${(count / seconds).toFixed(1)} jobs/s, ${wrong} wrong, ${taken} submits, ${questions} questions for states; library process ${childOf(server.pid) === helper ? 'the same' : 'ANOTHER'}`,
  )
} finally {
  server.kill('SIGTERM')
  await new Promise((ended) => server.once('exit', ended))
  await sleep(500)
  rmSync(directory, { recursive: true, force: true })
}

async function call(method, path, query = {}) {
  const answer = await fetch(`${url}${path}?${new URLSearchParams(query)}`, { method })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text
}

async function until(ask) {
  for (let n = 0; n < 6000; n++) {
    if (await ask().catch((error) => (n > 200 ? Promise.reject(error) : false))) return
    await sleep(20)
  }
  throw new Error('it takes too long')
}

function childOf(pid) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8')
        return (
          command.includes('library-process') &&
          readFileSync(`/proc/${name}/stat`, 'utf8').includes(`) S ${pid} `)
        )
      } catch {
        return false
      }
    })
}

function sample(when, helper) {
  const of = (pid) => {
    const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return { MiB: Math.round(Number(rss) / 102.4) / 10, fds: readdirSync(`/proc/${pid}/fd`).length }
  }
  const [node, library] = [of(server.pid), of(helper)]
  return {
    when,
    'server MiB': node.MiB,
    'server fds': node.fds,
    'library MiB': library.MiB,
    'library fds': library.fds,
  }
}
