import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { CommandNotStarted, runCommand } from '../lib/exec.js'

export interface TryNode {
  readonly configDirectory: string
  readonly logFile: string
  readonly token: string
  readonly manager: 'slurm' | 'queued_python'
  /** Why this manager. */
  readonly why: string
}

const SINFO_TIMEOUT_MS = 10_000

/**
 * A private node below `directory`, without root: configuration, a random token (0600), directories for jobs and state.
 * What is there from an earlier run is kept, except that the manager follows what the machine has now.
 */
export async function setUpTryNode(directory: string): Promise<TryNode> {
  const configDirectory = path.join(directory, 'etc')
  const variable = path.join(directory, 'var')
  await mkdir(configDirectory, { recursive: true, mode: 0o700 })
  await mkdir(path.join(variable, 'log'), { recursive: true })
  const token = await keepToken(path.join(configDirectory, 'token'))
  const { manager, why } = await chooseManager()
  const options = manager === 'slurm' ? '  type: slurm' : '  type: queued_python\n  num_concurrent_jobs: "*"'
  const app = [
    `private_token: "${token}"`,
    `staging_directory: ${JSON.stringify(path.join(variable, 'jobs'))}`,
    `persistence_directory: ${JSON.stringify(path.join(variable, 'active'))}`,
    `manager:\n${options}`,
    '',
  ].join('\n')
  await writeFile(path.join(configDirectory, 'app.yml'), app, { mode: 0o600 })
  return { configDirectory, logFile: path.join(variable, 'log', 'magnetar.log'), token, manager, why }
}

async function keepToken(file: string): Promise<string> {
  if (existsSync(file)) return (await readFile(file, 'utf8')).trim()
  const token = randomBytes(32).toString('base64url')
  await writeFile(file, `${token}\n`, { mode: 0o600 })
  return token
}

async function chooseManager(): Promise<Pick<TryNode, 'manager' | 'why'>> {
  try {
    const sinfo = await runCommand('sinfo', ['-h', '-o', '%P %D'], { timeoutMs: SINFO_TIMEOUT_MS })
    const [partition, nodes] = sinfo.stdout.split('\n')[0]?.split(' ') ?? []
    if (sinfo.code === 0 && partition) {
      return {
        manager: 'slurm',
        why: `sinfo answers: partition ${partition.replace('*', '')}, ${nodes} node${nodes === '1' ? '' : 's'}`,
      }
    }
    const reason = sinfo.timedOut
      ? `no answer within ${SINFO_TIMEOUT_MS / 1000} s`
      : sinfo.stderr.trim().split('\n')[0]
    return { manager: 'queued_python', why: `there is a Slurm, but sinfo fails: ${reason || 'no partition'}` }
  } catch (error) {
    if (!(error instanceof CommandNotStarted)) throw error
    return { manager: 'queued_python', why: 'there is no Slurm here (no sinfo on the PATH)' }
  }
}

/** The first free TCP port on 127.0.0.1, from `first` upwards. */
export async function freePortFrom(first: number): Promise<number> {
  for (let port = first; port < first + 200; port++) {
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer()
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
    })
    if (free) return port
  }
  throw new Error(`no free port between ${first} and ${first + 199}`)
}
