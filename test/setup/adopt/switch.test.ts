import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { refuseUnsafeStart } from '../../../src/node/exposure.js'
import { countNotHandedOver } from '../../../src/node/handed-over.js'
import { probeManagers } from '../../../src/node.js'
import {
  type AdoptionRequest,
  findPulsar,
  prepareAdoption,
  refuseDemands,
} from '../../../src/setup/adopt/adoption.js'
import { adopt, giveBack } from '../../../src/setup/adopt/carry-out.js'
import { readRecords, refuseAdopted } from '../../../src/setup/adopt/record.js'
import { lockNode } from '../../../src/setup/lock.js'
import { nodePaths } from '../../../src/setup/paths.js'
import { integrityOf, OF_PROGRAMS } from '../../../src/setup/runtime/integrity.js'
import type { Facts } from '../../../src/setup/types.js'
import { freePort } from '../../helpers/free-port.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { waitFor } from '../../helpers/wait-for.js'
import { writeFiles, writePackage, writeRuntime } from '../install-fixture.js'

/** What systemctl does, of one unit: reads its files at daemon-reload, runs its command. It tells what it was asked to do. */
const SYSTEMCTL = `#!/bin/sh
cd @STATE@ || exit 1
pid=$(cat pid 2>/dev/null)
runs() { [ -n "$pid" ] && [ -e "/proc/$pid/stat" ] && ! grep -q '^State:.*Z' "/proc/$pid/status"; }
[ "$1" = show ] || echo "$*" >> log
case $1 in
  show)
    if runs; then set -- active running "$pid"; else set -- inactive dead 0; fi
    printf 'LoadState=loaded\\nActiveState=%s\\nSubState=%s\\nResult=success\\nExecMainStatus=0\\nMainPID=%s\\n' "$@" ;;
  daemon-reload) cat @UNITS@/p.service @UNITS@/p.service.d/*.conf 2>/dev/null | sed -n 's/^ExecStart=//p' | tail -n 1 > command ;;
  start)
    runs && exit 0
    setsid sh -c "exec $(cat command)" > out 2>&1 < /dev/null &
    echo $! > pid ;;
  stop) if runs; then kill "$pid"; while runs; do sleep 0.05; done; fi ;;
esac
exit 0
`

/** A server that answers with a version to whoever has the token, given as \`from\` takes it. */
const SERVER = (port: number, from: string): string => `
import http from 'node:http'
http.createServer((request, response) => {
  const token = ${from}
  response.statusCode = token === 'foo' ? 200 : 401
  response.end(JSON.stringify({ version: '0.16.0' }))
}).listen(${port}, '127.0.0.1')
`
const IN_QUERY = `new URL(request.url, 'http://a').searchParams.get('private_token')`
const IN_HEADER = `request.headers.authorization?.slice('Bearer '.length)`

/** Asked whether it would start. */
const TRY = `if (process.env.MAGNETAR_TRY_START) { if (!process.env.SAYS_NO) return; console.error('it says no'); process.exit(1) }`

interface Site {
  readonly request: AdoptionRequest
  readonly state: string
  readonly units: string
  readonly prefix: string
  readonly log: () => string[]
  readonly dropIn: string
  readonly url: string
  readonly systemctl: string
}

let integrity: string | undefined

/** Read once: it is a hundred megabytes. */
async function ownIntegrity(): Promise<string> {
  integrity = integrity ?? (await integrityOf(process.execPath, OF_PROGRAMS, AbortSignal.timeout(60_000)))
  return integrity
}

