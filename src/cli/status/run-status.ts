import type { ChalkInstance } from 'chalk'
import type { DiskSpace, ManagerStatus, NodeStatus } from '../../control/types.js'
import { judgeDiskRoom, showRoom } from '../../lib/disk-space.js'
import { MagnetarError } from '../../lib/errors.js'
import { findInstallation } from '../../setup/installation.js'
import { restartCommand } from '../config/restart-hint.js'
import type { Terminal } from '../config/terminal.js'
import { showBytes } from '../deps/list.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { renderCounts, shortTool } from '../jobs/table.js'
import { type NodeView, openNode, sayStopped } from '../node/open-node.js'
import { cut, plain, showAge, showTime } from '../node/show.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { createOutput } from '../setup/output.js'
import { terminalWidth } from '../wrap.js'

export interface StatusLine {
  readonly config?: string | undefined
  readonly json?: boolean | undefined
}

/** `magnetar status`: one screen; resolves with the exit code, which is 1 when the server does not run or answer. */
export async function runStatus(line: StatusLine, terminal: Terminal): Promise<number> {
  const output = createOutput({ json: line.json === true, quiet: false, verbose: false })
  const interrupts = watchInterrupts((text) => output.warn(text))
  const { signal } = interrupts
  let node: NodeView | undefined
  try {
    node = await openNode(line.config, terminal, signal)
    const status = await node.status()
    const service = await describeService(node.config.configDirectory)
    const { stdout } = terminal
    if (line.json)
      stdout.write(`${JSON.stringify({ ...status, service: service?.kind ?? null }, undefined, 2)}\n`)
    else {
      const width = stdout.isTTY ? terminalWidth(stdout) : undefined
      const place = node.config.configDirectory
      for (const row of renderStatus(status, { palette: output.palette, width, place, service }))
        stdout.write(`${row}\n`)
    }
    const { recordsError } = status
    if (recordsError) printError(new MagnetarError(recordsError.code, recordsError.message, recordsError))
    return status.running ? EXIT.ok : EXIT.failed
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted
    printError(error)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
    await node?.close()
  }
}

interface Service {
  readonly kind: string
  readonly name: string
  /** What a person types to start it again. */
  readonly restart: string | undefined
}

/** undefined: setup did not make this node, or made it without a service. */
async function describeService(configDirectory: string): Promise<Service | undefined> {
  try {
    const found = await findInstallation(configDirectory)
    const kind = found?.manifest.answers.service
    if (found === undefined || (kind !== 'supervisor' && kind !== 'systemd')) return undefined
    const restart = await restartCommand(configDirectory).catch(() => undefined)
    return { kind, name: found.paths.serviceName, restart }
  } catch {
    return undefined
  }
}

interface Style {
  readonly palette: ChalkInstance
  /** undefined: lines stay whole, for a pipe. */
  readonly width: number | undefined
  readonly place: string
  readonly service: Service | undefined
}

const LABEL = 11
const UNREADABLE = 'The server is not running, and its records cannot be read.'

/** The state of a node, as lines. */
export function renderStatus(status: NodeStatus, { palette, width, place, service }: Style): string[] {
  const nowMs = Date.now()
  const row = (label: string, text: string, colour: (text: string) => string = (same) => same): string => {
    const shown = width === undefined ? plain(text) : cut(plain(text), width - LABEL)
    return `${palette.bold(label.padEnd(LABEL))}${colour(shown)}`
  }
  const isMany = status.managers.length > 1
  const head = status.running
    ? row(
        'Node',
        `running, pid ${status.pid}, up ${showAge(nowMs - (status.startedAtMs ?? nowMs))}`,
        palette.green,
      )
    : row('Node', status.recordsError && !status.silent ? UNREADABLE : sayStopped(status), palette.red)
  return [
    head,
    row('Version', `Magnetar ${status.version}`),
    ...(status.url ? [row('Address', status.url)] : []),
    row('Config', place),
    ...(service ? [row('Service', `${service.kind}: ${service.name}`)] : []),
    ...(!status.running && service?.restart ? [row('Start it', service.restart)] : []),
    ...status.managers.flatMap((manager) => [
      ...(isMany ? [row('Manager', `${manager.name} (${manager.type})`)] : []),
      ...scheduler(manager, row, palette),
      row('Jobs', status.recordsError ? 'not known' : renderCounts(manager.counts)),
      ...transfers(manager, row),
    ]),
    ...status.disks.map((disk) => row('Disk', describeDisk(disk), isLow(disk) ? palette.red : undefined)),
    ...status.lastFailures.map(({ id, sinceMs, status: state, toolId, reason }, index) =>
      row(
        index === 0 ? 'Failed' : '',
        `${showTime(sinceMs)} ${id} ${shortTool(toolId) || '-'} ${state}: ${reason ?? 'no reason is known'}`,
      ),
    ),
    ...(status.lastFailures.length === 0 ? [row('Failed', status.recordsError ? 'not known' : 'none')] : []),
  ]
}

type Row = (label: string, text: string, colour?: (text: string) => string) => string

function scheduler({ scheduler: found, type }: ManagerStatus, row: Row, palette: ChalkInstance): string[] {
  if (!found) return [row('Scheduler', `${type}; not asked`)]
  const first = row('Scheduler', found.summary, found.ok ? undefined : palette.red)
  return found.detail ? [first, row('', found.detail, found.ok ? undefined : palette.red)] : [first]
}

function transfers({ transfers: all }: ManagerStatus, row: Row): string[] {
  if (all.length === 0) return [row('Transfers', 'none')]
  const sum = (pick: (each: (typeof all)[number]) => number): number =>
    all.reduce((total, each) => total + pick(each), 0)
  const speed = `${showBytes(sum((each) => each.bytesPerSecond))}/s`
  const jobs = all.length === 1 ? '1 job' : `${all.length} jobs`
  const text = `${jobs}, ${sum((each) => each.filesDone)} of ${sum((each) => each.files)} files, ${speed}`
  const waiting = all.filter((each) => each.retrying)
  const [first] = waiting
  if (!first?.retrying) return [row('Transfers', text)]
  return [
    row(
      'Transfers',
      `${text}, ${waiting.length === 1 ? '1 job waits' : `${waiting.length} jobs wait`} to try again`,
    ),
    row('', `job ${first.jobId}: ${first.retrying.message}`),
  ]
}

function describeDisk({ what, directory, ...room }: DiskSpace): string {
  const { freeBytes, totalBytes, freeInodes, totalInodes } = room
  const few = judgeDiskRoom(room).inodes !== 'enough' || freeInodes < totalInodes / 10
  const inodes = few ? `, room for ${freeInodes} more files` : ''
  return `${what}: ${showRoom(freeBytes)} of ${showRoom(totalBytes)} free${inodes} in ${directory}`
}

function isLow(disk: DiskSpace): boolean {
  const { bytes, inodes } = judgeDiskRoom(disk)
  return bytes !== 'enough' || inodes !== 'enough'
}
