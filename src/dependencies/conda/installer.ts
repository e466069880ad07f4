import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, stat } from 'node:fs/promises'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { runCommand } from '../../lib/exec.js'
import type { Logger } from '../../lib/log.js'
import { openDownload, readSmallText } from './download.js'
import { explainConda } from './explain-conda.js'
import type { CondaSettings } from './settings.js'

export interface Installer {
  readonly file: string
  /** Removes what was fetched. */
  dispose(): Promise<void>
}

const RUN_TIMEOUT_MS = 3600_000
const PROGRESS_INTERVAL_MS = 10_000
/** Miniforge has 90 MB, Anaconda 1 GB. */
const MAX_BYTES = 4 * 1024 ** 3

/** The one that Galaxy installs (conda_util.conda_link). */
export function miniforgeUrl(platform: string = process.platform, arch: string = process.arch): string {
  const mac = platform === 'darwin'
  const machine = arch === 'arm64' ? (mac ? 'arm64' : 'aarch64') : 'x86_64'
  const file = `Miniforge3-${mac ? 'MacOSX' : 'Linux'}-${machine}.sh`
  return `https://github.com/conda-forge/miniforge/releases/latest/download/${file}`
}

/**
 * The installer as a file whose checksum is right; one that is fetched stands in `temporary` meanwhile.
 * @throws MagnetarError CONDA_UNAVAILABLE; Error; the signal's reason. Nothing is left then.
 */
export async function fetchInstaller(
  settings: CondaSettings,
  temporary: string,
  log: Logger,
  signal: AbortSignal,
): Promise<Installer> {
  const given = settings.installer
  if (given !== undefined && !given.startsWith('https://')) {
    if (!(await stat(given).catch(() => undefined))?.isFile())
      throw new MagnetarError(
        'CONDA_UNAVAILABLE',
        `Conda cannot be installed: there is no installer ${given}`,
        {
          fix: 'Correct installer in the resolver file (conda_installer in app.yml).',
        },
      )
    await checkSum(given, await sha256Of(given, signal), settings.installerSha256)
    return { file: given, dispose: async () => {} }
  }
  const url = given ?? miniforgeUrl()
  const dispose = (): Promise<void> => rm(temporary, { force: true })
  try {
    await rm(temporary, { force: true })
    const sum = await download(url, temporary, log, signal)
    const wanted =
      settings.installerSha256 ?? (given === undefined ? await publishedSum(url, log, signal) : undefined)
    await checkSum(url, sum, wanted)
    return { file: temporary, dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

/** `bash INSTALLER -b -p PREFIX`. @throws Error with what it said; the signal's reason */
export async function runInstaller(
  file: string,
  prefix: string,
  options: {
    readonly env: NodeJS.ProcessEnv
    readonly signal: AbortSignal
    readonly passFds: readonly number[]
  },
): Promise<void> {
  const result = await runCommand('bash', [file, '-b', '-p', prefix], {
    ...options,
    timeoutMs: RUN_TIMEOUT_MS,
  })
  if (result.code === 0 && !result.timedOut) return
  throw new Error(
    `the installer failed (${result.signal ?? `exit code ${result.code}`}): ${explainConda(result).text}`,
  )
}

async function download(url: string, file: string, log: Logger, signal: AbortSignal): Promise<string> {
  const { body, sizeBytes } = await openDownload(url, signal, MAX_BYTES)
  const hash = createHash('sha256')
  const handle = await open(file, 'wx', 0o600)
  let bytes = 0
  let saidMs = performance.now()
  try {
    for await (const chunk of body) {
      hash.update(chunk)
      await handle.writeFile(chunk)
      bytes += chunk.length
      if (performance.now() - saidMs < PROGRESS_INTERVAL_MS) continue
      saidMs = performance.now()
      const of = sizeBytes === undefined ? '' : ` of ${megabytes(sizeBytes)}`
      log.info(`fetching the installer of Conda: ${megabytes(bytes)}${of} MB`)
    }
  } finally {
    await handle.close()
  }
  return hash.digest('hex')
}

/** Beside Miniforge's installers there is FILE.sha256. */
async function publishedSum(url: string, log: Logger, signal: AbortSignal): Promise<string | undefined> {
  try {
    return /^[0-9a-f]{64}\b/i.exec((await readSmallText(`${url}.sha256`, signal)).trim())?.[0]?.toLowerCase()
  } catch (error) {
    signal.throwIfAborted()
    log.warn(`the checksum of the Conda installer is not known: ${messageOf(error)}`)
    return undefined
  }
}

async function checkSum(what: string, found: string, wanted: string | undefined): Promise<void> {
  if (wanted === undefined || wanted === found) return
  throw new MagnetarError(
    'CONDA_UNAVAILABLE',
    `Conda is not installed: ${what} has the SHA-256 ${found}, and it should have ${wanted}`,
    {
      fix: 'Find out which of the two is right; correct installer_sha256 (conda_installer_sha256) or the installer.',
    },
  )
}

async function sha256Of(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { signal })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

function megabytes(bytes: number): string {
  return String(Math.round(bytes / 1024 / 1024))
}
