import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { applyMappings } from '../mapping.js'
import type {
  Requirement,
  Resolution,
  ResolveRequest,
  Resolver,
  ResolverContext,
  ResolverType,
} from '../types.js'
import { activationLines, readActivation } from './activation.js'
import { type CondaSource, createCondaSource } from './conda-source.js'
import { environmentPath, lookAt, noteUse } from './environment.js'
import { createEnvironmentMaker, type EnvironmentMaker } from './environment-maker.js'
import { tidyAtStart } from './prefix-lock.js'
import { type CondaSettings, readSettings } from './settings.js'
import { type CondaTarget, describeTarget, environmentName, lookupNames, targetOf } from './targets.js'

/** Rewrites a requirement as the mapping files say (mapping-files.ts). */
export type MapRequirement = (requirement: Requirement) => Requirement

/** Conda packages in environments of the node's own Conda (reference: galaxy.tool_util.deps.resolvers.conda). */
export const condaResolver: ResolverType = {
  type: 'conda',
  create: (spec, context: ResolverContext) =>
    createCondaResolver(readSettings(spec, context), (each) => applyMappings(spec.mappings, each)),
}

interface Room {
  readonly settings: CondaSettings
  readonly source: CondaSource
  readonly maker: EnvironmentMaker
  readonly map: MapRequirement
}

interface Wanted {
  readonly requirement: Requirement
  readonly target: CondaTarget
}

/** @param map applied to each requirement before it is looked at */
export function createCondaResolver(settings: CondaSettings, map: MapRequirement = (each) => each): Resolver {
  const room: Room = {
    settings,
    source: createCondaSource(settings),
    maker: createEnvironmentMaker(settings),
    map,
  }
  return {
    type: 'conda',
    prepare: (log, signal) => prepare(room, log, signal),
    resolve: (request) => resolve(room, request),
    advise: ({ type }) => (type === 'package' ? adviseOn(settings) : undefined),
  }
}

/** With auto_install nothing is left open: what cannot be made fails the job, with its reason. */
function adviseOn({ autoInstall, autoInit, readOnly, exec, prefix }: CondaSettings): string | undefined {
  if (readOnly)
    return `The conda resolver only uses the environments that are in ${prefix}/envs, as read_only is set in the resolver file.`
  if (autoInstall) return undefined
  const lacks = !autoInit && exec.includes('/') && !existsSync(exec)
  const init = lacks
    ? `, and Conda itself (there is no ${exec}) with "magnetar config set conda_auto_init true"`
    : ''
  return `Conda installs what is missing with "magnetar config set conda_auto_install true" (auto_install in the resolver file)${init}; then restart the node.`
}

async function prepare({ settings, source }: Room, log: Logger, signal: AbortSignal): Promise<void> {
  await tidyAtStart(settings.prefix, log, signal)
  try {
    const tool = await source.find(log, signal)
    log.debug(
      `conda resolver: ${tool.exec} (${tool.kind} ${tool.version}), environments in ${settings.prefix}`,
    )
    if (settings.useLocal && tool.kind === 'mamba')
      log.warn(`${tool.exec} knows no use_local; that option of the conda resolver has no effect`)
  } catch (error) {
    signal.throwIfAborted()
    const fix = error instanceof MagnetarError ? (error.fix ?? '') : ''
    // Without auto_install the environments that are there are used all the same.
    if (settings.autoInit || settings.autoInstall) log.warn(`${messageOf(error)}. ${fix}`)
    else log.debug(messageOf(error))
  }
}

async function resolve(room: Room, request: ResolveRequest): Promise<readonly Resolution[]> {
  const { settings, map } = room
  const wanted = request.open
    .filter(({ type }) => type === 'package')
    .map((requirement) => ({ requirement, target: targetOf(map(requirement), settings.versionless) }))
  if (wanted.length === 0) return []
  const targets = wanted.map(({ target }) => target)
  const found = await findWhole(settings.prefix, lookupNames(targets))
  if (found !== undefined) return [await resolution(room, request, wanted, found, false)]
  if (!settings.autoInstall || settings.readOnly) return resolveAlone(room, request, wanted)
  const name = environmentName(targets)
  try {
    const tool = await room.source.find(request.log, request.signal)
    await room.maker.make({ name, targets, tool, log: request.log, signal: request.signal })
  } catch (error) {
    request.signal.throwIfAborted()
    return await withoutNew(room, request, wanted, error)
  }
  return [await resolution(room, request, wanted, name, false)]
}

/** The environment for all of them cannot be had. Those that exist for each alone will do, if that is all. */
async function withoutNew(
  room: Room,
  request: ResolveRequest,
  wanted: readonly Wanted[],
  error: unknown,
): Promise<readonly Resolution[]> {
  const alone = wanted.length > 1 ? await resolveAlone(room, request, wanted) : []
  if (alone.length < wanted.length) throw error
  request.log.warn(`each package is taken from an environment of its own: ${messageOf(error)}`)
  return alone
}

/**
 * Each from an environment of its own, one upon the other on the PATH, the first in front. The Python Pulsar copies them into one
 * environment in the job directory, which takes a solve for every job.
 */
async function resolveAlone(
  room: Room,
  request: ResolveRequest,
  wanted: readonly Wanted[],
): Promise<readonly Resolution[]> {
  const found: Resolution[] = []
  for (const each of wanted.toReversed()) {
    const name = await findWhole(room.settings.prefix, lookupNames([each.target]))
    if (name !== undefined) found.push(await resolution(room, request, [each], name, found.length > 0))
  }
  return found
}

/** The first of the names whose environment can be used. */
async function findWhole(prefix: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) if ((await lookAt(prefix, name)) === 'whole') return name
  return undefined
}

async function resolution(
  { settings: { prefix } }: Room,
  { jobDirectory, log }: ResolveRequest,
  wanted: readonly Wanted[],
  name: string,
  stack: boolean,
): Promise<Resolution> {
  const environment = environmentPath(prefix, name)
  await noteUse(prefix, name)
  for (const { target } of wanted)
    log.debug(`Using dependency ${describeTarget(target).replace(' ', ' version ')} of type conda`)
  const activation = await readActivation(prefix, environment)
  return {
    requirements: wanted.map(({ requirement }) => requirement),
    shell: activationLines(activation, { logFile: join(jobDirectory, 'conda_activate.log'), stack }),
    what: `conda environment ${environment}`,
  }
}
