import { quoteForShell } from '../lib/shell.js'
import type { SetUpJob } from './pulsar-calls.js'

/** What the job ends with on purpose: the return code of a tool is to arrive, also one that is not 0. */
export const RETURN_CODE = 4
/** What the job ends with when it misses something; its stderr has what. */
export const MISSED_CODE = 5

export const GREETING = 'Hello from magnetar check'

/** A variable that is sent with the job. */
export const VARIABLE = 'MAGNETAR_CHECK'

/** A file that travels, by its type and name in Pulsar's protocol. */
export interface JobFile {
  readonly type: string
  readonly name: string
}

/** Sent beside the script and the large file, each with `word` in it. */
export const SMALL_INPUTS: readonly JobFile[] = [
  { type: 'input', name: 'data_files/below/extra' },
  { type: 'config', name: 'config' },
  { type: 'workdir', name: 'in-workdir' },
  { type: 'metadata', name: 'metadata_in' },
  { type: 'unstructured', name: 'index/genome/part' },
]

export const SCRIPT: JobFile = { type: 'tool', name: 'script.sh' }
export const DATA_IN: JobFile = { type: 'input', name: 'data' }
export const DATA_OUT: JobFile = { type: 'output', name: 'data' }
export const ANSWER: JobFile = { type: 'output', name: 'answer' }

/** Fetched beside the large file and the answer, each with `word` in it. */
export const SMALL_OUTPUTS: readonly JobFile[] = [
  { type: 'output', name: 'data_files/below/extra' },
  { type: 'output', name: 'COMMAND_VERSION' },
  { type: 'output_workdir', name: 'from-workdir' },
  { type: 'output_metadata', name: 'metadata_out' },
]

/**
 * What the job does: looks whether all that was sent has arrived, copies the data, leaves files wherever tools of Galaxy do, says
 * where and as whom it runs, and ends with 4.
 */
export const SCRIPT_TEXT = `#!/bin/sh
# Sent by magnetar check. It only reads and writes in its own job directory.
set -u
inputs=$1 outputs=$2 configs=$3 unstructured=$4 word=$5
missed=0
miss() { echo "$1" >&2; missed=1; }
same() { [ "$(cat "$2" 2>/dev/null)" = "$word" ] || miss "the $1 file is not there as it was sent: $2"; }
[ -s "$inputs/data" ] || miss "the input is not there: $inputs/data"
same 'nested input' "$inputs/data_files/below/extra"
same config "$configs/config"
same 'working directory' in-workdir
same metadata ../metadata/metadata_in
same unstructured "$unstructured/index/genome/part"
[ "\${${VARIABLE}:-}" = "$word" ] || miss 'the environment variable ${VARIABLE} was not set'
[ -d "\${_GALAXY_JOB_TMP_DIR:-}" ] || miss '_GALAXY_JOB_TMP_DIR names no directory'
[ -d "\${_GALAXY_JOB_HOME_DIR:-}" ] || miss '_GALAXY_JOB_HOME_DIR names no directory'
[ -n "\${GALAXY_SLOTS:-}" ] || miss 'GALAXY_SLOTS is not set'
mkdir -p "$outputs/data_files/below"
cat "$inputs/data" > "$outputs/data" || miss 'the output could not be written'
for file in "$outputs/data_files/below/extra" "$outputs/COMMAND_VERSION" from-workdir ../metadata/metadata_out; do
  echo "$word" > "$file" || miss "could not be written: $file"
done
echo "[\\"$word\\"]" > galaxy.json
{ uname -n; id -un 2>/dev/null || id -u; echo "\${GALAXY_SLOTS:-?}"; } > "$outputs/answer"
[ $missed = 0 ] || exit ${MISSED_CODE}
echo '${GREETING}'
exit ${RETURN_CODE}
`

/** Galaxy's jobs have 10 KB and more in the request line; proxies and uWSGI cut long ones. An unknown parameter is ignored. */
const PADDING = 'x'.repeat(12 * 1024)

/** The parameters of the submit. `word`: only letters and digits. */
export function submitQuery(job: SetUpJob, word: string): Record<string, string> {
  const paths = [
    `${job.tools_directory}/${SCRIPT.name}`,
    job.inputs_directory,
    job.outputs_directory,
    job.configs_directory,
    job.unstructured_files_directory,
  ]
  const words = [...paths, word].map(quoteForShell).join(' ')
  return {
    // The tool's streams go where Galaxy's commands put them.
    command_line: `sh ${words} > ../metadata/tool_stdout 2> ../metadata/tool_stderr`,
    env: JSON.stringify([{ name: VARIABLE, value: word }]),
    dynamic_file_sources: JSON.stringify([{ type: 'galaxy', path: 'galaxy.json' }]),
    magnetar_padding: PADDING,
  }
}
