import { createRequire } from 'node:module'
import { type DestinationStream, pino } from 'pino'
import type { PrettyOptions } from 'pino-pretty'
import type { LoggingConfig } from '../config/types.js'
import { MagnetarError, messageOf } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { formatLines } from './python-log-lines.js'

export interface ServerLogger extends Logger {
  /** Opens the log file anew after logrotate has moved it (SIGHUP). */
  reopen(): void
}

/** Only a terminal needs the printer for people. */
const require = createRequire(import.meta.url)

/** Lines for people on a terminal; elsewhere lines in the format of server.ini, or JSON where it has none; to standard error or the file of `logto`. @throws MagnetarError LOG_UNWRITABLE */
export function createLogger(config: LoggingConfig): ServerLogger {
  const pretty = config.file === undefined && process.stderr.isTTY
  if (pretty) {
    const prettyStream = (require('pino-pretty') as (options: PrettyOptions) => DestinationStream)({
      destination: 2,
      sync: true,
      ignore: 'pid,hostname',
      translateTime: 'SYS:HH:MM:ss.l',
      colorize: !process.env.NO_COLOR,
    })
    return Object.assign(pino({ level: config.level, base: null }, prettyStream) as unknown as Logger, {
      reopen: () => {},
    })
  }
  const file = openDestination(config.file)
  const destination = config.format === undefined ? file : formatLines(config.format, file)
  const logger = pino(
    {
      level: config.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  return Object.assign(logger as unknown as Logger, {
    reopen(): void {
      if (config.file !== undefined) file.reopen()
    },
  })
}

function openDestination(file: string | undefined): ReturnType<typeof pino.destination> {
  try {
    return pino.destination({ dest: file ?? 2, sync: true, mkdir: true })
  } catch (error) {
    throw new MagnetarError('LOG_UNWRITABLE', `the log file cannot be written: ${messageOf(error)}`, {
      fix: `Make ${file} writable for the user of the server, or name another file as logto in the [uwsgi] section of server.ini.`,
      cause: error,
    })
  }
}
