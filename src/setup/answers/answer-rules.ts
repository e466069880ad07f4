import { isIP } from 'node:net'
import { findNearest } from '../../config/nearest.js'
import type { Answers } from '../types.js'
import { type AnswerProblem, type CheckedState, findGiven } from './given.js'
import type { OptionName } from './option.js'
import { setupOption } from './options/index.js'

type Complain = (name: OptionName, message: string, kind?: AnswerProblem['kind'], spelled?: string) => void
type Rule = (state: CheckedState, answers: Partial<Answers>, complain: Complain) => void | Promise<void>

/**
 * What single values cannot tell: answers that exclude or need each other, and what this machine does not allow. Options that are wrong
 * already (`known`) are not complained of again.
 */
export async function checkAnswers(
  state: CheckedState,
  known: readonly AnswerProblem[],
): Promise<AnswerProblem[]> {
  const problems: AnswerProblem[] = []
  const complain: Complain = (name, message, kind = 'invalid', spelled = spell(state, name)) => {
    if (![...known, ...problems].some((problem) => problem.name === name))
      problems.push({ name, kind, spelled, message })
  }
  for (const rule of RULES) await rule(state, state.values as Partial<Answers>, complain)
  return problems
}

const checkAccount: Rule = ({ facts: { account } }, { user, group }, complain) => {
  if (user === 'root' || user === '0')
    complain('user', 'jobs are programs of other people and never run as root; name another user')
  if (account.isRoot) return
  if (user !== undefined && user !== account.user)
    complain('user', `only root can set up a node that runs as somebody else than ${account.user}`, NOT)
  if (group !== undefined && group !== account.group)
    complain('group', `only root can set up a node with another group than ${account.group}`, NOT)
}

/** A user that exists may have it; nobody is made with it. */
const checkHome: Rule = async (state, { home, user }, complain) => {
  if (home !== '/' || user === undefined || !isGiven(state, 'home')) return
  if ((await state.machine.lookUpUser(user))?.home !== home)
    complain('home', 'expected an absolute path, not /')
}

const checkPrefix: Rule = async (state, { prefix }, complain) => {
  const { account } = state.facts
  if (prefix === undefined) return
  const file = await state.machine.whyNoDirectory(prefix)
  if (file !== undefined) return complain('prefix', `${file}; move it away, or name another --prefix`)
  const why = state.force ? undefined : await state.machine.whyOccupied(prefix)
  if (why !== undefined)
    complain('prefix', `${why}; name another --prefix, or add --force to set it up there`)
  if (account.isRoot || (await state.machine.mayCreate(prefix))) return
  complain(
    'prefix',
    `${account.user} may not write to ${prefix}; run this as root, or name another --prefix`,
    NOT,
  )
}

const checkInstance: Rule = ({ manifest }, { instance, prefix }, complain) => {
  const there = manifest?.answers.instance
  if (manifest === undefined || (there ?? undefined) === instance) return
  const what = typeof there === 'string' ? `the instance ${there}` : 'a node without instance name'
  complain('instance', `${prefix} holds ${what}; name another --prefix, or leave --instance out`)
}

const checkManager: Rule = (state, { manager, drmaaLibrary, verify }, complain) => {
  const { slurm } = state.facts
  if (manager === 'drmaa' && drmaaLibrary === undefined)
    complain(
      'manager',
      "drmaa needs --drmaa-library FILE; --manager slurm uses Slurm's own commands and needs none",
    )
  if (manager === 'slurm' && !slurm.found && verify !== false)
    complain('manager', `no Slurm answers here: ${slurm.why}. With --no-verify it is set up all the same`)
}

/** Answers that only mean something with one manager. */
const checkJobs: Rule = (state, { manager, partition }, complain) => {
  for (const [name, needed] of [
    ['partition', 'slurm'],
    ['nativeSpecification', 'slurm'],
    ['concurrentJobs', 'local'],
  ] as const) {
    if (manager === undefined || manager === needed || !isGiven(state, name)) continue
    if (state.values[name] !== undefined)
      complain(name, `only has a meaning with --manager ${needed}, and jobs are run by ${manager} here`)
  }
  const { slurm } = state.facts
  if (partition === undefined || !slurm.found || slurm.partitions.length === 0) return
  const names = slurm.partitions.map(({ name }) => name)
  const unknown = partition.split(',').find((name) => !names.includes(name))
  if (unknown === undefined) return
  const nearest = findNearest(unknown, names)
  complain(
    'partition',
    nearest
      ? `Slurm has no partition ${unknown}; is ${nearest} meant?`
      : `Slurm has no partition ${unknown}; it has ${names.join(', ')}`,
  )
}

