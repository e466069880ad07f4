import type { PullOptions } from '../../check/pull.js'
import { type CheckRun, runChecks } from '../../check/run-checks.js'
import type { CheckLimits } from '../../check/session.js'
import type { Target } from '../../check/target.js'
import type { CheckState } from '../../check/types.js'
import { MagnetarError } from '../../lib/errors.js'
import type { CheckCommandLine } from '../check.js'
import { say, type Terminal } from '../config/terminal.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { checkExitCode } from './exit.js'
import { openTarget } from './open-target.js'
import { createCheckLines, formatMs } from './render.js'

const CONNECT_S = 10
const ANSWER_S = 30
const JOB_S = 120

/** `magnetar check`: resolves with the exit code. */
export async function runCheckCommand(line: CheckCommandLine, terminal: Terminal): Promise<number> {
  const { stdout, stderr, env } = terminal
  const interrupts = watchInterrupts((text) => say(stderr, text))
  try {
    const pull = readPull(line)
    const opened = await openTarget(line, terminal, interrupts.signal)
    const lines = createCheckLines(stdout, env, line.quiet)
    const { target } = opened
    if (!line.json && !line.quiet) say(stdout, `Checking ${target.url.href}`)
    const run = await runChecks({
      ...opened,
      limits: readLimits(line.timeout),
      pull,
      signal: interrupts.signal,
      ...(line.json ? {} : { onStart: (name) => lines.start(name), onEnd: (result) => lines.end(result) }),
    })
    lines.flush()
    const exitCode = checkExitCode(run)
    if (line.json) stdout.write(`${JSON.stringify(toJson(target, run, exitCode), undefined, 2)}\n`)
    else if (!line.quiet) say(stdout, summary(run))
    for (const jobId of run.left)
      say(stderr, `magnetar: job ${jobId} could not be removed: remove its directory on the node`)
    return exitCode
  } catch (error) {
    if (interrupts.signal.aborted) return EXIT.interrupted
    printError(error)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

function readLimits(timeout: number | undefined): CheckLimits {
  const atMost = (seconds: number): number => Math.min(seconds, timeout ?? seconds) * 1000
  return { connectMs: atMost(CONNECT_S), answerMs: atMost(ANSWER_S), jobMs: (timeout ?? JOB_S) * 1000 }
}

function readPull(line: CheckCommandLine): Omit<PullOptions, 'localAddress'> | undefined {
  const { pull, filesHost: host, filesPort: port, filesUrl: url } = line
  if (!pull) return undefined
  if (url !== undefined) {
    if (host !== undefined)
      throw new MagnetarError('ANSWER_INVALID', '--files-url and --files-host cannot be used together', {
        fix: 'Give --files-url with the port that it leads to: --files-port PORT',
      })
    if (!/^https?:\/\//.test(url) || !URL.canParse(url) || /[?#]/.test(url))
      throw new MagnetarError(
        'ANSWER_INVALID',
        `--files-url ${url} is no URL that a path can be put behind`,
        {
          fix: 'Write it like http://my.machine.example.org:8080/',
        },
      )
    if (port === undefined && url.startsWith('https:'))
      throw new MagnetarError('ANSWER_INVALID', '--files-url begins with https, which is not served here', {
        fix: 'Let a proxy serve it, and name the port here that it leads to: --files-port PORT',
      })
  }
  return { host, port, url }
}

function summary({ results, ms, interrupted, left }: CheckRun): string {
  const count = (state: CheckState): number => results.filter((each) => each.state === state).length
  const time = formatMs(ms)
  if (interrupted)
    return left.length === 0 ? `Stopped after ${time}; its jobs are removed.` : `Stopped after ${time}.`
  const [passed, warned, failed] = [count('passed'), count('warned'), count('failed')]
  const more = [
    ...(warned > 0 ? [`${warned} with a warning`] : []),
    ...(count('left-out') > 0 ? [`${count('left-out')} left out`] : []),
    ...(count('not-tried') > 0 ? [`${count('not-tried')} not tried`] : []),
  ]
  const rest = more.map((each) => `, ${each}`).join('')
  if (failed === 0) return `Works. ${passed + warned} checks in ${time}${rest}.`
  return `Does not work: ${failed} failed, ${passed + warned} passed in ${time}${rest}.`
}

function toJson(target: Target, run: CheckRun, exitCode: number): unknown {
  const { results, ms, interrupted, left } = run
  return {
    url: target.url.href,
    manager: target.manager ?? '_default_',
    ok: exitCode === EXIT.ok,
    exitCode,
    ms,
    interrupted,
    jobsLeft: left,
    checks: results,
  }
}
