/** What the server and the process that has the DRMAA library say to each other, over Node's channel. */

/** The attributes of a DRMAA job template that we set. */
export interface JobTemplate {
  readonly remoteCommand: string
  readonly jobName: string
  readonly outputPath: string
  readonly errorPath: string
  readonly workingDirectory: string
  readonly nativeSpecification: string | undefined
}

export type LibraryRequest =
  | { readonly kind: 'init' }
  /** `directory`: the job's, where the id is written as soon as it is known. */
  | { readonly kind: 'submit'; readonly template: JobTemplate; readonly directory: string }
  | { readonly kind: 'state'; readonly id: string }
  | { readonly kind: 'terminate'; readonly id: string }

export type LibraryAnswer =
  /** Of submit the job's id, of state its number. */
  | { readonly ok: true; readonly value: string | number }
  /** DRMAA's error number and the library's own words. */
  | { readonly ok: false; readonly code: number; readonly text: string }

/** The first that the process says. */
export type LibraryGreeting =
  | { readonly kind: 'loaded'; readonly version: string; readonly system: string }
  | { readonly kind: 'unusable'; readonly reason: string }

/** The job's id, as JSON: the file of the Python Pulsar (managers/base/external.py), by which either server finds the job again. */
export const EXTERNAL_ID_FILE = 'external_id'
/** While drmaa_run_job works on a job: `pid:start time:boot id` of the process that calls it. */
export const SUBMITTING_FILE = '.magnetar-submitting'
