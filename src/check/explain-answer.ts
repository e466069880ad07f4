import { codeOf, explainNetwork, explainSilence } from './explain-network.js'
import { NodeUnreachable } from './node-client.js'
import { OddAnswer, Refused } from './pulsar-calls.js'
import { describePlace, type Target } from './target.js'
import { type Advice, CheckProblem, LeftOut, type ProblemKind } from './types.js'

/** What was asked for when the answer came. */
export interface Asked {
  readonly target: Target
  /** Of what kind a refusal is that has no kind of its own. */
  readonly kind: ProblemKind
  /** "the upload of input/data": what did not work then. */
  readonly what: string
  readonly timeoutMs: number
}

const GATEWAY = new Set([502, 503, 504])

/** What a call that failed means; problems stay as they are. */
export function explainCall(error: unknown, asked: Asked): unknown {
  if (error instanceof CheckProblem || error instanceof LeftOut) return error
  if (error instanceof Refused) return explainRefusal(error, asked)
  if (error instanceof OddAnswer)
    return foreign(asked.target, `${asked.what} had no answer of a Pulsar: ${error.message}`, error)
  if (!(error instanceof NodeUnreachable)) return error
  const code = codeOf(error.cause) ?? error.errno
  if (code === 'ETIMEDOUT') return explainSilence(asked.target, Math.round(asked.timeoutMs / 1000))
  // A Python Pulsar's server takes errors of files for errors of the connection, and closes it (rest: uncaught OSError).
  if (asked.kind === 'files' && (code === 'ECONNRESET' || code === 'EPIPE'))
    return new CheckProblem(
      'files',
      { message: `${asked.what} was cut off without an answer`, ...STAGING },
      error,
    )
  return explainNetwork(asked.target, error.cause)
}

const STAGING = {
  why: 'Without its directory and files no job of Galaxy runs.',
  fix: 'On the node, as its user: df -h and df -i of staging_directory, and touch a file in it; the log of the server says more.',
} satisfies Omit<Advice, 'message'>

function explainRefusal(refused: Refused, { target, kind, what }: Asked): CheckProblem {
  const { status, code, said } = refused
  const problem = (of: ProblemKind, message: string, why: string, fix: string): CheckProblem =>
    new CheckProblem(of, { message, why, fix }, refused)
  const quoted = `${what} was refused: ${said} (status ${status})`
  if (status === 401) return explainToken(refused, target, true)
  if (code === 'MANAGER_UNKNOWN') return unknownManager(target)
  if (status === 507)
    return problem(
      'files',
      `${what} was refused: the disk of the node is full (${said})`,
      'Jobs of Galaxy are refused, and running ones lose what they write.',
      'On the node: df -h and df -i of staging_directory; make room there.',
    )
  if (status === 413)
    return problem(
      'files',
      `${what} was refused as too large (status 413) by what is before the node`,
      "Inputs of Galaxy's jobs are far larger than the 2 MiB of this check.",
      'Lift the limit of the proxy; nginx: client_max_body_size 0; and proxy_request_buffering off;',
    )
  if (status === 414 || status === 431 || (status === 400 && /header|cookie|uri too/i.test(said)))
    return problem(
      'protocol',
      `${what} was refused: its request line is too long (status ${status})`,
      'Galaxy sends a whole job in the request line; it has 10 KB and more.',
      'nginx: large_client_header_buffers 8 256k; uWSGI: buffer-size = 65535; Apache: LimitRequestLine 1048576',
    )
  if (GATEWAY.has(status) && code === undefined) return gateway(refused)
  if (status >= 300 && status < 400) return redirected(refused, target)
  if (status === 503)
    return problem('reach', quoted, 'It takes no job now.', 'Wait a moment and repeat this.')
  if (kind === 'files' && status >= 500)
    return new CheckProblem('files', { message: quoted, ...STAGING }, refused)
  return problem(
    kind,
    quoted,
    "Galaxy's jobs are refused in the same way.",
    'The log of the server says more.',
  )
}

/** Of a status 401. `given`: a token was sent. */
export function explainToken(refused: Refused, target: Target, given: boolean): CheckProblem {
  const why = "Galaxy's requests are refused in the same way when its destination has this token."
  const problem = (message: string, fix: string): CheckProblem =>
    new CheckProblem('token', { message, why, fix }, refused)
  // A Pulsar never asks for a login in this way (rest: bad token).
  if (refused.headers['www-authenticate'] !== undefined)
    return problem(
      `something before the node at ${describePlace(target)} asks for a login (${refused.headers['www-authenticate'].slice(0, 60)})`,
      "Galaxy's Pulsar client cannot log in there: let the proxy pass requests without it; the token protects the node.",
    )
  return given
    ? problem(
        'the token is refused: it is not the one of the node',
        'Compare it with private_token in app.yml of the node (no space or line at its end); was the node restarted after it was changed?',
      )
    : new CheckProblem(
        'token',
        {
          message: 'the node asks for a token, and none was given',
          why: 'Without it nothing can be tried.',
          fix: "Put private_token of the node's app.yml into a file and repeat this with --token-file FILE.",
        },
        refused,
      )
}

/** A manager that the node does not have. */
export function unknownManager({ manager }: Target): CheckProblem {
  return new CheckProblem('protocol', {
    message:
      manager === undefined
        ? 'the node has no manager _default_, which takes the jobs of a URL without one'
        : `the node has no manager ${manager}`,
    why: "Galaxy's jobs for it are refused.",
    fix: 'Name one of "managers" in the node\'s app.yml: --manager NAME here, and in Galaxy\'s destination.',
  })
}

/** What answers is not a Pulsar. */
export function foreign(target: Target, message: string, cause?: unknown): CheckProblem {
  return new CheckProblem(
    'protocol',
    {
      message,
      why: 'Galaxy would talk to something else than the node.',
      fix: `See what has the port: curl -i ${target.root.href}healthz; on the node: ss -ltnp 'sport = :${target.port}'. Behind a proxy the URL may need a path.`,
    },
    cause,
  )
}

export function gateway({ status, said, headers }: Refused): CheckProblem {
  const by = headers.server === undefined ? 'A proxy' : `A proxy (${headers.server})`
  return new CheckProblem('reach', {
    message: `${by} answers instead of the node: ${said} (status ${status})`,
    why: 'It takes the requests, but does not reach the node itself, so no job gets there.',
    fix: "On the proxy's machine: see whether the node runs, and whether the address in the proxy's configuration is its own.",
  })
}

export function redirected({ status, headers }: Refused, target: Target): CheckProblem {
  const to = headers.location
  const place =
    to === undefined ? undefined : URL.canParse(to, target.url.href) ? new URL(to, target.url) : undefined
  const base = place && `${place.origin}/`
  return new CheckProblem('protocol', {
    message: `the node is elsewhere: redirected${base ? ` to ${base}` : ''} (status ${status})`,
    why: "Galaxy's uploads are not sent again after a redirect.",
    fix:
      base && base !== `${target.url.origin}/`
        ? `Use ${base} here and in Galaxy.`
        : 'Use the final URL here and in Galaxy.',
  })
}
