import type { ErrorCode } from '../lib/error-table.js'
import { MagnetarError } from '../lib/errors.js'

/** Where something was written. `file` may also be "environment variable X" or "--port". */
export interface Place {
  readonly file: string
  /** 1-based; undefined where there are no lines. */
  readonly line?: number | undefined
}

export interface ConfigIssue extends Place {
  /** Dotted: `managers.cluster.num_concurrent_jobs`; empty for the file as a whole. */
  readonly key: string
  readonly message: string
  readonly fix?: string | undefined
}

/** What is wrong with a configuration, all of it: one line of the message per issue. Never holds the value of a secret. */
export class ConfigError extends MagnetarError {
  readonly issues: readonly ConfigIssue[]
  constructor(issues: readonly ConfigIssue[], code: ErrorCode = 'CONFIG_INVALID', cause?: unknown) {
    super(code, issues.map(formatIssue).join('\n'), cause === undefined ? {} : { cause })
    this.name = 'ConfigError'
    this.issues = issues
  }
}

/** Collects what is found while reading, so that all of it is reported at once. */
export interface Problems {
  readonly issues: readonly ConfigIssue[]
  readonly warnings: readonly string[]
  error(place: Place, key: string, message: string, fix?: string): void
  /** A sentence without place and full stop; the place is put in front. */
  warn(place: Place | undefined, message: string): void
  /** @throws ConfigError when there is any issue. */
  throwIfAny(): void
}

export function createProblems(): Problems {
  const issues: ConfigIssue[] = []
  const warnings: string[] = []
  return {
    issues,
    warnings,
    error(place, key, message, fix) {
      issues.push({ file: place.file, line: place.line, key, message, fix })
    },
    warn(place, message) {
      const line = place ? `${formatPlace(place)}: ${message}` : message
      if (!warnings.includes(line)) warnings.push(line)
    },
    throwIfAny() {
      if (issues.length > 0) throw new ConfigError(issues)
    },
  }
}

export function formatPlace(place: Place): string {
  return place.line === undefined ? place.file : `${place.file}:${place.line}`
}

function formatIssue(issue: ConfigIssue): string {
  const subject = issue.key === '' ? formatPlace(issue) : `${formatPlace(issue)}: ${issue.key}`
  return issue.fix === undefined
    ? `${subject}: ${issue.message}`
    : `${subject}: ${issue.message}; ${issue.fix}`
}
