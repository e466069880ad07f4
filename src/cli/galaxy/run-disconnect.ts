import { disconnect } from '../../galaxy/disconnect.js'
import type { GalaxyCommandLine } from '../galaxy.js'
import { changeFile, withRun } from './change-file.js'

/** `magnetar galaxy disconnect`: resolves with the exit code. */
export function runDisconnect(line: GalaxyCommandLine & { readonly jobConf: string }): Promise<number> {
  return withRun(line, (run) =>
    changeFile(line, run, (format, { text, path }) => disconnect(format, text, line.destination, path)),
  )
}