/** May correct the state: --no-tls ends the TLS of the last setup. */
const checkTls: Rule = async (state, { host }, complain) => {
  const { values, sources, machine } = state
  if (values.noTls === true) {
    for (const name of ['tlsCert', 'tlsKey'] as const) {
      if (sources[name] === 'found') values[name] = undefined
      else if (values[name] !== undefined) complain(name, 'contradicts --no-tls')
    }
  }
  for (const name of ['tlsCert', 'tlsKey', 'tokenFile'] as const) {
    const file = values[name]
    if (typeof file !== 'string' || file === '-' || sources[name] === 'found') continue
    const why = await machine.whyUnreadable(file)
    if (why !== undefined) complain(name, `${file} cannot be read: ${why}`)
  }
  if (values.tlsCert !== undefined && values.tlsKey === undefined)
    complain('tlsKey', 'the certificate needs its private key', 'missing')
  if (values.tlsKey !== undefined && values.tlsCert === undefined)
    complain('tlsCert', 'the private key needs its certificate', 'missing')
  const exposed = host !== undefined && !isLoopback(host)
  // What the last setup was allowed, this one is.
  if (exposed && !values.tlsCert && values.noTls !== true && sources.host !== 'found') {
    const message = `other machines can reach ${host}, so the node needs a certificate and its key, or --no-tls when a proxy in front of it does TLS`
    complain('tlsCert', message, 'missing', '--tls-cert and --tls-key')
  }
}

const checkAddress: Rule = async (state, { host, port, prefix, start, verify }, complain) => {
  const { facts, machine } = state
  if (host === undefined) return
  if (isIP(host) && !isLoopback(host) && !WILDCARDS.has(host) && !machine.addresses.includes(host)) {
    if (start !== false)
      complain(
        'host',
        `${host} is no address of this machine; it has ${machine.addresses.join(', ') || 'none but loopback: 127.0.0.1'}`,
      )
    return
  }
  if (port === undefined) return
  if (port < 1024 && !(facts.account.isRoot && state.values.user === 'root'))
    complain('port', `ports below 1024 belong to root, and the node runs as ${state.values.user ?? 'a user'}`)
  else if (start !== false || verify !== false) await checkPort(host, port, prefix)

  async function checkPort(host: string, port: number, prefix: string | undefined): Promise<void> {
    if (await machine.isPortFree(host, port)) return
    const read = prefix === undefined ? undefined : await machine.configuredPort(prefix)
    // What is wrong with the configuration is told by the steps; until then what the last setup knew counts.
    const last = state.manifest?.answers.port
    const configured = read !== 'unreadable' ? read : typeof last === 'number' ? last : undefined
    // What listens is the node itself; and a port that was changed by hand stays, when nobody asks for another.
    if (configured === port || (configured !== undefined && !isGiven(state, 'port'))) return
    const next = await machine.nextFreePort(host, port + 1)
    complain('port', `port ${port} is in use by another program; ${next} is free`)
  }
}

const checkService: Rule = ({ facts }, { service, instance }, complain) => {
  if (service === 'supervisor' && facts.supervisor === undefined)
    complain('service', 'there is no Supervisor here; install it (apt install supervisor), or choose another')
  if (service === 'systemd' && facts.systemd === undefined) complain('service', 'there is no systemd here')
  if (service === 'systemd' && !facts.account.isRoot)
    complain(
      'service',
      `only root can install a systemd unit${instance === undefined ? '' : ` pulsar-${instance}`}`,
      NOT,
    )
}

/** May correct the state: a newly given runtime takes the place of the one of the last setup. */
const checkRuntime: Rule = async (state, { node, runtimeTarball }, complain) => {
  const { values, sources, machine } = state
  if (isGiven(state, 'node') && runtimeTarball !== undefined) {
    if (isGiven(state, 'runtimeTarball')) complain('runtimeTarball', 'contradicts --node')
    else values.runtimeTarball = undefined
  }
  for (const [name, file] of [
    ['node', node],
    ['runtimeTarball', runtimeTarball],
  ] as const) {
    if (file === undefined || file === 'download' || sources[name] === 'found') continue
    const why = await machine.whyUnreadable(file)
    if (why !== undefined) complain(name, `${file} cannot be read: ${why}`)
  }
}

const RULES = [
  checkAccount,
  checkHome,
  checkPrefix,
  checkInstance,
  checkManager,
  checkJobs,
  checkTls,
  checkAddress,
  checkService,
  checkRuntime,
]

const NOT = 'not permitted'
const WILDCARDS = new Set(['0.0.0.0', '::'])

/** Whether only programs of this machine reach what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function isGiven(state: CheckedState, name: OptionName): boolean {
  return findGiven(state.given, name) !== undefined
}

/** Where it was given, else the flags that would. */
function spell(state: CheckedState, name: OptionName): string {
  return (
    findGiven(state.given, name)?.spelled ??
    setupOption(name)
      .flags.map(({ flag }) => flag)
      .join(' or ')
  )
}
