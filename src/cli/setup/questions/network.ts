import { basename, dirname, join } from 'node:path'
import { isLoopback } from '../../../setup/answers/answer-rules.js'
import type { OptionName } from '../../../setup/answers/option.js'
import { fileOrInput } from '../../../setup/answers/option-types.js'
import { checkPemFiles } from '../../../setup/steps/tls-pem.js'
import { readTokenFile } from '../gather.js'
import { inputFor, type Preset, pick, type Question } from '../question.js'
import type { Session } from '../session.js'

const OPEN: readonly OptionName[] = ['noTls', 'tlsCert', 'tlsKey', 'tokenFile']

/** Whether other machines are to reach the node. */
function isOpen({ draft, picks }: Session): boolean {
  const picked = picks.get('exposure')
  return picked === undefined ? !isLoopback(draft.answers.host ?? 'localhost') : picked === 'others'
}

function wantsCertificate(session: Session): boolean {
  if (!isOpen(session) || session.isGiven('noTls')) return false
  return session.picks.get('encryption') !== 'proxy'
}

export const networkQuestions: readonly Question[] = [
  pick({
    id: 'exposure',
    message: 'Who may send jobs?',
    why: 'Whoever reaches the port and knows the token runs programs here. "This host only" is right when Galaxy, or a proxy, is on this machine.',
    applies: (session) =>
      !session.isGiven('host') && !session.isGiven('tlsCert') && !session.isGiven('noTls'),
    preset: (session) => (isOpen(session) ? 'others' : 'host'),
    choices: () => [
      { value: 'host', name: 'this host only' },
      { value: 'others', name: 'other hosts', detail: 'then: TLS, token, firewall' },
    ],
    onPick(session, value) {
      const host = session.draft.answers.host ?? 'localhost'
      if (value === 'others') {
        if (isLoopback(host)) session.set('host', undefined)
        return
      }
      for (const name of OPEN) session.set(name, undefined)
      if (session.answerOf('host') !== undefined) session.set('host', undefined)
      else if (!isLoopback(host)) session.set('host', 'localhost')
    },
  }),
  {
    ...inputFor({
      name: 'host',
      message: 'Listen on which address?',
      applies: isOpen,
      async preset({ draft, input: { machine } }): Promise<Preset | undefined> {
        if (!isLoopback(draft.answers.host ?? 'localhost')) return undefined
        return { text: '0.0.0.0', source: ['all', machine.addresses.join(', ')].filter(Boolean).join(': ') }
      },
    }),
    // The question before has set it then.
    skip: () => {},
  },
  pick({
    id: 'encryption',
    message: 'How are token and data kept from others on the way?',
    why: 'Without TLS, whoever is on the way reads the token, and runs programs here with it.',
    applies: (session) => isOpen(session) && !session.isGiven('tlsCert') && !session.isGiven('noTls'),
    preset: ({ draft }) =>
      draft.manifest !== undefined && draft.answers.tlsCert === undefined && draft.sources.host === 'found'
        ? 'proxy'
        : 'certificate',
    choices: () => [
      { value: 'certificate', name: 'with a certificate and key', detail: 'PEM files' },
      { value: 'proxy', name: 'a proxy in front of the node does TLS' },
    ],
    onPick(session, value) {
      session.set('noTls', value === 'proxy' ? 'yes' : undefined)
      if (value === 'proxy') for (const name of ['tlsCert', 'tlsKey'] as const) session.set(name, undefined)
    },
  }),
  inputFor({
    name: 'tlsCert',
    message: 'Certificate, with its chain?',
    applies: wantsCertificate,
    check: (session, text) => {
      const key = session.isGiven('tlsKey') ? session.draft.answers.tlsKey : undefined
      return checkPemFiles(pathOf(session, text), key, session.signal)
    },
  }),
  inputFor({
    name: 'tlsKey',
    message: 'Private key of the certificate?',
    applies: (session) => wantsCertificate(session) || session.isGiven('tlsCert'),
    preset: findKey,
    async check(session, text) {
      const { tlsCert } = session.draft.answers
      if (tlsCert !== undefined) await checkPemFiles(tlsCert, pathOf(session, text), session.signal)
    },
  }),
  pick({
    id: 'token',
    message: 'Which token has Galaxy to send?',
    why: 'It is the only thing that a client has to prove. Give the one that Galaxy has already, or have a new one made.',
    applies: (session) => isOpen(session) && !session.isGiven('tokenFile'),
    preset: () => 'own',
    choices: ({ draft }) => [
      { value: 'own', name: draft.manifest ? 'the one that the node has' : 'a new one: 256 random bits' },
      { value: 'file', name: 'one from a file' },
    ],
    onPick: (session, value) => {
      if (value === 'own') session.set('tokenFile', undefined)
    },
  }),
  inputFor({
    name: 'tokenFile',
    message: 'File with the token?',
    applies: ({ picks }) => picks.get('token') === 'file',
    check: async (session, text) => void (await readTokenFile(pathOf(session, text), session.signal)),
  }),
  inputFor({
    name: 'port',
    message: 'Listen on which port?',
    // Only where the usual one is taken.
    applies: (session) =>
      session.answerOf('port') !== undefined || session.draft.problems.some(({ name }) => name === 'port'),
    async preset({ draft, input: { machine } }) {
      const { host = 'localhost', port = 8913 } = draft.answers
      const next = await machine.nextFreePort(host, port + 1)
      return { text: String(next), source: `${port} is in use` }
    },
  }),
]

/** The file that an answer names. */
function pathOf({ input, directory }: Session, text: string): string {
  return fileOrInput.parse(text, { directory, home: input.facts.account.home })?.value ?? text
}

/** Where the usual tools put the key beside the certificate. */
async function findKey({ draft, input: { machine } }: Session): Promise<Preset | undefined> {
  const { tlsCert } = draft.answers
  if (tlsCert === undefined || draft.answers.tlsKey !== undefined) return undefined
  const name = basename(tlsCert)
  const guesses = ['privkey.pem', name.replace(/\.(crt|cer|pem)$/, '.key'), name.replace('cert', 'key')]
  for (const guess of guesses) {
    const file = join(dirname(tlsCert), guess)
    if (guess !== name && (await machine.whyUnreadable(file)) === undefined)
      return { text: file, source: 'found beside the certificate' }
  }
  return undefined
}
