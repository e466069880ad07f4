import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { quoteForShell } from '../../src/lib/shell.js'
import { needs } from '../helpers/needs.js'
import { createRecordingLog } from '../helpers/recording-log.js'
import { runCommand } from '../helpers/run-command.js'
import { waitFor } from '../helpers/wait-for.js'
import { installerText } from './conda/installer.js'
import {
  bundleResolver,
  type CondaPlace,
  condaMissing,
  makePlace,
  programText,
  request,
  requirement,
  resolvingProcess,
  thinConda,
} from './conda/local-conda.js'
import { missingForPrivateRoot } from './private-root.js'

const zlib = requirement('zlib', '1.2.8')
const { signal } = new AbortController()

describe('auto_init', needs(condaMissing), () => {
  beforeAll(async () => {
    if (condaMissing === undefined) await bundleResolver()
  })

  it('installs Conda into an empty node, and jobs wait for it', async () => {
    const { place, options } = await makeInstaller()
    const [log, resolver] = [createRecordingLog(), place.resolver(options)]
    const preparing = resolver.prepare?.(log, signal)
    const [found] = await resolver.resolve(request([zlib]))
    await preparing
    expect(found?.what).toBe(`conda environment ${place.prefix}/envs/__zlib@1.2.8`)
    expect(log.lines.join('\n')).toMatch(/info Installing conda into .*_conda, this may take several minutes/)
    expect(await installations(place)).toBe(1)
    // A second start only looks.
    await place.resolver(options).prepare?.(log, signal)
    expect(await installations(place)).toBe(1)
    expect((await readdir(dirname(place.prefix))).sort()).toEqual(['._conda.magnetar-lock', '_conda'])
  })

  it('installs once for four servers', async () => {
    const { place, options } = await makeInstaller()
    const source = await resolvingProcess(place, [zlib], options)
    const all = await Promise.all(
      Array.from({ length: 4 }, () => runCommand(process.execPath, ['--input-type=module', '-e', source])),
    )
    for (const { output } of all) expect(output).toContain('__zlib@1.2.8"]}')
    expect(await installations(place)).toBe(1)
  })

  it('does again what was cut off', async () => {
    const { place, options, stopped, text } = await makeInstaller('stop')
    const source = await resolvingProcess(place, [zlib], options)
    const server = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: 'ignore',
      env: { ...process.env, TMPDIR: place.directory },
    })
    onTestFinished(() => void server.kill('SIGKILL'))
    const installer = await waitFor(
      async () => existsSync(stopped) && Number(await readFile(stopped, 'utf8')),
      {
        what: 'installer in the middle',
      },
    )
    onTestFinished(() => kill(installer))
    server.kill('SIGKILL')
    await once(server, 'exit')
    kill(installer)
    expect(existsSync(join(place.prefix, 'bin', 'conda'))).toBe(true)

    await writeFile(options.installer, text)
    const log = createRecordingLog()
    const resolver = place.resolver(options)
    await resolver.prepare?.(log, signal)
    expect(log.lines.join('\n')).toContain('that was cut off')
    expect(await resolver.resolve(request([zlib]))).toHaveLength(1)
    expect(existsSync(join(place.prefix, 'half'))).toBe(false)
  })

  it('refuses an installer with another checksum, and says both', async () => {
    const { place, options, sha256 } = await makeInstaller()
    const good = place.resolver({ ...options, installer_sha256: sha256.toUpperCase() })
    const bad = place.resolver({ ...options, installer_sha256: '0'.repeat(64) })
    const log = createRecordingLog()
    await bad.prepare?.(log, signal)
    expect(log.lines.join('\n')).toMatch(
      new RegExp(`warn Conda is not installed: .*${sha256}.*0{64}.*installer_sha256`),
    )
    await expect(bad.resolve(request([zlib]))).rejects.toMatchObject({ code: 'CONDA_UNAVAILABLE' })
    expect(existsSync(place.prefix)).toBe(false)
    expect(await good.resolve(request([zlib]))).toHaveLength(1)
  })

  it('tells what the installer said when it failed, leaves nothing, and the next start tries again', async () => {
    const { place, options, text } = await makeInstaller('fail')
    const log = createRecordingLog()
    await place.resolver(options).prepare?.(log, signal)
    expect(log.lines.join('\n')).toMatch(/could not be installed.*exit code 3.*ERROR: no such luck/s)
    expect(existsSync(place.prefix)).toBe(false)
    await writeFile(options.installer, text)
    expect(await place.resolver(options).resolve(request([zlib]))).toHaveLength(1)
  })

  it('never touches a directory that is not its own', async () => {
    const { place, options } = await makeInstaller()
    await mkdir(place.prefix, { recursive: true })
    await writeFile(join(place.prefix, 'precious'), '')
    const log = createRecordingLog()
    await place.resolver(options).prepare?.(log, signal)
    expect(log.lines.join('\n')).toMatch(/not empty and this node did not make it/)
    expect(await readdir(place.prefix)).toEqual(['precious'])
    await rm(join(place.prefix, 'precious'))
    expect(await place.resolver(options).resolve(request([zlib]))).toHaveLength(1)
  })

  it(
    'says that the disk is full, and installs when there is room',
    needs(missingForPrivateRoot()),
    async () => {
      const { place, options } = await makeInstaller()
      const work = join(place.directory, 'resolve.mjs')
      await writeFile(work, await resolvingProcess(place, [zlib], options))
      const deps = dirname(place.prefix)
      await mkdir(deps, { recursive: true })
      const script = `
      mount -t tmpfs -o size=1m tmpfs "$1" && { head -c 2m /dev/zero > "$1/fill" 2>/dev/null; true; }
      "$2" "$3"; rm "$1/fill"; ls "$1"; "$2" "$3"`
      const { output } = await runCommand('unshare', [
        '-m',
        'sh',
        '-c',
        script,
        'sh',
        deps,
        process.execPath,
        work,
      ])
      const [full = '', free = ''] = output.trim().split('\n')
      expect(JSON.parse(full)).toMatchObject({ code: 'CONDA_UNAVAILABLE' })
      expect(JSON.parse(full).message).toMatch(/the disk is full/)
      expect(JSON.parse(free)).toEqual({ what: [`conda environment ${place.prefix}/envs/__zlib@1.2.8`] })
    },
  )
})

async function makeInstaller(how: 'work' | 'stop' | 'fail' = 'work') {
  const place = await makePlace(thinConda)
  const [installer, stopped] = [join(place.directory, 'installer.sh'), join(place.directory, 'stopped')]
  const stop = `touch "$3/half"; echo $$ > ${quoteForShell(`${stopped}.new`)}; mv ${quoteForShell(`${stopped}.new`)} ${quoteForShell(stopped)}; exec sleep 600\n`
  const make = (kind: string): string =>
    installerText({
      conda: programText(place.prefix, 'conda'),
      ...(kind === 'fail' ? { before: 'mkdir -p "$3"; echo "ERROR: no such luck" >&2; exit 3' } : {}),
      after: `${kind === 'stop' ? stop : ''}echo installed >> ${quoteForShell(join(place.directory, 'installations'))}`,
    })
  await writeFile(installer, make(how))
  const text = make('work')
  const options = { exec: null, prefix: place.prefix, auto_init: 'True', installer }
  return { place, options, stopped, text, sha256: createHash('sha256').update(text).digest('hex') }
}

async function installations(place: CondaPlace): Promise<number> {
  return (await readFile(join(place.directory, 'installations'), 'utf8')).split('\n').length - 1
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
