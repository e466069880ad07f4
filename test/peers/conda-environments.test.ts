import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { lookAt } from '../../src/dependencies/conda/environment.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import {
  bundleResolver,
  type CondaPlace,
  condaMissing,
  condaPrograms,
  makePlace,
  rattlerActivation,
  request,
  requirement,
  resolvingProcess,
  runAfter,
  thinConda,
} from './conda/local-conda.js'
import { missingForPrivateRoot } from './private-root.js'

const zlib = requirement('zlib', '1.2.8')
const ZLIB = '__zlib@1.2.8'

const creates = async (place: CondaPlace): Promise<string[][]> =>
  (await place.calls()).filter(([command]) => command === 'create')

describe.each(condaPrograms)('environments made by $title', (which) => {
  describe('', needs(which.real === undefined ? condaMissing : undefined), () => {
    it('are made once, and the tool sees them', async () => {
      const place = await makePlace(which)
      const resolver = place.resolver()
      const asked = request([zlib])
      const [found, ...others] = await resolver.resolve(asked)
      expect(others).toEqual([])
      expect(found).toMatchObject({
        requirements: [zlib],
        what: `conda environment ${place.prefix}/envs/${ZLIB}`,
      })
      const ran = await runAfter(found?.shell ?? [], 'zlib-hello; echo "$CONDA_DEFAULT_ENV"')
      const path = join(place.prefix, 'envs', ZLIB)
      expect(ran).toEqual({ exitCode: 0, output: `zlib 1.2.8 in ${path}\n${path}\n` })
      expect(asked.log.lines.join('\n')).toContain('Using dependency zlib version 1.2.8 of type conda')
      const before = (await place.calls()).length
      expect(await resolver.resolve(request([zlib]))).toEqual([found])
      expect(await place.calls()).toHaveLength(before)
      expect((await readdir(join(place.prefix, '.magnetar'))).sort()).toEqual([
        `${ZLIB}.made`,
        `${ZLIB}.used`,
        'lock',
      ])
    })

    it('hold all the packages of a tool together', async () => {
      const place = await makePlace(which)
      const open = [requirement('pair-top', '3.0'), requirement('Acted')]
      const [found] = await place.resolver().resolve(request(open))
      expect(found?.what).toMatch(/envs\/mulled-v1-[0-9a-f]{64}$/)
      const ran = await runAfter(found?.shell ?? [], 'pair-top; acted')
      const path = found?.what.replace('conda environment ', '')
      expect(ran.output).toBe(
        `pair-base 2.0\npair-top 3.0\nacted home: ${path}/share/acted, set: it's $set\n`,
      )
    })

    it('are made once for twenty jobs at the same time', async () => {
      const place = await makePlace(which)
      const resolver = place.resolver()
      const all = await Promise.all(Array.from({ length: 20 }, () => resolver.resolve(request([zlib]))))
      expect(new Set(all.map((each) => JSON.stringify(each))).size).toBe(1)
      if (which.real === undefined) expect(await creates(place)).toHaveLength(1)
    })

    it.each([
      [
        'a package that no channel has',
        [requirement('zlib', '9.9')],
        'zlib 9.9',
        'no channel has the package',
        {},
      ],
      [
        'packages that do not go together',
        [requirement('pair-top', '3.0'), requirement('pair-old', '1.0')],
        'pair-top 3.0, pair-old 1.0',
        'the packages do not go together',
        {},
      ],
      [
        'a channel that is not there',
        [zlib],
        'zlib 1.2.8',
        'a channel cannot be reached',
        { ensure_channels: 'http://127.0.0.1:1/t/sesame/nowhere' },
      ],
    ])('fail for %s with package and cause, and leave nothing', async (_what, open, packages, cause, more) => {
      const place = await makePlace(which)
      const failed = place.resolver(more).resolve(request(open))
      await expect(failed).rejects.toMatchObject({ code: 'CONDA_FAILED' })
      const message = await failed.catch((error: Error) => error.message)
      expect(message).toContain(`could not install ${packages} (environment `)
      expect(message).toContain(cause)
      expect(message).not.toContain('sesame')
      expect(await readdir(join(place.prefix, 'envs'))).toEqual([])
      expect(await readdir(join(place.prefix, '.magnetar'))).toEqual(['lock'])
      // The next job of another tool is not concerned.
      expect(await place.resolver().resolve(request([zlib]))).toHaveLength(1)
    })
  })
})

