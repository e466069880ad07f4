import type { Connection } from '../../galaxy/job-conf.js'
import { MagnetarError } from '../../lib/errors.js'
import type { ConnectCommandLine } from '../galaxy.js'
import { readTokenFile } from '../setup/gather.js'

const TOKEN_FILE_VARIABLE = 'MAGNETAR_GALAXY_TOKEN_FILE'
const ID = /^[\w.-]+$/
const TOOL = /^[\w./+:~@-]+$/

/** The connection that the command line asks for. @throws MagnetarError ANSWER_INVALID */
export async function readConnection(
  line: ConnectCommandLine & { readonly url: string },
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Connection> {
  const { destination, runner, manager, jobsDirectory, fileAction, tool = [] } = line
  check('--destination', destination, ID, 'letters, digits, "_", "." and "-"')
  if (runner !== undefined) check('--runner', runner, ID, 'letters, digits, "_", "." and "-"')
  for (const id of tool) check('--tool', id, TOOL, 'the id of a tool')
  return {
    destination,
    runner,
    url: readUrl(line.url),
    token: await readToken(line, env, signal),
    manager,
    jobsDirectory,
    defaultFileAction: fileAction,
    tools: [...new Set(tool)],
  }
}

/** With a slash at its end, as Galaxy's client makes it. */
function readUrl(text: string): string {
  const invalid = (why: string): MagnetarError =>
    new MagnetarError('ANSWER_INVALID', `--url: ${why}`, {
      fix: 'Give one like https://node.example.org:8913/',
    })
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw invalid('this is no URL')
  }
  if (!['http:', 'https:'].includes(url.protocol)) throw invalid('it has to begin with https:// or http://')
  // Not shown: it may be a password.
  if (url.username !== '' || url.password !== '')
    throw invalid('a user or password is in it, which Galaxy does not send')
  if (url.search !== '' || url.hash !== '') throw invalid('expected none with "?" or "#" in it')
  return url.href.endsWith('/') ? url.href : `${url.href}/`
}

async function readToken(
  { tokenFile, tokenStdin, token }: ConnectCommandLine,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<string | undefined> {
  const given = [tokenFile !== undefined, tokenStdin === true, token === false].filter(Boolean)
  if (given.length > 1)
    throw new MagnetarError('ANSWER_INVALID', 'the token was given in several ways', {
      fix: 'Give one of --token-file, --token-stdin and --no-token.',
    })
  if (token === false) return undefined
  if (tokenStdin && process.stdin.isTTY)
    throw new MagnetarError('ANSWER_INVALID', '--token-stdin: standard input is a terminal', {
      fix: 'Send the token (… --token-stdin < FILE), or name its file with --token-file.',
    })
  const file = tokenStdin ? '-' : (tokenFile ?? (env[TOKEN_FILE_VARIABLE] || undefined))
  return file === undefined ? undefined : readTokenFile(file, signal)
}

function check(flag: string, text: string, pattern: RegExp, expected: string): void {
  if (pattern.test(text) && !text.includes('--')) return
  throw new MagnetarError('ANSWER_INVALID', `${flag}: expected ${expected}, found ${JSON.stringify(text)}`, {
    fix: 'Nothing was changed.',
  })
}
