import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { errnoOf, MagnetarError } from '../../lib/errors.js'
import { defineStep } from '../define-step.js'
import { readFileState } from '../files/file-state.js'
import { planServiceFileRemoval } from '../services/service-file.js'
import { findUnread, type Unread } from '../services/stale-server.js'
import { pendingChange, programStatus, supervisorctl } from '../services/supervisor.js'
import { planSupervisorCommands } from '../services/supervisor-commands.js'
import {
  PROGRAM_FILE,
  type ProgramFileState,
  planProgramFile,
  programFile,
  startsThisNode,
} from '../services/supervisor-file.js'
import type {
  Change,
  CommandChange,
  Managed,
  NodePaths,
  RemoveContext,
  SetupContext,
  StepPlan,
} from '../types.js'

const STEP = 'supervisor-program'
/** A stop takes up to stopwaitsecs: 10 s unless an admin says more. */
const TIMEOUT_MS = 60_000

interface SupervisorProgramState extends ProgramFileState {
  readonly unread: Unread
  /** Why Supervisor cannot be told anything: it cannot read its files. */
  readonly broken: string | undefined
}

/**
 * The node as a program of Supervisor. The file is not copied from etc/supervisor.conf whenever that changes: where the node's user may
 * write there, a job could have root start what it likes. It begins as the same text, and both are edited key by key.
 */
export const supervisorProgramStep = defineStep<SupervisorProgramState | undefined>({
  id: STEP,
  title: 'program of Supervisor',
  inspect: inspectProgram,
  plan: (context, state, earlier) => {
    if (context.answers.service !== 'supervisor') return {}
    return state ? planProgram(context, state, earlier) : notInstalled()
  },
  remove: (context) => removeProgram(context, startsThisNode),
})

/** undefined: there is no Supervisor, or none is wanted. */
async function inspectProgram(context: SetupContext): Promise<SupervisorProgramState | undefined> {
  const { facts, paths, signal, answers } = context
  const { supervisor } = facts
  if (!supervisor || answers.service !== 'supervisor') return undefined
  const nothing = {
    program: undefined,
    pending: undefined,
    unread: { file: undefined, notes: [] },
    broken: undefined,
    isDirectoryMissing: false,
  }
  const [file, reference, isDirectoryMissing] = await Promise.all([
    readFileState(programFile(supervisor, paths), signal),
    readFileState(paths.supervisorConf, signal),
    checkDirectory(supervisor.programsDirectory),
  ])
  if (!supervisor.running) return { ...nothing, file, reference, isDirectoryMissing }
  const [program, pending] = await Promise.all([
    programStatus(supervisor, paths.serviceName, signal),
    pendingChange(supervisor, paths.serviceName, signal).catch((error: unknown) => {
      if (error instanceof MagnetarError) return error
      throw error
    }),
  ])
  const unread = await findUnread(paths, program?.pid, signal)
  const found = { ...nothing, file, reference, isDirectoryMissing, program, unread }
  return pending instanceof MagnetarError ? { ...found, broken: pending.message } : { ...found, pending }
}

/** @returns whether it is missing @throws MagnetarError NOT_PERMITTED when this user may not write there */
async function checkDirectory(directory: string): Promise<boolean> {
  try {
    await access(directory, constants.W_OK)
    return false
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return true
    throw new MagnetarError(
      'NOT_PERMITTED',
      `this user may not add a program to Supervisor in ${directory}`,
      {
        fix: 'Run setup as root, or with --no-service.',
        cause: error,
      },
    )
  }
}

function planProgram(
  context: SetupContext,
  state: SupervisorProgramState,
  earlier: readonly Change[],
): Partial<StepPlan> & Managed {
  const { supervisor } = context.facts
  if (!supervisor) return {}
  const file = planProgramFile(STEP, context, supervisor, state, earlier)
  if (file.conflicts.length > 0) return file
  const commands = planSupervisorCommands(STEP, context, supervisor, {
    ...state,
    unread: state.unread.file,
    isWritten: file.changes.length > 0,
    startsByItself: file.startsByItself,
    earlier,
  })
  return {
    ...file,
    changes: [...file.changes, ...commands.changes],
    conflicts: commands.conflicts,
    notes: [...file.notes, ...commands.notes, ...state.unread.notes],
  }
}

function notInstalled(): Partial<StepPlan> {
  const message =
    'Supervisor is not installed, or its configuration includes no other files. Install it (apt install supervisor), or choose --systemd or --no-service'
  return {
    conflicts: [{ path: '/etc/supervisor/supervisord.conf', key: undefined, message, blocking: true }],
  }
}

/**
 * Stops the program, and removes it. `isOurs`: whether a file that no manifest knows is this node's. Setup leaves what an admin installed
 * by hand; uninstall does not, as it would start nothing.
 */
export async function removeProgram(
  { paths, manifest, facts, signal }: Omit<RemoveContext, 'purge'>,
  isOurs: (paths: NodePaths, text: string) => boolean,
): Promise<readonly Change[]> {
  const { supervisor } = facts
  if (!supervisor) return []
  const path = programFile(supervisor, paths)
  const name = paths.serviceName
  const file = { step: STEP, path, what: PROGRAM_FILE, isRoot: facts.account.isRoot }
  const starts = (text: string): boolean => isOurs(paths, text)
  const changes = await planServiceFileRemoval(file, { manifest, starts, signal })
  if (!changes) return []
  if (!supervisor.running || !(await programStatus(supervisor, name, signal))) return changes
  const update = supervisorctl(supervisor, 'update', name)
  const command: CommandChange = {
    kind: 'command',
    step: STEP,
    title: `have Supervisor stop ${name} and forget it`,
    counts: 'service',
    argv: update,
    timeoutMs: TIMEOUT_MS,
    undo: undefined,
    undoLast: update,
    touches: [],
  }
  return [...changes, command]
}