async function makeSite(app = '', magnetar?: string): Promise<Site> {
  const root = await tempDirectory()
  const port = await freePort()
  const [state, units] = [join(root, 'state'), join(root, 'units')]
  for (const directory of [state, join(root, 'programs')]) mkdirSync(directory)
  writeFiles(root, {
    'p/config/app.yml': `private_token: foo\nallow_root: true\nstaging_directory: ${root}/jobs\npersistence_directory: ${root}/active\n${app}`,
    'p/config/server.ini': `[server:main]\nhost = 127.0.0.1\nport = ${port}\n`,
    'p/server.mjs': SERVER(port, IN_QUERY),
    'p/venv/bin/pulsar-main': '#!/bin/sh\n',
    'p/venv/bin/pulsar': `#!/bin/sh\nexec '${process.execPath}' ${root}/p/server.mjs\n`,
    'units/p.service': `[Service]\nExecStart=${root}/p/venv/bin/pulsar -c ${root}/p/config -m gunicorn\n`,
    'active/_default_-active-jobs/1': '',
    'active/_default_-preprocessing-jobs/2': '',
    'jobs/1/launch_config': '{"command_line": "true"}',
    'jobs/2/launch_config': '[]',
    'jobs/3/launch': '',
  })
  const systemctl = join(root, 'programs', 'systemctl')
  writeFileSync(systemctl, SYSTEMCTL.replaceAll('@STATE@', state).replaceAll('@UNITS@', units))
  chmodSync(systemctl, 0o755)
  vi.stubEnv('PATH', `${join(root, 'programs')}${delimiter}${process.env.PATH}`)
  const source = join(root, 'package')
  writePackage(source, '1.0.0', {
    'dist/bundle/main.js': `export async function run() { ${TRY}; await import('./server.js') }\n`,
    'dist/bundle/server.js': magnetar ?? SERVER(port, IN_HEADER),
  })
  const prefix = join(root, 'p', 'magnetar')
  // The tests' own Node by a link: copying it is for the tests of just that.
  writeRuntime(nodePaths(prefix, undefined), 'here', await ownIntegrity())
  execFileSync(systemctl, ['daemon-reload'])
  execFileSync(systemctl, ['start', 'p.service'])
  onTestFinished(() => void execFileSync(systemctl, ['stop', 'p.service']))
  rmSync(join(state, 'log'))
  const { uid, gid } = process.getuid ? { uid: process.getuid(), gid: 0 } : { uid: 0, gid: 0 }
  const facts: Facts = {
    os: { name: 'Debian 12', arch: 'x64' },
    account: { uid, user: 'me', group: String(gid), home: root, isRoot: false },
    slurm: { found: false, why: 'no sinfo' },
    supervisor: undefined,
    systemd: { version: '252', running: true },
    modules: false,
    node: { path: process.execPath, version: process.versions.node },
    cpus: 2,
  }
  const request: AdoptionRequest = {
    directory: join(root, 'p'),
    prefix: undefined,
    service: undefined,
    runtime: { node: process.execPath, tarball: undefined, keep: true },
    facts,
    source: { root: source, version: '1.0.0' },
    signal: AbortSignal.timeout(60_000),
    unitDirectories: [units],
    refuseStart: refuseUnsafeStart,
    probeManagers: (config, { env }) => probeManagers(config, env.DRMAA_LIBRARY_PATH),
    countNotHandedOver,
  }
  const log = (): string[] => {
    const lines = existsSync(join(state, 'log'))
      ? readFileSync(join(state, 'log'), 'utf8').trim().split('\n')
      : []
    rmSync(join(state, 'log'), { force: true })
    return lines
  }
  return {
    request,
    state,
    units,
    prefix,
    log,
    url: `http://127.0.0.1:${port}/`,
    systemctl,
    dropIn: join(units, 'p.service.d', 'zz-magnetar.conf'),
  }
}

/** The Python stand-in needs a moment, as the real one does. */
async function running(site: Site): Promise<Awaited<ReturnType<typeof prepareAdoption>>> {
  const answers = (): Promise<boolean> =>
    fetch(site.url).then(
      () => true,
      () => false,
    )
  await waitFor(answers, { what: 'the stand-in', timeoutMs: 20_000 })
  const prepared = await prepareAdoption(site.request)
  expect(prepared.demands.obstacles).toEqual([])
  return prepared
}

afterEach(() => vi.unstubAllEnvs())

