import { fileURLToPath } from 'node:url'
import type { RunPython } from './python-program.js'

export interface SentJob {
  readonly id: string
  /** With `galaxy`, INPUT and OUTPUT stand for its files. */
  readonly command: string
  /** XML, as in Galaxy. */
  readonly tool: string
  /** Where `input` is fetched from and `output` is delivered to, by the server. */
  readonly galaxy?: { readonly endpoint: string; readonly directory: string }
}

/** The document that Galaxy's runner reads, of a job that is done. */
export interface FinalStatus {
  readonly status: string
  readonly returncode: number | null
  readonly stderr: string | null
  readonly job_stdout: string | null
}

/** A tool that requires these packages. */
export function toolOf(...requirements: readonly (readonly [name: string, version?: string])[]): string {
  const lines = requirements.map(
    ([name, version]) =>
      `<requirement type="package"${version === undefined ? '' : ` version="${version}"`}>${name}</requirement>`,
  )
  return `<tool id="multi" name="multi" version="1"><requirements>${lines.join('')}</requirements><command>true</command></tool>`
}

/** Sends jobs by the real client, all at once; resolves when all are done. */
export async function sendJobs(options: {
  readonly run: RunPython
  readonly url: string
  readonly token?: string
  readonly jobs: readonly SentJob[]
}): Promise<FinalStatus[]> {
  const program = fileURLToPath(new URL('send-jobs.py', import.meta.url))
  const args = [options.url, options.token ?? '', JSON.stringify(options.jobs)]
  const { exitCode, output } = await options.run(program, args, { timeoutMs: 120_000 })
  if (exitCode !== 0) throw new Error(output)
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as FinalStatus[]
}
