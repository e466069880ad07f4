import { readFile } from 'node:fs/promises'
import { identify } from '../../check/identify.js'
import { createNodeClient } from '../../check/node-client.js'
import { reach } from '../../check/reach.js'
import { readTarget } from '../../check/target.js'
import { messageOf } from '../../lib/errors.js'
import { quoteForShell } from '../../lib/shell.js'
import { limitTime } from '../../lib/time-limit.js'
import { type ServiceControl, serviceControl } from '../../setup/services/service-control.js'
import { newerThanServer } from '../../setup/services/stale-server.js'
import type { ServiceChoice } from '../../setup/types.js'
import { localUrl } from '../../setup/verify/node-access.js'
import { defineExamination } from '../define-examination.js'
import { findListener, stateOf } from '../listener.js'
import { serveCommand } from '../serve-command.js'
import type { DoctorFacts, Finding, Listen } from '../types.js'

type Id =
  | 'server'
  | 'service-stopped'
  | 'service-failed'
  | 'service-unknown'
  | 'port-closed'
  | 'port-taken'
  | 'server-silent'
  | 'token-refused'
  | 'restart-needed'

const CONNECT_MS = 2000
const ANSWER_MS = 6000
/** For all that is asked; less than doctor gives the whole examination. */
const SILENT_MS = 5000

/** The service and its port: one finding for one cause. */
export const server = defineExamination({
  id: 'server',
  title: 'server',
  group: 'Node',
  findings: {
    'service-stopped': {
      state: 'fail',
      meaning: 'the service is stopped; Galaxy gets no answer. Jobs that run go on',
      fix: '`supervisorctl … start NAME` or `systemctl start NAME`',
    },
    'service-failed': {
      state: 'fail',
      meaning: 'the service ended and should not have; the message has its last words',
      fix: 'what else doctor finds, then `supervisorctl … restart NAME` or `systemctl restart NAME`',
    },
    'service-unknown': {
      state: 'fail',
      meaning: 'the service manager does not know the service that setup made, or does not answer',
      fix: '`magnetar setup --yes`, which makes it again',
    },
    'port-closed': {
      state: 'fail',
      meaning: 'nothing listens on the port of the node',
      fix: 'start the server',
    },
    'port-taken': {
      state: 'fail',
      meaning: 'something else than this node answers on its port',
      fix: 'stop that program, or give the node another port and Galaxy the new URL',
    },
    'server-silent': {
      state: 'fail',
      meaning:
        'the server takes connections but answers none: it was stopped, waits for a disk, or computes without end',
      fix: '`kill -CONT PID` where it was stopped, else restart it; jobs go on',
    },
    'token-refused': {
      state: 'fail',
      meaning: 'the server that runs refuses the token of the configuration: it was started with another one',
      fix: 'restart the server. A wrong token on the side of Galaxy is found by `magnetar check URL --token-file FILE`',
    },
    'restart-needed': {
      state: 'warn',
      meaning: 'a file of the configuration was changed after the server started, which has not read it',
      fix: 'restart the server; jobs go on meanwhile',
    },
  },
  async examine(facts, signal) {
    const control = controlOf(facts)
    const down = await examineService(control, facts, signal)
    const open = await findOpen(facts.listens, signal)
    if (open === undefined) return [down ?? (await portClosed(control, facts, signal))]
    const answer = await examineAnswer(open, control, facts, signal)
    // A stopped service whose port answers: somebody started the server by hand, or something else has the port.
    return down && answer.state === 'ok' ? [down] : [answer]
  },
})

function controlOf({ manifest, paths, supervisor }: DoctorFacts): ServiceControl | undefined {
  const kind = manifest?.answers.service
  if (paths === undefined || (kind !== 'supervisor' && kind !== 'systemd')) return undefined
  return serviceControl(kind satisfies ServiceChoice, paths, { supervisor })
}

async function examineService(
  control: ServiceControl | undefined,
  { paths, account }: DoctorFacts,
  signal: AbortSignal,
): Promise<Finding<Id> | undefined> {
  if (control === undefined || paths === undefined) return undefined
  const name = `${control.manager}: ${paths.serviceName}`
  const setup = `magnetar setup --yes --prefix ${quoteForShell(paths.prefix)}`
  try {
    const status = await control.status(signal)
    if (status === 'running') return undefined
    if (status === 'unknown')
      return {
        id: 'service-unknown',
        state: 'fail',
        message: `${name} is not known there`,
        fix: { command: setup },
      }
    const why = await control.explain(signal)
    if (status === 'stopped')
      return {
        id: 'service-stopped',
        state: 'fail',
        message: `${name} is stopped`,
        fix: { command: control.commandFor('start') },
      }
    const last = tellingLine(await control.lastLogLines(signal))
    return {
      id: 'service-failed',
      state: 'fail',
      message: `${name} failed: ${why}${last === undefined ? '' : `; it said: ${last.trim()}`}`,
      fix: { text: 'Mend what else is found here, then:', command: control.commandFor('restart') },
    }
  } catch (error) {
    signal.throwIfAborted()
    // Whoever may not ask the service manager can still see the port.
    if (!account.isRoot) return undefined
    return { id: 'service-unknown', state: 'fail', message: messageOf(error), fix: { command: setup } }
  }
}