describe('a unit that changes hands', () => {
  it('is stopped with the drop-in in place, and runs Magnetar; and the Python Pulsar after --undo', async () => {
    const site = await makeSite()
    const { request, prefix, units, dropIn } = site
    const signal = request.signal
    const prepared = await running(site)
    expect(prepared.jobs).toMatchObject({
      queuedOrRunning: 1,
      fetchingInputs: 0,
      others: 1,
      broken: [{ id: '2' }],
    })
    expect(prepared.isDone).toBe(false)
    const unit = readFileSync(join(units, 'p.service'))
    const stages: string[] = []
    expect(await adopt(prepared, { signal, onStage: (stage) => stages.push(stage) })).toBe(true)
    expect(stages).toEqual(['install', 'try', 'change', 'stop', 'start', 'verify'])
    expect(site.log()).toEqual(['daemon-reload', 'stop p.service', 'start p.service'])
    expect(readFileSync(dropIn, 'utf8')).toContain(
      `ExecStart=${prefix}/bin/pulsar -c ${request.directory}/config -m gunicorn\n`,
    )
    expect(await prepareAdoption(request)).toMatchObject({ isDone: true, runsMagnetar: true })
    await expect(refuseAdopted(request.directory, (directory) => directory)).rejects.toMatchObject({
      code: 'SETUP_CONFLICT',
      fix: request.directory,
    })

    // Another service on the same program: each has a record of its own.
    const other = join(units, 'q.service')
    writeFileSync(other, unit)
    expect(await findPulsar({ ...request, service: 'q' })).toMatchObject({ record: undefined })
    const [own] = await readRecords(prefix)
    const kept = join(prefix, 'lib', 'adopted', 'q.systemd.json')
    writeFileSync(kept, JSON.stringify({ ...own, service: { kind: 'systemd', name: 'q' } }))
    await expect(findPulsar(request)).rejects.toThrow(/several services/)
    expect((await findPulsar({ ...request, service: 'q' })).record?.service.name).toBe('q')

    const found = await findPulsar({ ...request, service: 'p' })
    expect(found.record).toMatchObject({ state: 'adopted', service: { name: 'p' } })
    if (found.record) await giveBack(found, found.record, { signal, onStage: () => {} })
    expect(site.log()).toEqual(['stop p.service', 'daemon-reload', 'start p.service'])
    expect(existsSync(join(units, 'p.service.d'))).toBe(false)
    expect(readFileSync(join(units, 'p.service'))).toEqual(unit)
    expect((await readRecords(prefix))[0]?.state).toBe('returned')
    await expect(refuseAdopted(request.directory, (directory) => directory)).rejects.toThrow(/service q /)
    for (const file of [kept, other]) rmSync(file)
    await refuseAdopted(request.directory, (directory) => directory)
    expect(await findPulsar(request)).toMatchObject({ runsMagnetar: false, status: 'running' })
  }, 60_000)

  it('is known by its command, wherever Magnetar was put', async () => {
    const site = await makeSite()
    const prefix = join(site.state, 'elsewhere')
    writeRuntime(nodePaths(prefix, undefined), 'here', await ownIntegrity())
    await running(site)
    const request = { ...site.request, prefix }
    const { signal } = request
    expect(await adopt(await prepareAdoption(request), { signal, onStage: () => {} })).toBe(true)
    // Neither the way back nor a repetition has to be told.
    expect(await prepareAdoption(site.request)).toMatchObject({ prefix, isDone: true })
    const found = await findPulsar(site.request)
    expect(found).toMatchObject({ prefix, runsMagnetar: true, record: { state: 'adopted' } })
    if (found.record) await giveBack(found, found.record, { signal, onStage: () => {} })
    expect(existsSync(site.dropIn)).toBe(false)
    expect(await findPulsar(site.request)).toMatchObject({ prefix: site.prefix, record: undefined })
  }, 60_000)

  it.each([
    { how: 'ends at once', magnetar: 'process.exit(78)\n', why: /p was started, but does not run/ },
    { how: 'does not answer', magnetar: 'setInterval(() => {}, 1000)\n', why: /not well: no answer/ },
  ])('is given back by itself when Magnetar $how', async ({ magnetar, why }) => {
    const site = await makeSite('', magnetar)
    const prepared = await running(site)
    const { signal } = site.request
    const limits = { startMs: 1500, endMs: 1500, settleMs: 500 }
    const tried = adopt(prepared, { signal, onStage: () => {}, limits })
    await expect(tried).rejects.toMatchObject({ code: 'ADOPT_FAILED', message: expect.stringMatching(why) })
    await expect(tried).rejects.toMatchObject({ fix: expect.stringContaining('the same command again') })
    await expect(tried).rejects.toThrow(
      /Taken back: p runs the Python Pulsar again.*\n1 job was queued or running before the stop: .*: magnetar adopt \/\S+\/p$/,
    )
    expect(existsSync(site.dropIn)).toBe(false)
    expect(await findPulsar(site.request)).toMatchObject({ runsMagnetar: false, status: 'running' })
  }, 60_000)

  it('has its command back when neither server runs', async () => {
    const site = await makeSite('', 'process.exit(78)\n')
    execFileSync(site.systemctl, ['stop', 'p.service'])
    writeFileSync(join(site.request.directory, 'server.mjs'), 'process.exit(1)\n')
    const prepared = await prepareAdoption(site.request)
    expect(prepared.status).toBe('stopped')
    const tried = adopt(prepared, { signal: site.request.signal, onStage: () => {} })
    await expect(tried).rejects.toThrow(/p has its command as it was, and is stopped, as before/)
    expect(existsSync(site.dropIn)).toBe(false)
    expect((await findPulsar(site.request)).record?.state).toBe('returned')
  }, 60_000)

  it('stays stopped when it was, and Magnetar does not start', async () => {
    const site = await makeSite('', 'process.exit(78)\n')
    execFileSync(site.systemctl, ['stop', 'p.service'])
    const prepared = await prepareAdoption(site.request)
    const tried = adopt(prepared, { signal: site.request.signal, onStage: () => {} })
    await expect(tried).rejects.toThrow(/p has its command as it was, and is stopped, as before/)
    expect(await findPulsar(site.request)).toMatchObject({ status: 'stopped', record: { state: 'returned' } })
    expect(existsSync(site.dropIn)).toBe(false)
  }, 60_000)

  it('is not stopped when Magnetar itself says that it would not start', async () => {
    const site = await makeSite()
    writeFileSync(
      join(site.units, 'p.service'),
      `${readFileSync(join(site.units, 'p.service'), 'utf8')}Environment=SAYS_NO=1\n`,
    )
    const prepared = await running(site)
    const tried = adopt(prepared, { signal: site.request.signal, onStage: () => {} })
    await expect(tried).rejects.toMatchObject({
      code: 'ADOPT_REFUSED',
      message: expect.stringMatching(/was not touched:\n {2}\| it says no/),
    })
    expect(site.log()).toEqual([])
    expect(await findPulsar(site.request)).toMatchObject({ status: 'running', record: undefined })
  }, 60_000)

  it('has Magnetar started once more and stopped when jobs stand in its records alone', async () => {
    const site = await makeSite()
    const { signal } = site.request
    await adopt(await running(site), { signal, onStage: () => {} })
    execFileSync(site.systemctl, ['stop', 'p.service'])
    site.log()
    const left = [2, 0]
    const found = await findPulsar({ ...site.request, countNotHandedOver: async () => left.shift() ?? 0 })
    const stages: string[] = []
    if (found.record) await giveBack(found, found.record, { signal, onStage: (stage) => stages.push(stage) })
    expect(stages).toEqual(['stop', 'hand over', 'change', 'start', 'verify'])
    const [stop, load, start] = ['stop p.service', 'daemon-reload', 'start p.service']
    expect(site.log()).toEqual([stop, load, start, stop, load, start])
    expect(await findPulsar(site.request)).toMatchObject({
      runsMagnetar: false,
      record: { state: 'returned' },
    })
  }, 60_000)

  it('is not given back while jobs stay in the records of Magnetar alone, but for --force', async () => {
    const site = await makeSite()
    const { signal } = site.request
    await adopt(await running(site), { signal, onStage: () => {} })
    const found = await findPulsar({ ...site.request, countNotHandedOver: async () => 2 })
    const tried = found.record && giveBack(found, found.record, { signal, onStage: () => {} })
    await expect(tried).rejects.toMatchObject({
      code: 'ADOPT_FAILED',
      message: expect.stringMatching(/^2 jobs stand in the records .*\n.*p runs Magnetar again/),
      fix: expect.stringMatching(/systemctl start p.*systemctl stop p/),
    })
    const again = await findPulsar({ ...site.request, countNotHandedOver: async () => 2 })
    expect(again).toMatchObject({ runsMagnetar: true, record: { state: 'adopted' } })
    if (again.record) await giveBack(again, again.record, { signal, onStage: () => {}, abandon: true })
    expect(await findPulsar(site.request)).toMatchObject({ runsMagnetar: false })
  }, 60_000)

  it('keeps what was edited when the Python Pulsar does not come back', async () => {
    const site = await makeSite()
    const { request, dropIn } = site
    const { signal } = request
    await adopt(await running(site), { signal, onStage: () => {} })
    const edited = `${readFileSync(dropIn, 'utf8')}Nice=5\n`
    writeFileSync(dropIn, edited)
    writeFileSync(join(request.directory, 'server.mjs'), 'process.exit(1)\n')
    const found = await findPulsar(request)
    const limits = { startMs: 1500, endMs: 1500, settleMs: 500 }
    const tried = found.record && giveBack(found, found.record, { signal, onStage: () => {}, limits })
    await expect(tried).rejects.toThrow(/p runs Magnetar again/)
    expect(readFileSync(dropIn, 'utf8')).toBe(edited)
    expect(await findPulsar(request)).toMatchObject({ runsMagnetar: true, record: { state: 'adopted' } })
  }, 60_000)

  it('is given back without a configuration that can be read, and only when the Python Pulsar answers', async () => {
    const site = await makeSite()
    const { request } = site
    const { signal } = request
    await adopt(await running(site), { signal, onStage: () => {} })
    const server = join(request.directory, 'server.mjs')
    const works = readFileSync(server)
    // It is started and stays, like the Python launcher over a server that does not come up.
    writeFileSync(server, 'setInterval(() => {}, 1000)\n')
    writeFileSync(join(request.directory, 'config', 'app.yml'), 'manager: [\n')
    const limits = { startMs: 1500, endMs: 1500, settleMs: 500 }
    const back = async (): Promise<void> => {
      const found = await findPulsar(request)
      expect(found.configProblem?.code).toBe('CONFIG_INVALID')
      if (found.record) await giveBack(found, found.record, { signal, onStage: () => {}, limits })
    }
    const tried = back()
    await expect(tried).rejects.toMatchObject({ code: 'ADOPT_FAILED' })
    await expect(tried).rejects.toThrow(
      /no answer from .*Magnetar cannot start with this configuration: .*app\.yml/s,
    )
    writeFileSync(server, works)
    await back()
    expect(await findPulsar(request)).toMatchObject({ runsMagnetar: false, record: { state: 'returned' } })
  }, 60_000)

  it('is gone on with, or given back, after a run that was killed between stop and start', async () => {
    const site = await makeSite()
    const { request } = site
    const { signal } = request
    const prepared = await running(site)
    const killed = new Error('killed')
    const onStage = (stage: string): void => {
      if (stage === 'start') throw killed
    }
    // A kill leaves no time for the way back; here its first step fails instead.
    const dead = {
      ...prepared,
      handle: {
        ...prepared.handle,
        control: { ...prepared.handle.control, status: () => Promise.reject(killed) },
      },
    }
    await expect(
      adopt(
        { ...dead, handle: { ...dead.handle, start: () => Promise.reject(killed) } },
        { signal, onStage },
      ),
    ).rejects.toThrow(/did not work either/)
    const found = await findPulsar(request)
    expect(found).toMatchObject({ status: 'stopped', record: { state: 'adopting' } })
    await adopt(await prepareAdoption(request), { signal, onStage: () => {} })
    expect(await findPulsar(request)).toMatchObject({ runsMagnetar: true, record: { state: 'adopted' } })
  }, 60_000)
})

