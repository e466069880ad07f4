/**
 * Words. A *job* has a *job id* (given by Galaxy, or ours with assign_ids: uuid) and lives in a *job directory* below the
 * staging directory of its *manager*. *Setup* makes the directory; *submit* records the launch durably; the *launch* writes the
 * job script and hands it to the *scheduler*, which answers with an *external id*. The *return code* is the tool's.
 * The eight status words are Pulsar's (pulsar/managers/status.py); there are no others.
 */
export type JobStatus =
  | 'preprocessing'
  | 'queued'
  | 'running'
  | 'postprocessing'
  | 'complete'
  | 'cancelled'
  | 'failed'
  | 'lost'

/** One entry of the request's `env` list (pulsar/managers/util/env.py): exactly one of file, execute, name+value. */
export interface EnvironmentEntry {
  readonly file?: unknown
  readonly execute?: unknown
  readonly name?: unknown
  readonly value?: unknown
  readonly raw?: unknown
}

/**
 * The wire form of POST /jobs/{id}/submit, decoded from JSON but with Pulsar's own key names: it is written to
 * `launch_config` in the job directory under these names (pulsar/managers/stateful.py).
 */
export interface SubmitRequest {
  readonly command_line: string
  readonly submit_params: Record<string, unknown>
  readonly dependencies_description: unknown
  readonly setup_params: Record<string, unknown>
  readonly remote_staging: Record<string, unknown>
  readonly env: readonly EnvironmentEntry[]
  readonly dynamic_file_sources: readonly Record<string, unknown>[] | null
  readonly token_endpoint: string | null
  /** From submit_extras: force setup. */
  readonly setup: boolean
  /** From submit_extras: files to create in outputs. */
  readonly touch_outputs: readonly string[]
}

export interface SetupRequest {
  readonly jobId: string
  readonly toolId: string | undefined
  readonly toolVersion: string | undefined
}

/** Answer documents keep Pulsar's names and order: they go to the wire as they are (rest: setup and status). */
export type WireDocument = Record<string, unknown>

/** Where an uploaded or downloaded file is, after every check that can be made by name. */
export interface JobFilePath {
  /** Absolute directory of the file's type; exists or is made by the caller. */
  readonly base: string
  /** Path components below base; at least one, none of them "", "." or "..". */
  readonly components: readonly string[]
}

/** What http may ask of a manager. Failures are MagnetarErrors (lib/errors). */
export interface JobManager {
  readonly name: string
  /** POST /jobs. Idempotent. */
  setup(request: SetupRequest): Promise<WireDocument>
  /** POST /jobs/{id}/submit. Returns when the launch is durable. A repeated submit changes nothing. */
  submit(jobId: string, request: SubmitRequest): Promise<void>
  /** GET /jobs/{id}/status. Never changes anything. An unknown job is `lost`. */
  status(jobId: string): Promise<WireDocument>
  /** PUT /jobs/{id}/cancel. Idempotent, also for unknown jobs. */
  cancel(jobId: string): Promise<void>
  /** DELETE /jobs/{id}. Idempotent; removes only a job directory: it carries our marker, or is a Python server's. */
  clean(jobId: string): Promise<void>
  /** Where an upload goes (POST files); makes the job directory when it is missing. */
  uploadPath(jobId: string, type: string, name: string): Promise<JobFilePath>
  /** Where a download comes from (GET files). */
  downloadPath(jobId: string, type: string, name: string): JobFilePath
}
