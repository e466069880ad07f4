import { messageOf } from '../lib/errors.js'
import { describePlace, type Target } from './target.js'
import { type Advice, CheckProblem } from './types.js'

const UNREACHED = 'Galaxy reaches the node by this address, so no job gets there.'

/** What a failed connection means. `code`: the system's, as in ECONNREFUSED; else what was thrown is quoted. */
export function explainNetwork(target: Target, error: unknown): CheckProblem {
  const { host, port } = target
  const place = describePlace(target)
  const problem = (message: string, fix: string, why = UNREACHED): CheckProblem =>
    new CheckProblem('reach', { message, why, fix }, error)
  switch (codeOf(error)) {
    case 'ENOTFOUND':
      return problem(
        `there is no host ${host}: the name is not known`,
        `Correct the name, or add it to the DNS (or to /etc/hosts); see: getent hosts ${host}`,
      )
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
      return problem(
        `the name ${host} could not be looked up: no name server answers`,
        `See whether this machine has a name server: cat /etc/resolv.conf; getent hosts ${host}`,
      )
    case 'ECONNREFUSED':
      return problem(
        `nothing listens on ${place}: the connection was refused`,
        `On the node see what listens: ss -ltn 'sport = :${port}'. Nothing: start it. 127.0.0.1 only: "magnetar config set server:main.host 0.0.0.0" and restart it.`,
      )
    case 'ETIMEDOUT':
      return problem(
        `no answer from ${place}: packets are lost on the way (${messageOf(error)})`,
        `Open port ${port} in the firewalls between here and the node; see: traceroute -T -p ${port} ${host}`,
      )
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return problem(
        `there is no way from here to ${place}: ${messageOf(error)}`,
        `See whether the node is up and routed to: ip route get ${host}; ping ${host}`,
      )
    case 'ECONNRESET':
    case 'EPIPE':
      return problem(
        `${place} cut the connection without an answer`,
        'See the log of the node, and of a proxy or firewall before it.',
      )
    default:
      return problem(
        `no connection to ${place}: ${messageOf(error)}`,
        'See the log of the node, and of a proxy or firewall before it.',
      )
  }
}

/** An answer that did not come, of a server that takes connections. */
export function explainSilence(target: Target, seconds: number): CheckProblem {
  const advice: Advice = {
    message: `${describePlace(target)} takes connections, but gave no answer in ${seconds} s`,
    why: UNREACHED,
    fix: 'The server hangs, or another program has the port: see its log, then restart it.',
  }
  return new CheckProblem('reach', advice)
}

/** The system's code of a failed connection, also of one that was tried over several addresses. */
export function codeOf(error: unknown): string | undefined {
  const { code, errors, errno } = error as { code?: unknown; errors?: unknown; errno?: unknown }
  if (typeof code === 'string') return code
  if (Array.isArray(errors)) return codeOf(errors[0] ?? {})
  return typeof errno === 'string' ? errno : undefined
}
