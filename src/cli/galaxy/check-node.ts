import { createNodeClient } from '../../check/node-client.js'
import { messageOf } from '../../lib/errors.js'
import { SIGNS } from '../palette.js'
import type { Output } from '../setup/output.js'
import { wrap } from '../wrap.js'

const TIMEOUT_MS = 5000

/** Asks the node for its version, with the token. Only warns: Galaxy may reach what this machine does not, or later. */
export async function checkNode(
  url: string,
  token: string | undefined,
  signal: AbortSignal,
  output: Output,
): Promise<void> {
  const { ok, text } = await output.during(`Asking ${url}`, () => ask(url, token, signal))
  const { green, yellow } = output.palette
  output.event('check', { url, ok, message: text })
  if (ok) output.say(`${green(SIGNS.done)} ${text}`)
  else output.warn(process.stderr.isTTY ? wrap(`${yellow('!')} ${text}`, output.width, '  ') : `! ${text}`)
}

async function ask(
  url: string,
  token: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly text: string }> {
  const client = createNodeClient({ url, token, certificate: undefined, timeoutMs: TIMEOUT_MS })
  try {
    let answer = await client.call('GET', 'healthz', { signal })
    // A Python Pulsar takes the token only where Galaxy sends it, in the query.
    if (answer.status === 401 && token !== undefined)
      answer = await client.call('GET', 'healthz', { signal, query: { private_token: token } })
    if (answer.status === 401)
      return {
        ok: false,
        text: `${url} answers, but ${token === undefined ? 'wants a token' : 'refuses this token'}`,
      }
    const version = versionIn(answer.text)
    if (answer.status !== 200 || version === undefined)
      return { ok: false, text: `${url} answers, but not as a Pulsar does (HTTP ${answer.status})` }
    return { ok: true, text: `${url} answers: Pulsar ${version}` }
  } catch (error) {
    signal.throwIfAborted()
    return { ok: false, text: `${messageOf(error)}. This goes on all the same; Galaxy has to reach it` }
  }
}

function versionIn(text: string): string | undefined {
  try {
    const { version } = JSON.parse(text) as { version?: unknown }
    return typeof version === 'string' && /^[\w.+-]{1,40}$/.test(version) ? version : undefined
  } catch {
    return undefined
  }
}
