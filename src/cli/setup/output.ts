import type { ChalkInstance } from 'chalk'
import { createPalette } from '../palette.js'
import { terminalWidth, wrap } from '../wrap.js'

/** Where setup speaks. With --json people read standard error, and standard output is one JSON object a line. */
export interface Output {
  readonly isJson: boolean
  readonly isQuiet: boolean
  readonly isVerbose: boolean
  /** Standard output is a terminal that can be drawn on. */
  readonly draws: boolean
  readonly palette: ChalkInstance
  readonly width: number
  /** For people; nothing with --quiet. Long lines are broken at spaces. */
  say(text: string, indent?: string): void
  /** The same, as it is: to be copied. */
  print(text: string): void
  /** A word while something takes its time; gone when that has ended. Only where it can be taken away again. */
  during<T>(text: string, work: () => Promise<T>): Promise<T>
  /** What is wrong, also with --quiet; on standard error, as it is: commands to be copied are in it. */
  warn(text: string): void
  /** For programs; nothing without --json. */
  event(name: string, details?: Readonly<Record<string, unknown>>): void
}

interface Switches {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
}

export function createOutput({ json, quiet, verbose }: Switches): Output {
  const stream = json ? process.stderr : process.stdout
  const width = terminalWidth(stream)
  // In a file or a pipe lines stay whole: they are searched, not read.
  const breakLines = (text: string, indent: string): string =>
    stream.isTTY ? wrap(text, width, indent) : text
  return {
    isJson: json,
    isQuiet: quiet,
    isVerbose: verbose,
    draws: !json && !quiet && !verbose && canDraw(process.stdout),
    palette: createPalette(stream),
    width,
    say(text, indent = '  ') {
      if (!quiet) stream.write(`${breakLines(text, indent)}\n`)
    },
    print(text) {
      if (!quiet) stream.write(`${text}\n`)
    },
    async during(text, work) {
      const isShown = !json && !quiet && canDraw(process.stdout)
      if (isShown) stream.write(`${text} …`)
      try {
        return await work()
      } finally {
        if (isShown) stream.write(ERASE_LINE)
      }
    },
    warn(text) {
      process.stderr.write(`${text}\n`)
    },
    event(name, details = {}) {
      if (json) process.stdout.write(`${JSON.stringify({ event: name, ...details })}\n`)
    },
  }
}

const ERASE_LINE = '\r\u001b[2K'

function canDraw(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && process.env.TERM !== 'dumb' && !process.env.NO_COLOR
}
