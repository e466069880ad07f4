import type { Logger } from '../../src/lib/log.js'

/** A logger that keeps its lines as text, level first. */
export interface RecordingLog extends Logger {
  readonly lines: readonly string[]
}

export function createRecordingLog(): RecordingLog {
  const lines: string[] = []
  const make = (fields: Record<string, unknown>): RecordingLog => {
    const write =
      (level: string) =>
      (first: object | string, message?: string): void => {
        const more = typeof first === 'string' ? {} : first
        lines.push(`${level} ${message ?? first} ${JSON.stringify({ ...fields, ...more })}`)
      }
    return {
      lines,
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (further) => make({ ...fields, ...further }),
    }
  }
  return make({})
}
