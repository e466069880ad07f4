import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { editExports, readExport } from '../../config/edit/exports.js'
import { quoteForShell } from '../../lib/shell.js'
import { defineStep } from '../define-step.js'
import { currentText, type InspectedFile, inspectConfigFile, planConfigFile } from '../files/config-file.js'
import { type Dialect, isEditRefused, mergeText } from '../files/config-text.js'
import type { FoundValue, WantedKey } from '../files/managed-file.js'
import { renderLocalEnv } from '../files/render/local-env.js'
import { isExplicit, type SetupContext } from '../types.js'

interface State {
  readonly file: InspectedFile
  /** The configuration of a Slurm that is not at its usual place: SLURM_CONF of whoever runs setup. */
  readonly slurmConf: string | undefined
  /** Where Slurm's commands are, when that is a directory that services have not on their PATH. */
  readonly slurmDirectory: string | undefined
}

interface ExportKey extends WantedKey {
  readonly value: string | undefined
}

const STEP = 'local-env'
/** What Supervisor and systemd give a service. */
const USUAL_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** etc/local_env.sh: the environment that a service would not have by itself. */
export const localEnvStep = defineStep<State>({
  id: STEP,
  title: 'environment of the server',
  async inspect(context) {
    const isSlurm = context.answers.manager === 'slurm'
    return {
      file: await inspectConfigFile(context.paths.localEnv, context),
      slurmConf: isSlurm ? process.env.SLURM_CONF || undefined : undefined,
      slurmDirectory: isSlurm ? await unusualDirectoryOf('sbatch') : undefined,
    }
  },
  plan(context, { file, slurmConf, slurmDirectory }) {
    const { answers, manifest, paths, force } = context
    const current = currentText(file)
    const merged = mergeText<ExportKey>({
      path: paths.localEnv,
      current,
      fresh: freshLocalEnv(answers.drmaaLibrary, slurmDirectory),
      wanted: wantedExports(context, current, slurmConf),
      dialect,
      written: manifest?.files[paths.localEnv],
      force,
    })
    const missing = slurmDirectory !== undefined && !merged.text.includes(slurmDirectory)
    return planConfigFile(context, file, {
      step: STEP,
      path: paths.localEnv,
      what: 'the environment of the server',
      secret: false,
      ...merged,
      notes: missing ? [...merged.notes, pathNote(paths.localEnv, slurmDirectory)] : merged.notes,
    })
  },
})

function wantedExports(
  { answers, sources }: SetupContext,
  current: string | undefined,
  slurmConf: string | undefined,
): ExportKey[] {
  // A later run from a shell without the variable says nothing about the cluster.
  const kept = current === undefined ? undefined : readExportValue(current, 'SLURM_CONF')
  const conf = slurmConf ?? (typeof kept === 'object' ? String(kept.value) : undefined)
  return [
    {
      key: 'DRMAA_LIBRARY_PATH',
      value: answers.drmaaLibrary,
      explicit: isExplicit(sources.drmaaLibrary),
    },
    { key: 'SLURM_CONF', value: answers.manager === 'slurm' ? conf : undefined, explicit: false },
  ]
}

const dialect: Dialect<ExportKey> = {
  read: (text, { key }) => readExportValue(text, key),
  edit: (text, edits) =>
    editExports(
      text,
      edits.map(({ key, value }) => ({ name: key, value })),
    ),
}

/** A script may set a variable in ways that cannot be edited; that is nobody's business unless it has to be set. */
function readExportValue(text: string, name: string): FoundValue {
  try {
    const value = readExport(text, name)
    return value === undefined ? undefined : { value }
  } catch (error) {
    if (isEditRefused(error)) return 'other'
    throw error
  }
}

function freshLocalEnv(drmaaLibrary: string | undefined, slurmDirectory: string | undefined): string {
  const text = renderLocalEnv({ drmaaLibrary })
  if (slurmDirectory === undefined) return text
  return `${text}\n## Slurm's commands are not where a service looks for them.\n${pathLine(slurmDirectory)}\n`
}

function pathLine(directory: string): string {
  return `export PATH=${quoteForShell(directory)}:"$PATH"`
}

function pathNote(file: string, directory: string): string {
  return `Slurm's commands are in ${directory}, where a service may not find them. Add to ${file}: ${pathLine(directory)}`
}

async function unusualDirectoryOf(program: string): Promise<string | undefined> {
  const directories = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((directory) => directory.startsWith('/'))
  // What is at a usual place too needs no word.
  for (const directory of [...USUAL_PATH, ...directories]) {
    const isHere = await access(join(directory, program), constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isHere) return USUAL_PATH.includes(directory) ? undefined : directory
  }
  return undefined
}
