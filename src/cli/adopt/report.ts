import type { NodeConfig } from '../../config/types.js'
import type { FoundPulsar, PreparedAdoption } from '../../setup/adopt/adoption.js'
import type { AdoptionStage } from '../../setup/adopt/carry-out.js'
import { describeService } from '../../setup/adopt/find-service.js'
import { describeLeft } from '../../setup/adopt/hand-over.js'
import { describeBroken, describeJobs } from '../../setup/adopt/jobs-under-way.js'
import { nameChange } from '../../setup/apply/apply-error.js'
import type { Change, Plan } from '../../setup/types.js'
import { localUrl } from '../../setup/verify/node-access.js'
import { SIGNS } from '../palette.js'
import type { Output } from '../setup/output.js'
import { showDiff } from '../setup/show-plan.js'

/** What is there, before anything is said of changes. */
export function showFound(found: FoundPulsar, jobs: string | undefined, output: Output): void {
  const { installation, version, service, config, status, state, runsMagnetar, pid } = found
  const { definition, pulsar } = service
  const runs = runsMagnetar
    ? 'runs Magnetar'
    : status === 'running' && pid !== undefined
      ? 'runs the Python Pulsar'
      : state
  const managers = config?.managers.map(({ name, type }) => `${name} (${type})`).join(', ')
  output.say(`Python Pulsar${version ? ` ${version}` : ''} in ${visible(installation.directory)}`)
  const rows = [
    ['service', `${describeService(definition)}, ${definition.file}: ${runs}`],
    ['user', definition.user ?? 'root: every job runs as root'],
    ['configuration', pulsar.configDirectory],
    ...(config === undefined ? [] : [['address', listens(config.server)]]),
    ...(managers === undefined ? [] : [['managers', managers]]),
    ...(jobs === undefined ? [] : [['jobs', jobs]]),
  ]
  for (const [name = '', text] of rows)
    output.say(`  ${name.padEnd(14)} ${visible(text ?? '')}`, ' '.repeat(17))
}

/** Of names: a line break in one would be a line of the plan, and terminals obey some characters. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    const json = JSON.stringify(character).slice(1, -1)
    return json === character ? `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}` : json
  })
}

/** As it is configured: 0.0.0.0 says that other machines reach it. */
function listens({ host, port, sslPem }: NodeConfig['server']): string {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host || '0.0.0.0'
  return `${sslPem === undefined ? 'http' : 'https'}://${name}:${port}/`
}

/** What would be done. `whole`: with every line of every file that is made. */
export function showAdoptionPlan(prepared: PreparedAdoption, whole: boolean, output: Output): void {
  const { program, forward, prefix, service, edit, demands, config, runsMagnetar, jobs } = prepared
  const name = visible(service.definition.name)
  const { install } = program
  output.event('plan', {
    service: service.definition.name,
    file: edit.edit.path,
    command: edit.command,
    release: program.release,
    prefix,
    changes: [...install.changes, ...forward].map(nameChange),
    ...demands,
    jobs: { ...jobs, live: undefined },
  })
  if (!runsMagnetar)
    for (const line of describeBroken(jobs)) output.say(line.replace(/^(?=\S)/, '! '), '    ')
  output.say('\nPlan:')
  if (install.changes.length > 0) {
    output.say(
      `  put Magnetar ${program.release} beside it, in ${visible(prefix)} (${install.changes.length} changes)`,
      '    ',
    )
    if (whole) showDiff(planOf(install.changes), output)
  }
  if (forward.length > 0) {
    output.say(`  give ${name} the command of Magnetar:`)
    showDiff(planOf(forward), output)
  }
  const before = runsMagnetar ? 'Magnetar' : 'the Python Pulsar'
  output.say(
    `  stop ${before}, start ${name}, and see that it answers at ${localUrl(config.server)} with its token; if not, the Python Pulsar runs again`,
    '    ',
  )
  for (const note of [...install.notes, ...demands.notes])
    output.say(`${output.palette.dim('·')} ${visible(note)}`)
}

