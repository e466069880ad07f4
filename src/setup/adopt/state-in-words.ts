import type { ServiceDefinition } from './service-definition.js'

/** Supervisor's states (supervisord.org/subprocess.html). */
const SUPERVISOR: Readonly<Record<string, string>> = {
  STARTING: 'is being started, and has not stayed up long enough yet',
  BACKOFF: 'ends right after each start, and Supervisor goes on trying',
  FATAL: 'ended right after each start, and Supervisor has given up',
  STOPPING: 'is being stopped',
  STOPPED: 'is stopped',
  EXITED: 'has ended by itself, and is not started again',
}

/**
 * What a service manager says of a service's state, for people: the sentence first, its own word behind it. Pure.
 * @param explained as ServiceControl.explain has it: "BACKOFF Exited too quickly", "activating: exit code 1"
 */
export function stateInWords(kind: ServiceDefinition['kind'], explained: string): string {
  const [word = '', ...rest] = explained.split(/:?\s+/)
  const detail = rest.join(' ')
  if (kind === 'supervisor') {
    const sentence = SUPERVISOR[word]
    return sentence === undefined ? `is in a state of its own (${explained})` : `${sentence} (${explained})`
  }
  if (/not-found|masked|bad-setting/.test(explained)) return `cannot be started: ${explained}`
  switch (word) {
    case 'activating':
      return /^(start|start-pre|start-post)$/.test(detail)
        ? `is being started (systemd: ${detail})`
        : `ended, and systemd waits to start it again (activating, auto-restart: ${detail})`
    case 'deactivating':
      return `is being stopped (systemd: ${detail})`
    case 'failed':
      return `has failed, and systemd does not start it again (${detail})`
    case 'inactive':
      return detail === 'dead' ? 'is stopped (inactive)' : `is stopped (inactive: ${detail})`
    default:
      return `is ${explained}`
  }
}
