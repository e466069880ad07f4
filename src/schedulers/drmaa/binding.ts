/** libdrmaa's functions, called through koffi. Only the process that may die of them imports this. */
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'
import { ERRNO, TERMINATE } from './codes.js'
import type { JobTemplate, LibraryAnswer } from './wire.js'

export interface Binding {
  /** "1.0" */
  version(): Promise<string>
  /** drmaa_get_DRM_system: "SLURM 22.05.8" */
  system(): Promise<string>
  init(): Promise<LibraryAnswer>
  exit(): Promise<void>
  runJob(template: JobTemplate): Promise<LibraryAnswer>
  jobState(id: string): Promise<LibraryAnswer>
  terminate(id: string): Promise<LibraryAnswer>
}

type Call = (...args: unknown[]) => Promise<number>

const TEXT_BYTES = 1024
const ERROR = 'char *error, size_t errorLength'

/**
 * Loads the library so that what it loads itself finds its symbols (RTLD_GLOBAL), and binds names when they are called (RTLD_LAZY):
 * Slurm's plugins need both, and end the process without.
 * @throws Error with the words of the dynamic linker
 */
export function loadBinding(path: string): Binding {
  const koffi: typeof Koffi = createRequire(import.meta.url)('koffi')
  const library = koffi.load(path, { lazy: true, global: true })
  koffi.opaque('drmaa_job_template_t')
  const bind = (definition: string): Call => {
    const bound = library.func(definition)
    return (...args) =>
      new Promise((resolve, reject) => {
        bound.async(...args, (error: Error | null, result: number) =>
          error ? reject(error) : resolve(result),
        )
      })
  }
  const init = bind(`int drmaa_init(const char *contact, _Out_ ${ERROR})`)
  const exit = bind(`int drmaa_exit(_Out_ ${ERROR})`)
  const version = bind(
    `int drmaa_version(_Out_ unsigned int *major, _Out_ unsigned int *minor, _Out_ ${ERROR})`,
  )
  const system = bind(`int drmaa_get_DRM_system(_Out_ char *system, size_t length, _Out_ ${ERROR})`)
  const allocate = bind(`int drmaa_allocate_job_template(_Out_ drmaa_job_template_t **jt, _Out_ ${ERROR})`)
  const release = bind(`int drmaa_delete_job_template(drmaa_job_template_t *jt, _Out_ ${ERROR})`)
  const set = bind(
    `int drmaa_set_attribute(drmaa_job_template_t *jt, const char *name, const char *value, _Out_ ${ERROR})`,
  )
  const run = bind(
    `int drmaa_run_job(_Out_ char *id, size_t length, const drmaa_job_template_t *jt, _Out_ ${ERROR})`,
  )
  const state = bind(`int drmaa_job_ps(const char *id, _Out_ int *state, _Out_ ${ERROR})`)
  const control = bind(`int drmaa_control(const char *id, int action, _Out_ ${ERROR})`)

  /** Calls with an error buffer behind the arguments; `value` reads what the call has left. */
  async function ask(
    call: Call,
    args: readonly unknown[],
    value: () => string | number,
  ): Promise<LibraryAnswer> {
    const error = Buffer.alloc(TEXT_BYTES)
    const code = await call(...args, error, TEXT_BYTES)
    return code === ERRNO.success ? { ok: true, value: value() } : { ok: false, code, text: textOf(error) }
  }

  async function fill(jt: unknown, template: JobTemplate): Promise<LibraryAnswer> {
    const attributes: readonly (readonly [string, string | undefined])[] = [
      ['drmaa_remote_command', template.remoteCommand],
      ['drmaa_job_name', template.jobName],
      // The host before the colon is for us to leave out.
      ['drmaa_output_path', `:${template.outputPath}`],
      ['drmaa_error_path', `:${template.errorPath}`],
      ['drmaa_wd', template.workingDirectory],
      ['drmaa_native_specification', template.nativeSpecification],
    ]
    for (const [name, value] of attributes) {
      if (value === undefined) continue
      const answer = await ask(set, [jt, name, value], () => 0)
      if (!answer.ok) return answer
    }
    const id = Buffer.alloc(TEXT_BYTES)
    return ask(run, [id, TEXT_BYTES, jt], () => textOf(id))
  }

  return {
    async version() {
      const [major, minor] = [[0], [0]]
      await ask(version, [major, minor], () => 0)
      return `${major[0]}.${minor[0]}`
    },
    async system() {
      const name = Buffer.alloc(TEXT_BYTES)
      await ask(system, [name, TEXT_BYTES], () => 0)
      return textOf(name)
    },
    async init() {
      const answer = await ask(init, [null], () => 0)
      return !answer.ok && answer.code === ERRNO.alreadyActiveSession ? { ok: true, value: 0 } : answer
    },
    async exit() {
      await ask(exit, [], () => 0)
    },
    async runJob(template) {
      const jt: [unknown] = [null]
      const allocated = await ask(allocate, [jt], () => 0)
      if (!allocated.ok) return allocated
      try {
        return await fill(jt[0], template)
      } finally {
        await ask(release, [jt[0]], () => 0)
      }
    },
    jobState(id) {
      const state_ = [0]
      return ask(state, [id, state_], () => state_[0] ?? 0)
    },
    terminate: (id) => ask(control, [id, TERMINATE], () => 0),
  }
}

function textOf(buffer: Buffer): string {
  const end = buffer.indexOf(0)
  return buffer.toString('utf8', 0, end === -1 ? buffer.length : end).trim()
}
