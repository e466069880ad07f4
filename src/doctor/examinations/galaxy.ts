import { quoteForShell } from '../../lib/shell.js'
import { defineExamination } from '../define-examination.js'

/** The Galaxy servers that files travel to and from. */
export const galaxy = defineExamination({
  id: 'galaxy',
  title: 'Galaxy',
  group: 'Galaxy',
  timeoutMs: 12_000,
  findings: {
    'galaxy-unreachable': {
      state: 'fail',
      meaning:
        'the node does not reach Galaxy, from where it fetches inputs and to where it delivers outputs: name, port, firewall, certificate',
      fix: 'what the message says; `galaxy_infrastructure_url` of Galaxy must be an address that the node reaches',
    },
  },
  async examine({ galaxy: contacts, env, configDirectory }) {
    if (Object.keys(env).some((name) => /^(https?|all)_proxy$/i.test(name) && env[name]))
      return [{ id: 'galaxy', state: 'left-out', message: 'left out: a proxy stands between' }]
    const found = await contacts()
    if (found.length === 0)
      return [
        { id: 'galaxy', state: 'left-out', message: 'not known from any job; name it: --galaxy-url URL' },
      ]
    const bad = found.filter(({ problem }) => problem !== undefined)
    if (bad.length === 0)
      return [{ id: 'galaxy', state: 'ok', message: found.map(({ origin }) => origin).join(', ') }]
    return bad.map(({ origin, problem }) => ({
      id: 'galaxy-unreachable',
      state: 'fail',
      message: `${origin}: ${problem?.message ?? ''}`,
      fix: problem?.isTls
        ? {
            text: TLS,
            command: `magnetar config set transfer_ca_file FILE --config ${quoteForShell(configDirectory)}`,
          }
        : { text: REACH, command: `curl -sSI ${origin}` },
    }))
  },
})

const REACH =
  'Let this machine reach it (name, route, firewall), or give Galaxy a galaxy_infrastructure_url that it reaches. To try it:'
const TLS =
  'Where a private authority signed it, name its certificate, then restart the server; else Galaxy needs a new one:'
