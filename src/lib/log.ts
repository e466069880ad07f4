/** What the rooms need of a logger; pino satisfies it. Each line of a job is written through `child({ job: id })`. */
export interface Logger {
  debug(fields: object, message: string): void
  debug(message: string): void
  info(fields: object, message: string): void
  info(message: string): void
  warn(fields: object, message: string): void
  warn(message: string): void
  error(fields: object, message: string): void
  error(message: string): void
  child(fields: Record<string, unknown>): Logger
}

const ignore = (): void => {}

/** A logger that writes nothing, for tests and short commands. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLogger,
}