/** The last line that sounds like a reason; after a crash Node's own version stands behind it. */
function tellingLine(lines: readonly string[]): string | undefined {
  return lines.findLast((line) => /error|magnetar:|cannot/i.test(line)) ?? lines.at(-1)
}

interface Open {
  readonly listen: Listen
  readonly url: string
}

async function findOpen(listens: readonly Listen[], signal: AbortSignal): Promise<Open | undefined> {
  for (const listen of listens) {
    const url = localUrl(listen)
    try {
      await reach(readTarget(url), { signal, timeoutMs: CONNECT_MS })
      return { listen, url }
    } catch {
      signal.throwIfAborted()
    }
  }
  return undefined
}

async function portClosed(
  control: ServiceControl | undefined,
  facts: DoctorFacts,
  signal: AbortSignal,
): Promise<Finding<Id>> {
  const [listen] = facts.listens
  if (listen === undefined)
    return {
      id: 'server',
      state: 'left-out',
      message: 'its port is not known: the configuration has to be right first',
    }
  const last = control === undefined ? undefined : tellingLine(await control.lastLogLines(signal))
  return {
    id: 'port-closed',
    state: 'fail',
    message: `nothing listens on ${describe(listen)}${last === undefined ? '' : `; the server said: ${last.trim()}`}`,
    fix:
      control === undefined ? { command: serveCommand(facts) } : { command: control.commandFor('restart') },
  }
}

async function examineAnswer(
  { listen, url }: Open,
  control: ServiceControl | undefined,
  facts: DoctorFacts,
  signal: AbortSignal,
): Promise<Finding<Id>> {
  const { config, paths } = facts
  const target = readTarget(url)
  const token = config?.privateToken
  const certificate = listen.sslPem === undefined ? undefined : await readCertificate(listen.sslPem)
  const client = createNodeClient({ url, token, tokenIn: 'query', certificate, timeoutMs: ANSWER_MS })
  const hasToken = token !== undefined
  const probeId = 'magnetar-doctor-none'
  const limit = limitTime(signal, SILENT_MS)
  const identity = await identify({
    target,
    client,
    hasToken,
    signal: limit.signal,
    timeoutMs: ANSWER_MS,
    probeId,
  })
    .catch((error: unknown) => {
      if (limit.isUp()) return undefined
      throw error
    })
    .finally(limit.release)
  const listener = await findListener(listen.port)
  const restart = control?.commandFor('restart')
  const byHand = `kill ${listener?.pid ?? 'PID'} && ${serveCommand(facts)}`
  if (identity === undefined)
    return silent(listen, listener?.pid, restart, byHand.replace('kill ', 'kill -9 '))
  if (identity.is === 'closed') {
    if (config === undefined)
      return { id: 'server', state: 'ok', message: `a Pulsar answers on ${describe(listen)}` }
    return {
      id: 'token-refused',
      state: 'fail',
      message: `the server on ${describe(listen)} refuses the token of the configuration`,
      fix: { text: 'It was started with another one. Restart it:', command: restart ?? byHand },
    }
  }
  if (identity.is === 'foreign') {
    const who = listener?.command === undefined ? '' : ` (process ${listener.pid}: ${listener.command})`
    return {
      id: 'port-taken',
      state: 'fail',
      message: `${describe(listen)}: ${identity.problem.advice.message}${who}`,
      fix: {
        text: 'Stop what answers there, or give the node another port in server.ini and Galaxy the new URL.',
        ...(listener?.pid === undefined ? {} : { command: `kill ${listener.pid}` }),
      },
    }
  }
  const changed =
    paths !== undefined && listener?.pid !== undefined
      ? await newerThanServer(paths, listener.pid, signal)
      : undefined
  if (changed !== undefined)
    return {
      id: 'restart-needed',
      state: 'warn',
      message: `${changed} was changed after the server started, which has not read it`,
      fix: { text: 'Jobs go on meanwhile:', command: restart ?? byHand },
    }
  const by = control === undefined ? '' : `, run by ${control.manager}`
  return {
    id: 'server',
    state: 'ok',
    message: `Pulsar ${identity.version} answers on ${describe(listen)}${by}`,
  }
}

const STATES: Readonly<Record<string, string>> = {
  T: 'was stopped',
  t: 'is held by a debugger',
  D: 'waits for a disk',
  R: 'computes',
}

async function silent(
  listen: Listen,
  pid: number | undefined,
  restart: string | undefined,
  byHand: string,
): Promise<Finding<Id>> {
  const state = pid === undefined ? undefined : await stateOf(pid)
  const doing = STATES[state ?? '']
  const who = pid === undefined ? '' : ` (process ${pid}${doing === undefined ? '' : ` ${doing}`})`
  return {
    id: 'server-silent',
    state: 'fail',
    message: `${describe(listen)} takes connections, but nobody answers there${who}`,
    fix:
      state === 'T'
        ? { text: 'Somebody stopped it (SIGSTOP). Let it go on:', command: `kill -CONT ${pid}` }
        : { text: 'Jobs go on meanwhile:', command: restart ?? byHand },
  }
}

async function readCertificate(file: string): Promise<string | undefined> {
  const pem = await readFile(file, 'utf8').catch(() => '')
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)?.join('\n')
}

function describe({ host, port }: Listen): string {
  return `${host.includes(':') ? `[${host}]` : host} port ${port}`
}