describe('what is found beforehand', () => {
  it('is for one run at a time, wherever each would put Magnetar', async () => {
    const { request } = await makeSite()
    const begin = (more: Partial<AdoptionRequest>) =>
      findPulsar({
        ...request,
        ...more,
        lock: async (place) => {
          const unlock = await lockNode(place, request.signal)
          onTestFinished(unlock)
        },
      })
    await begin({})
    const elsewhere = join(request.directory, 'elsewhere')
    await expect(begin({ prefix: elsewhere })).rejects.toMatchObject({ code: 'SETUP_BUSY' })
  })

  it.each([
    'app.yml',
    'other.yml',
  ])('is refused when %s or another of its files was changed since the Python Pulsar was started, and taken with --force', async (app) => {
    const site = await makeSite('job_managers_config: managers.ini\n')
    const config = join(site.request.directory, 'config')
    const managers = '[manager:_default_]\ntype = queued_python\n'
    writeFiles(config, { 'managers.ini': managers, 'local_env.sh': '' })
    writeFiles(config, { 'other.yml': readFileSync(join(config, 'app.yml'), 'utf8') })
    const ini = join(config, 'server.ini')
    if (app === 'other.yml') appendFileSync(ini, `[app:main]\napp_config = %(here)s/${app}\n`)
    appendFileSync(join(site.units, 'p.service'), `WorkingDirectory=${config}\n`)
    // Started with these files.
    for (const verb of ['stop', 'start']) execFileSync(site.systemctl, [verb, 'p.service'])
    expect((await running(site)).demands.losses).toEqual([])
    const soon = new Date(Date.now() + 60_000)
    for (const name of [app, 'server.ini', 'managers.ini', 'local_env.sh']) {
      utimesSync(join(config, name), soon, soon)
      const { demands } = await prepareAdoption(site.request)
      expect(demands.losses).toEqual([expect.stringContaining(`/config/${name} was changed at 2`)])
      expect(() => refuseDemands(demands, false)).toThrow(/Restart the Python Pulsar once/)
      expect(() => refuseDemands(demands, true)).not.toThrow()
    }
    execFileSync(site.systemctl, ['stop', 'p.service'])
    expect((await prepareAdoption(site.request)).demands.losses).toEqual([])
  }, 60_000)

  it('is refused when nothing would come from the message queue any more, and taken with --force', async () => {
    const site = await makeSite('message_queue_url: amqp://guest:guest@localhost:5672//\n')
    const { demands } = await running(site)
    expect(demands.losses).toEqual([expect.stringContaining('message queue')])
    expect(() => refuseDemands(demands, false)).toThrow(/message queue/)
    expect(() => refuseDemands(demands, true)).not.toThrow()
  })

  it('is refused when the server that runs is not where the configuration says', async () => {
    const site = await makeSite()
    await running(site)
    const ini = join(site.request.directory, 'config', 'server.ini')
    writeFileSync(ini, `[server:main]\nhost = 127.0.0.1\nport = ${await freePort()}\n`)
    const { demands } = await prepareAdoption(site.request)
    expect(demands.obstacles).toEqual([
      expect.stringMatching(/does not answer at .* after each start, .* systemd says: active.*running/s),
    ])
    expect(() => refuseDemands(demands, true)).toThrow(/does not answer at/)
  })

  it('is refused when a stranger holds the port of a service that is stopped, and names it', async () => {
    const site = await makeSite()
    execFileSync(site.systemctl, ['stop', 'p.service'])
    const stranger = spawn(process.execPath, [
      ...[
        '-e',
        'require("net").createServer().listen(+process.argv[1], "127.0.0.1", () => console.log("listens"))',
      ],
      new URL(site.url).port,
    ])
    try {
      await once(stranger.stdout, 'data')
      const { demands } = await prepareAdoption(site.request)
      expect(demands.obstacles).toEqual([
        expect.stringContaining(`held by process ${stranger.pid} (${process.execPath})`),
      ])
      expect(() => refuseDemands(demands, true)).toThrow(/held by process/)
    } finally {
      stranger.kill('SIGKILL')
    }
    await once(stranger, 'close')
    expect((await prepareAdoption(site.request)).demands.obstacles).toEqual([])
  })

  it('is refused when Magnetar would not start: as root, or open to others without a token', async () => {
    const site = await makeSite()
    await running(site)
    const config = join(site.request.directory, 'config')
    writeFileSync(join(config, 'server.ini'), '[server:main]\nhost = 0.0.0.0\nport = 1\n')
    const app = readFileSync(join(config, 'app.yml'), 'utf8')
    writeFileSync(join(config, 'app.yml'), app.replace(/^(private_token|allow_root).*$/gm, ''))
    const { demands } = await prepareAdoption(site.request)
    expect(demands.obstacles).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/does not run as root.*app\.yml: allow_root: true/),
        expect.stringMatching(/no private_token.*allow_without_token: true/),
      ]),
    )
    expect(() => refuseDemands(demands, true)).toThrow(/allow_root/)
  })

  it('is refused with a manager that no server starts with', async () => {
    const site = await makeSite('managers: {a: {type: queued_external_drmaa}}\n')
    const { demands } = await running(site).catch(() => prepareAdoption(site.request))
    expect(demands.obstacles).toEqual([expect.stringMatching(/manager a: .*queued_external_drmaa/)])
  })

  it('is refused as a whole when the configuration is wrong', async () => {
    const site = await makeSite('managers: 7\n')
    await expect(prepareAdoption(site.request)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