/** The change of the service's file, and what of jobs is known beforehand. `left`: jobs in the records of a stopped Magnetar alone. */
export function showReturnPlan(
  found: FoundPulsar,
  changes: readonly Change[],
  left: number,
  abandon: boolean,
  output: Output,
): void {
  const name = visible(found.service.definition.name)
  const { configProblem: problem } = found
  output.event('plan', { service: name, changes: changes.map(nameChange) })
  output.say('\nPlan:')
  if (changes.length > 0) {
    output.say(`  give ${name} its command back:`)
    showDiff(planOf(changes), output)
  }
  if (left > 0) {
    output.warn(`! ${describeLeft(left)}`)
    if (abandon) output.warn('! accepted with --force: it runs without them')
    else output.say(`  start Magnetar once more and stop it in good order, which hands them over`, '    ')
  }
  const [sees, again] = [seesOf(found), problem ? 'the command fails' : 'Magnetar runs again']
  output.say(`  ${firstOf(found)}, and see that ${sees}; if not, ${again}`, '    ')
  if (problem)
    output.warn(
      `! Should the Python Pulsar not start, neither can Magnetar, which cannot read this configuration: ${problem.message}`,
    )
}

/** After an adopt or an undo that was killed Magnetar may not run, or never have run. */
function firstOf({ runsMagnetar, status, service }: FoundPulsar): string {
  const { name } = service.definition
  if (runsMagnetar) return `stop Magnetar, start ${name}`
  return status === 'running'
    ? `stop ${name}, which does not run Magnetar, and start it`
    : `start ${name}, where nothing runs now`
}

/** What is seen of the Python Pulsar, at the end of --undo. */
function seesOf({ access }: FoundPulsar): string {
  if (access === undefined) return 'the Python Pulsar runs, which cannot be asked'
  const where = localUrl(access.server)
  return `the Python Pulsar answers at ${where}${access.token === 'unknown' ? '' : ' with its token'}`
}

/** The same, when it was seen. */
export function sawOf({ access }: FoundPulsar): string {
  if (access === undefined) return 'it runs; it was not asked'
  return access.token === 'unknown' ? 'it answers' : DONE.verify
}

function planOf(changes: readonly Change[]): Plan {
  return {
    changes,
    conflicts: [],
    notes: [],
    manifest: { version: 1, answers: {}, files: {}, madeUser: false },
  }
}

const DONE: Readonly<Record<AdoptionStage, string>> = {
  install: 'the program is in its place',
  try: 'Magnetar says that it would start',
  stop: 'stopped; jobs go on',
  change: 'the command of the service is changed',
  start: 'started',
  verify: 'it answers, with its token',
  'hand over': 'Magnetar was started once more and stopped in good order: its jobs are handed over',
  'go back': 'the server before runs again',
}

/** What was under way when it failed. */
const FAILED: Readonly<Record<AdoptionStage, string>> = {
  install: 'putting the program in its place',
  try: 'Magnetar was asked whether it would start',
  stop: 'stopping the service',
  change: 'changing the command of the service',
  start: 'starting the service',
  verify: 'waiting until the server answers',
  'hand over': 'handing over the jobs of Magnetar',
  'go back': 'taking it back',
}

/** Tells each stage when the next begins, with the time it took. */
export function createStageLines(
  output: Output,
  done: Partial<typeof DONE> = {},
): {
  begin(stage: AdoptionStage): void
  end(succeeded: boolean): void
  /** The work has failed: the stage has too, but for a way back that worked. */
  fail(isBack: boolean): void
} {
  const { green, red, dim } = output.palette
  let current: { readonly stage: AdoptionStage; readonly startedMs: number } | undefined
  const end = (succeeded: boolean): void => {
    if (!current) return
    const { stage, startedMs } = current
    current = undefined
    const time = dim(`${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
    output.say(
      succeeded
        ? `${green(SIGNS.done)} ${{ ...DONE, ...done }[stage]}  ${time}`
        : `${red(SIGNS.failed)} ${FAILED[stage]}  ${time}`,
    )
  }
  return {
    end,
    fail: (isBack) => end(isBack && current?.stage === 'go back'),
    begin(stage) {
      end(stage !== 'go back')
      output.event('stage', { stage })
      current = { stage, startedMs: performance.now() }
    },
  }
}

/** "3 under way (3 queued or running): they go on" */
export function jobsRow({ jobs, runsMagnetar }: PreparedAdoption): string | undefined {
  if (runsMagnetar) return undefined
  const under = jobs.fetchingInputs + jobs.queuedOrRunning + jobs.deliveringOutputs
  return `${describeJobs(jobs)}${under === 0 ? '' : under === 1 ? ': it goes on' : ': they go on'}`
}
