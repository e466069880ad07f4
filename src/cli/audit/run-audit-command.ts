import type { Terminal } from '../config/terminal.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { parseSince } from '../logs/run-logs.js'
import { type NodeView, openNode } from '../node/open-node.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { createOutput } from '../setup/output.js'
import { terminalWidth, wrap } from '../wrap.js'
import { renderAudit } from './render-audit.js'

export interface AuditLine {
  readonly config?: string | undefined
  readonly job?: string | undefined
  readonly since?: string | undefined
  readonly json?: boolean | undefined
}

/** `magnetar audit`: resolves with the exit code. */
export async function runAuditCommand(line: AuditLine, terminal: Terminal): Promise<number> {
  const output = createOutput({ json: line.json === true, quiet: false, verbose: false })
  const interrupts = watchInterrupts((text) => output.warn(text))
  const { signal } = interrupts
  let node: NodeView | undefined
  try {
    const sinceMs = line.since === undefined ? undefined : parseSince(line.since)
    node = await openNode(line.config, terminal, signal)
    const filter = {
      ...(line.job === undefined ? {} : { job: line.job }),
      ...(sinceMs === undefined ? {} : { sinceMs: Math.max(0, Math.floor(sinceMs)) }),
    }
    const report = await node.audit(filter)
    signal.throwIfAborted()
    const isProved = report.directoriesWithoutJournal === undefined
    const isKept = report.violations.length === 0
    const isRunning = node.control !== undefined
    const { stdout } = terminal
    if (line.json)
      stdout.write(
        `${JSON.stringify({ ok: isKept && isProved, running: isRunning, ...report }, undefined, 2)}\n`,
      )
    else {
      const width = stdout.isTTY ? terminalWidth(stdout) : undefined
      for (const { text, indent } of renderAudit(report, { isRunning, palette: output.palette }))
        stdout.write(`${width === undefined ? text : wrap(text, width, indent)}\n`)
    }
    if (!isKept) return EXIT.promiseBroken
    return isProved ? EXIT.ok : EXIT.failed
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted
    printError(error)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
    await node?.close()
  }
}
