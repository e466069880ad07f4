import fs from 'node:fs'
import path from 'node:path'

/** A Python server empties these when it runs what J/command_line says, while the job still writes to them. */
const STREAMS = ['job_stdout', 'job_stderr'] as const

/** Puts what a job that runs has written where a Python server does not empty it; templates/wait-for-job.sh puts it back. */
export function keepStreams(directory: string): void {
  for (const name of STREAMS) {
    const kept = keptAt(directory, name)
    if (!fs.existsSync(kept)) renameIfThere(path.join(directory, 'metadata', name), kept)
  }
}

/** Puts back what keepStreams has kept, if it has; what stands in its place is of a Python server that emptied it. */
export function returnStreams(directory: string): void {
  for (const name of STREAMS) renameIfThere(keptAt(directory, name), path.join(directory, 'metadata', name))
}

function keptAt(directory: string, name: string): string {
  return path.join(directory, `.magnetar-${name}`)
}

function renameIfThere(from: string, to: string): void {
  if (fs.existsSync(from)) fs.renameSync(from, to)
}
