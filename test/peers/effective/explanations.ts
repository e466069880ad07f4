import type { Difference } from './compare-answers.js'

/** A difference that is meant, and why. */
export interface Explanation {
  /** As it stands in docs/compatibility.md. */
  readonly why: string
  matches(difference: Difference, warnings: readonly string[]): boolean
}

const refuses =
  (real: RegExp): Explanation['matches'] =>
  (difference) =>
    difference.path === 'refused' && difference.ours === undefined && real.test(String(difference.real))

const says = (warnings: readonly string[], piece: RegExp): boolean =>
  warnings.some((line) => piece.test(line))

const FALSE_WORD = '(the text "false"|"(no|off|n|f|0)")'

/** Everything else must be the same. Each is met by at least one configuration: a test sees to that. */
export const EXPLANATIONS: readonly Explanation[] = [
  {
    why: 'Without `preprocess_action_max_retries` or `postprocess_action_max_retries` the Python Pulsar tries a transfer once; Magnetar tries again for a day.',
    matches: ({ path, real, ours }) =>
      /\.stage(In|Out)\.maxRetries$/.test(path) && real === 0 && ours === 'for a day',
  },
  {
    why: '`private_token` without quotes that YAML reads as a number, a date or yes: there every request is refused; here it is the text written, with a hint to put quotes around it.',
    matches: ({ path, real, ours }, warnings) =>
      path === 'token' &&
      real === 'no request can have it' &&
      typeof ours === 'string' &&
      says(warnings, /private_token is not in quotes/),
  },
  {
    why: '`job_directory_mode` without quotes at the top, or with quotes in a manager: there the start or every job fails; here both are read as octal.',
    matches: (difference) =>
      refuses(/int\(\) can't convert non-string with explicit base|'str' object cannot be interpreted/)(
        difference,
        [],
      ) ||
      (difference.path.endsWith('.jobDirectoryMode') &&
        difference.real === 'every job fails' &&
        typeof difference.ours === 'number'),
  },
  {
    why: '`name` in `manager`: there the start fails; here it names the manager.',
    matches: refuses(/multiple values for argument 'name'/),
  },
  {
    why: 'A `file_cache_dir` that is missing: there the start fails; here it is made.',
    matches: refuses(/FileNotFoundError.*cache_shelf/),
  },
  {
    why: 'The text `"false"` for `send_stdout_update` or `use_tool_dependencies` (in quotes, in server.ini or in a variable): true there, false here, with a hint.',
    matches: ({ path, ours }, warnings) =>
      (/\.liveOutput$/.test(path) &&
        ours === null &&
        says(warnings, RegExp(`send_stdout_update is ${FALSE_WORD}`))) ||
      (/^(resolvers\.\d+|dependencyDirectory)$/.test(path) &&
        ours === null &&
        says(warnings, RegExp(`use_tool_dependencies is ${FALSE_WORD}`))),
  },
  {
    why: 'A number, a date or yes without quotes where text is meant (a path, the name of a manager, `native_specification`): there it fails the start or the job, or is never matched; here it is the text written.',
    matches: (difference) =>
      refuses(/expected str, bytes or os.PathLike object, not int/)(difference, []) ||
      (/\.(properties\.\w+|nativeSpecification|jobNameTemplate|name)$/.test(difference.path) &&
        /number|boolean/.test(typeof difference.real) &&
        typeof difference.ours === 'string'),
  },
  {
    why: '`env_NAME` with a number that has a fraction: `1.50` is 1.5 there, and 1.50 here.',
    matches: ({ path, real, ours }) =>
      /\.env\.\w+$/.test(path) && /\./.test(String(ours)) && real !== ours && Number(real) === Number(ours),
  },
  {
    why: '`env_NAME` without a value: there every job fails; here the variable is empty.',
    matches: ({ path, real, ours }) => /\.env\.\w+$/.test(path) && real === null && ours === '',
  },
  {
    why: '`env_NAME` whose value is a list, or whose NAME no shell can set: there the job script has a line that means nothing; here it is left out, with a warning.',
    matches: ({ path, real, ours }, warnings) =>
      /\.env\.[^.]+$/.test(path) &&
      typeof real === 'string' &&
      ours === null &&
      says(warnings, /env_.*it has no effect/),
  },
  {
    why: '`job_name_template` with nothing in it: there the job has no name or fails; here it has the default.',
    matches: ({ path, real, ours }) =>
      path.endsWith('.jobNameTemplate') && (real === null || real === '') && ours === 'pulsar_$job_id',
  },
  {
    why: '`job_NAME` of queued_cli without quotes: `1:00:00` is 3600 and `010` is 8 there, and nothing is the word None; here it is the text written, with a warning.',
    matches: ({ path, real, ours }) =>
      /\.jobParameters\./.test(path) &&
      typeof ours === 'string' &&
      (real === null ? ours === '' : real !== ours),
  },
  {
    why: 'A pause of less than 0 seconds is 0.',
    matches: ({ path, real, ours }) =>
      /\.(minPollingInterval|start|step|max|interval)$/.test(path) &&
      typeof real === 'number' &&
      real < 0 &&
      ours === 0,
  },
  {
    why: '`stdout_update_interval`, `stdout_update_timeout` and `stdout_update_chunk_size` without a value in a manager: there the start fails; here it is the value at the top.',
    matches: refuses(/(float|int)\(\) argument must be a string.*NoneType/),
  },
  {
    why: 'A `dependency_resolvers_config_file` without a value stops the Python Pulsar even where dependencies are off; here it is not looked at then.',
    matches: refuses(/join\(\) argument must be str|IsADirectoryError/),
  },
  {
    why: '`object_store_config_file` and `object_store_config`: the start of the Python Pulsar fails with every value; here it goes on without an object store, and says so.',
    matches: (difference, warnings) =>
      refuses(/object store/i)(difference, warnings) && says(warnings, /^object_store_config/),
  },
  {
    why: 'Wrong values of `cvmfsexec` and of `monitor` (coexecution) stop the Python Pulsar; this release does not use them, and says so of what it does not have.',
    matches: refuses(/cvmfsexec|MonitorStyle/),
  },
  {
    why: 'Refused at the start, with file and line, because no job could work with it: a `job_directory_mode` that keeps the owner out, an empty `staging_directory`, live output of 0 bytes or in no time.',
    matches: ({ path, real, ours }) =>
      path === 'refused' &&
      real === undefined &&
      String(ours)
        .split('\n')
        .every((line) =>
          /job_directory_mode: expected an octal mode|staging_directory: expected a path, found the text ""|stdout_update_(chunk_size|timeout|interval): expected/.test(
            line,
          ),
        ),
  },
]
