import fs from 'node:fs'
import type { ManagerConfig, MetricPluginConfig } from '../config/types.js'
import { quoteForShell } from '../lib/shell.js'
import { STARTED_FRAGMENT } from '../schedulers/started-file.js'
import type { JobDirectory } from './directory.js'
import { environmentStatement } from './environment.js'
import { metricLines } from './metrics/index.js'
import type { SubmitRequest } from './types.js'

export interface ScriptParts {
  readonly directory: JobDirectory
  readonly launch: SubmitRequest
  readonly manager: ManagerConfig
  readonly metrics: readonly MetricPluginConfig[]
  /** Scheduler headers (`#SBATCH …`). */
  readonly headers: readonly string[]
  /** Shell lines that provide what the tool requires. */
  readonly environment: readonly string[]
  readonly startedEvent: string
  readonly endedEvent: string
}

let template: string | undefined

/**
 * The job script (reference/job-lifecycle §3: the effects of pulsar/managers/util/job_script, in their order, without
 * a process besides the tool's own). It runs at most once per submit, and announces its start and end.
 * @throws Error when an env entry is malformed.
 */
export function buildJobScript(parts: ScriptParts): string {
  template ??= fs.readFileSync(new URL('../../templates/job.sh', import.meta.url), 'utf8')
  const { directory, launch, manager } = parts
  const metrics = metricLines(parts.metrics, directory.metadata)
  const environment = [...launch.env, ...manager.env].map((entry) => `    ${environmentStatement(entry)}`)
  const values: Record<string, string> = {
    HEADERS: parts.headers.join('\n'),
    JOB: quoteForShell(directory.path),
    WORKING: quoteForShell(directory.working),
    RETURN_CODE: quoteForShell(directory.returnCode),
    TMP_DIR: tmpDirectory(directory, manager.tmpDir),
    ENVIRONMENT: environment.join('\n'),
    STARTED: STARTED_FRAGMENT(directory.path),
    STARTED_EVENT: quoteForShell(parts.startedEvent),
    ENDED_EVENT: quoteForShell(parts.endedEvent),
    GALAXY_VIRTUAL_ENV: quoteForShell(manager.galaxyVirtualEnv ?? 'None'),
    GALAXY_LIB: quoteForShell(galaxyLibrary(manager.galaxyHome)),
    PRESERVE: pythonText(launch.setup_params.preserve_galaxy_python_environment ?? defaultPreserve(launch)),
    METRICS_BEFORE: metrics.before.join('\n'),
    PROVIDE: provideLines(parts.environment),
    METRICS_AFTER: metrics.after.join('\n'),
    COMMAND: launch.command_line,
  }
  return template.replace(/@@([A-Z_]+)@@/g, (_match, name: string) => values[name] ?? '')
}

/** A line that cannot do its work ends the script, and then the trap leaves its exit code as the tool's. */
function provideLines(lines: readonly string[]): string {
  return lines.length === 0 ? '' : ['_magnetar_providing=1', ...lines, '_magnetar_providing='].join('\n')
}

/** A missing key means False, a null one None (pulsar/managers/base/directory.py:_job_template_env). */
function defaultPreserve(launch: SubmitRequest): boolean | null {
  return 'preserve_galaxy_python_environment' in launch.setup_params ? null : false
}

function pythonText(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  return String(value).replaceAll(/["$`\\]/g, '\\$&')
}

function galaxyLibrary(galaxyHome: string | undefined): string {
  return galaxyHome === undefined || galaxyHome.toLowerCase() === 'none' ? 'None' : `${galaxyHome}/lib`
}

/** The manager's own expression, or J/tmp; when the environment is set up again, an older tmp is kept under the time of its end. */
function tmpDirectory(directory: JobDirectory, expression: string | undefined): string {
  if (expression !== undefined) return `    _GALAXY_JOB_TMP_DIR=${expression}`
  const tmp = quoteForShell(`${directory.path}/tmp`)
  return [
    `    if [ -n "$_magnetar_again" ] && [ -e ${tmp} ]; then`,
    "        local _magnetar_stamp; printf -v _magnetar_stamp '%(%Y%m%d-%H%M%S)T' -1",
    `        mv ${tmp} ${tmp}."$_magnetar_stamp"`,
    '    fi',
    `    _GALAXY_JOB_TMP_DIR=${tmp}`,
    '    _magnetar_again=1',
  ].join('\n')
}
