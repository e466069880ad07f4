import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import chalk from 'chalk'
import { type CheckReport, runCheckJob } from '../check/check-job.js'
import { CheckFailed } from '../check/follow-job.js'
import { createNodeClient } from '../check/node-client.js'
import { messageOf } from '../lib/errors.js'
import { abortAfter } from '../lib/time-limit.js'
import { nextFreePort } from '../setup/probes/port.js'
import { EXIT } from './exit-codes.js'
import { printError } from './print.js'
import { setUpTryNode, type TryNode, USUAL_PORT } from './try-setup.js'

const START_LIMIT_MS = 20_000

/**
 * `npm start`: a node in ./.magnetar, served by the real server as its own process, proved by a real job. With `--once`
 * it ends there; else the server stays until Ctrl-C.
 */
export async function tryOut(argv: readonly string[], root: string): Promise<number> {
  const unknown = argv.find((word) => word !== '--once')
  if (unknown !== undefined) {
    process.stderr.write(`npm start takes only --once (npm start -- --once), not ${unknown}\n`)
    return EXIT.usage
  }
  const directory = path.join(root, '.magnetar')
  const starting = new AbortController()
  const giveUp = (): void => starting.abort(new Error('interrupted'))
  process.once('SIGINT', giveUp).once('SIGTERM', giveUp)
  let node: TryNode
  try {
    node = await setUpTryNode(directory, starting.signal)
  } catch (error) {
    if (starting.signal.aborted) return EXIT.interrupted
    printError(error)
    return EXIT.failed
  }
  process.off('SIGINT', giveUp).off('SIGTERM', giveUp)
  done(
    `a node is set up in ${path.relative(process.cwd(), directory) || '.'}/ (nothing else was changed, no root needed)`,
  )
  done(`jobs run ${node.manager === 'slurm' ? 'on Slurm' : 'on this machine'}: ${node.why}`)

  for (const conflict of node.conflicts) process.stdout.write(`${chalk.yellow('!')} ${conflict}\n`)

  const port = await nextFreePort('127.0.0.1', USUAL_PORT)
  const url = `http://127.0.0.1:${port}/`
  const logStart = existsSync(node.logFile) ? statSync(node.logFile).size : 0
  const server = startServer(node, port)
  // Ctrl-C reaches the server too: it stops by itself, we only wait for it.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => server.kill('SIGTERM'))
  try {
    await untilReady(server, url, node, logStart)
    done(`serving ${url}${port === USUAL_PORT ? '' : ` (port ${USUAL_PORT} is taken)`}`)
    const report = await sendJob(url, node)
    if (report !== EXIT.ok || argv.includes('--once')) return report
    sayWhatNext(url, node, directory)
    await once(server, 'exit')
    process.stdout.write('\nStopped. Jobs that still run go on, and the next start takes them up again.\n')
    return EXIT.ok
  } catch (error) {
    process.stderr.write(`${chalk.red('✖')} ${messageOf(error)}\n`)
    return EXIT.failed
  } finally {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGTERM')
      await once(server, 'exit')
    }
  }
}

function startServer(node: TryNode, port: number): ChildProcess {
  const log = openSync(node.logFile, 'a', 0o600)
  const program = fileURLToPath(new URL('../../bin/magnetar.js', import.meta.url))
  const args = [
    program,
    'serve',
    '--config',
    node.configDirectory,
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    // In a container there may be nobody else; nothing but this machine reaches it.
    ...(process.geteuid?.() === 0 ? ['--allow-root'] : []),
  ]
  const server = spawn(process.execPath, args, { stdio: ['ignore', log, log] })
  closeSync(log)
  return server
}

async function untilReady(server: ChildProcess, url: string, node: TryNode, logStart: number): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS
  for (;;) {
    if (server.exitCode !== null || server.signalCode !== null)
      throw new Error(`the server did not start:\n${lastLines(node.logFile, logStart)}`)
    const answer = await fetch(`${url}healthz`, {
      headers: { authorization: `Bearer ${node.token}` },
      signal: abortAfter(2000),
    }).catch(() => undefined)
    if (answer?.ok) return
    if (Date.now() > deadline)
      throw new Error(`the server does not answer on ${url}:\n${lastLines(node.logFile, logStart)}`)
    await sleep(20)
  }
}

async function sendJob(url: string, node: TryNode): Promise<number> {
  process.stdout.write('  a job: ')
  let first = true
  const onStatus = (status: string): void => {
    process.stdout.write(first ? status : ` → ${status}`)
    first = false
  }
  const client = createNodeClient({ url, token: node.token, certificate: undefined })
  let report: CheckReport
  try {
    report = await runCheckJob({ client, signal: new AbortController().signal, onStatus, seconds: 1 })
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error
    process.stderr.write(
      `\n${chalk.red('✖')} the job did not end well: ${error.message}\n  The server's log is ${node.logFile}\n`,
    )
    return EXIT.failed
  }
  process.stdout.write(`   ${chalk.dim(`${(report.ms / 1000).toFixed(1)} s`)}\n`)
  for (const line of [report.greeting, `ran on ${report.node} with ${report.slots} slot(s)`])
    process.stdout.write(`    ${chalk.dim('|')} ${line}\n`)
  done('a real job ran through it')
  return EXIT.ok
}

function sayWhatNext(url: string, node: TryNode, directory: string): void {
  const here = (file: string): string => path.relative(process.cwd(), file) || '.'
  const token = here(node.tokenFile)
  process.stdout.write(`
${chalk.bold('What next')}
  Ask it something   curl ${url}healthz \\
                       -H "Authorization: Bearer $(cat ${token})"
  Watch it work      tail -f ${here(node.logFile)}
  Let Galaxy use it  a destination with runner pulsar_rest, this url,
                     the private_token in ${token},
                     default_file_action remote_transfer, and a
                     galaxy_infrastructure_url that this machine reaches
  Set up your own    node bin/magnetar.js setup
  Remove it          rm -r ${here(directory)}

${chalk.bold('Ctrl-C')} stops the server.
`)
}

/** What the server wrote since this start, its last lines; a person is told what the most likely of them means. */
function lastLines(file: string, from: number): string {
  const text = readFileSync(file).subarray(from).toString('utf8').trimEnd()
  if (text.includes('STORE_LOCKED'))
    return '  npm start is already running here. Stop it first, with Ctrl-C where it runs.'
  return text.split('\n').slice(-5).join('\n')
}

function done(text: string): void {
  process.stdout.write(`${chalk.green('✔')} ${text}\n`)
}