describe('making environments', needs(condaMissing), () => {
  let place: CondaPlace
  let stopped: string
  const stopAt = (moment: string): NodeJS.ProcessEnv => ({
    MAGNETAR_TEST_STOP: moment,
    MAGNETAR_TEST_STOPPED: stopped,
  })
  const stoppedProcess = (): Promise<number> =>
    waitFor(() => Number(existsSync(stopped) && readFileSync(stopped, 'utf8')) || undefined, {
      what: 'conda in the middle',
      timeoutMs: 60_000,
    })

  beforeAll(async () => {
    if (condaMissing === undefined) await bundleResolver()
  })

  async function begin(): Promise<void> {
    place = await makePlace(thinConda)
    stopped = join(place.directory, 'stopped')
  }

  it('happens once for jobs of four servers', async () => {
    await begin()
    const source = await resolvingProcess(place, [zlib])
    const env = { MAGNETAR_TEST_CALLS: join(place.directory, 'calls') }
    const all = await Promise.all(
      Array.from({ length: 4 }, () =>
        runCommand(process.execPath, ['--input-type=module', '-e', source], { env }),
      ),
    )
    for (const { output } of all)
      expect(output).toContain(`{"what":["conda environment ${place.prefix}/envs/${ZLIB}"]}`)
    expect(await creates(place)).toHaveLength(1)
  })

  it.each([
    'begun',
    'solved',
    'half',
    'installed',
  ])('cut off by the death of the server (%s) is not used, and is done again when its conda has ended', async (moment) => {
    await begin()
    const open = [requirement('pair-top', '3.0')]
    const name = '__pair-top@3.0'
    const source = await resolvingProcess(place, open)
    const server = spawn(process.execPath, ['--input-type=module', '-e', source], {
      // What a killed server cannot remove goes with the place.
      env: { ...process.env, ...stopAt(moment), TMPDIR: place.directory },
      stdio: 'ignore',
    })
    onTestFinished(() => void server.kill('SIGKILL'))
    const conda = await stoppedProcess()
    onTestFinished(() => kill(conda))
    server.kill('SIGKILL')
    await once(server, 'exit')
    expect(await lookAt(place.prefix, name)).toBe('half-made')
    // Without auto_install it is as if it were not there.
    expect(await place.resolver({ auto_install: false }).resolve(request(open))).toEqual([])

    const next = place.resolver().resolve(request(open))
    const first = await Promise.race([
      next,
      waitFor(lockWaiters(place), { what: 'a process that waits for the lock' }),
    ])
    expect(first).toBe(true)
    kill(conda)
    expect(await next).toHaveLength(1)
    expect(await lookAt(place.prefix, name)).toBe('whole')
    const [found] = await place.resolver({ auto_install: false }).resolve(request(open))
    expect((await runAfter(found?.shell ?? [], 'pair-top')).output).toBe('pair-base 2.0\npair-top 3.0\n')
  })

  it('fails the job when conda is killed, and the next job makes it', async () => {
    await begin()
    const failed = place.resolver({}, stopAt('solved')).resolve(request([zlib]))
    kill(await stoppedProcess())
    await expect(failed).rejects.toThrow(/zlib 1\.2\.8 .*conda was killed/)
    expect(await readdir(join(place.prefix, 'envs'))).toEqual([])
    expect(await place.resolver().resolve(request([zlib]))).toHaveLength(1)
  })

  it('is ended, with all its processes, when nobody waits for it any more', async () => {
    await begin()
    const controllers = [new AbortController(), new AbortController()]
    const resolver = place.resolver({}, stopAt('solved'))
    const jobs = controllers.map(({ signal }) => resolver.resolve(request([zlib], signal)))
    const results = Promise.allSettled(jobs)
    const conda = await stoppedProcess()
    onTestFinished(() => kill(conda))
    controllers[0]?.abort(new Error('cancelled'))
    await expect(jobs[0]).rejects.toThrow('cancelled')
    expect(isAlive(conda)).toBe(true)
    controllers[1]?.abort(new Error('cancelled'))
    await results
    await waitFor(() => !isAlive(conda), { what: 'end of conda', timeoutMs: 30_000 })
    await waitFor(async () => (await lookAt(place.prefix, ZLIB)) === 'missing', { what: 'removal' })
  })

  it('cleans a damaged package cache and tries once more', async () => {
    await begin()
    await mkdir(join(place.prefix, 'pkgs'), { recursive: true })
    await writeFile(join(place.prefix, 'pkgs', 'damaged'), '')
    const asked = request([zlib])
    expect(await place.resolver().resolve(asked)).toHaveLength(1)
    expect((await place.calls()).map(([command]) => command)).toEqual(['info', 'create', 'clean', 'create'])
    expect(asked.log.lines.join('\n')).toContain('appears to be corrupted')
  })

  it('does not touch a directory of somebody else', async () => {
    await begin()
    const path = join(place.prefix, 'envs', ZLIB)
    await mkdir(path, { recursive: true })
    await writeFile(join(path, 'precious'), '')
    await expect(place.resolver().resolve(request([zlib]))).rejects.toThrow(/is in the way/)
    expect(await readdir(path)).toEqual(['precious'])
  })

  it('is not tried for each of a thousand jobs that cannot succeed', async () => {
    await begin()
    const resolver = place.resolver()
    const open = [requirement('zlib', '9.9')]
    const all = await Promise.allSettled(Array.from({ length: 1000 }, () => resolver.resolve(request(open))))
    expect(all.every(({ status }) => status === 'rejected')).toBe(true)
    await expect(resolver.resolve(request(open))).rejects.toThrow(/zlib 9\.9/)
    // With and without strict priority, as Galaxy.
    expect(await creates(place)).toHaveLength(2)
  })

  it('uses the environments of single packages, the first in front, when one for all cannot be had', async () => {
    await begin()
    const resolver = place.resolver()
    const open = [requirement('pair-top', '3.0'), zlib]
    for (const each of open) await resolver.resolve(request([each]))
    const found = await place.resolver({ ensure_channels: 'file:///nowhere' }).resolve(request(open))
    expect(found.flatMap(({ requirements }) => requirements)).toHaveLength(2)
    const lines = found.flatMap(({ shell }) => shell)
    const { output } = await runAfter(lines, 'pair-top; zlib-hello; basename "$CONDA_PREFIX"')
    expect(output).toMatch(/^pair-base 2.0\npair-top 3.0\nzlib 1.2.8 in .*\n__pair-top@3.0\n$/)
  })

  it('says that the disk is full, and works when there is room', needs(missingForPrivateRoot()), async () => {
    await begin()
    const source = await resolvingProcess(place, [zlib])
    await mkdir(place.prefix, { recursive: true })
    const [prefix, work] = [place.prefix, join(place.directory, 'resolve.mjs')]
    await writeFile(work, source)
    const script = `
      mount -t tmpfs -o size=1m tmpfs "$1" && mkdir "$1/envs" && { head -c 2m /dev/zero > "$1/fill" 2>/dev/null; true; }
      "$2" "$3"; rm "$1/fill"; ls -A "$1/envs"; "$2" "$3"`
    const { output } = await runCommand('unshare', [
      '-m',
      'sh',
      '-c',
      script,
      'sh',
      prefix,
      process.execPath,
      work,
    ])
    const [full = '', free = ''] = output.trim().split('\n')
    expect(JSON.parse(full)).toMatchObject({
      code: 'CONDA_FAILED',
      fix: expect.stringContaining('Free space'),
    })
    expect(JSON.parse(full).message).toMatch(/zlib 1\.2\.8 .*the disk is full/)
    expect(JSON.parse(free)).toEqual({ what: [`conda environment ${prefix}/envs/${ZLIB}`] })
  })

  it('gives what is activated the variables that another implementation gives it', async () => {
    await begin()
    // py-rattler does not quote a value with a quote in it rightly.
    const prefix = join(await tempDirectory(), 'plain')
    const [found] = await place.resolver({ prefix }).resolve(request([requirement('acted', '1.0')]))
    const path = found?.what.replace('conda environment ', '') ?? ''
    const env = {
      CONDA_PREFIX: undefined,
      CONDA_SHLVL: undefined,
      CONDA_DEFAULT_ENV: undefined,
      ACTED_HOME: undefined,
    }
    const show =
      'for name in CONDA_PREFIX CONDA_SHLVL ACTED_HOME ACTED_OLD; do echo "$name=${!name-unset}"; done; type acted'
    const theirs = await runAfter([await rattlerActivation(path, process.env.PATH ?? '')], show, env)
    const ours = await runAfter(found?.shell ?? [], show, env)
    expect(theirs.output).toBe(`activating\n${ours.output}`)
    expect(ours.output).toContain(`ACTED_HOME=${path}/share/acted`)
  })

  it('finds those of the Python Pulsar, by their older names too', async () => {
    await begin()
    const resolver = place.resolver()
    await resolver.resolve(request([zlib]))
    await rm(join(place.prefix, '.magnetar'), { recursive: true })
    await runCommand('cp', [
      '-r',
      join(place.prefix, 'envs', ZLIB),
      join(place.prefix, 'envs', '__R-Thing@2'),
    ])
    expect(await resolver.resolve(request([zlib]))).toHaveLength(1)
    const [found] = await resolver.resolve(request([requirement('R-Thing', '2')]))
    expect(found?.what).toMatch(/__R-Thing@2$/)
    expect(await creates(place)).toHaveLength(1)
  })
})

/** Whether a process waits for the lock of the prefix. */
function lockWaiters(place: CondaPlace): () => boolean {
  const lock = join(place.prefix, '.magnetar', 'lock')
  const isWaiter = (pid: string): boolean => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return (
        command.startsWith(['flock', '-x', '3', ''].join('\0')) && readlinkSync(`/proc/${pid}/fd/3`) === lock
      )
    } catch {
      return false
    }
  }
  return () => readdirSync('/proc').some((name) => /^\d+$/.test(name) && isWaiter(name))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function kill(pid: number): void {
  if (isAlive(pid)) process.kill(pid, 'SIGKILL')
}
