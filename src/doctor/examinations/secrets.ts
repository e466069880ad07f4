import { lstat } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { quoteForShell } from '../../lib/shell.js'
import { asNodeUser } from '../as-user.js'
import { defineExamination } from '../define-examination.js'
import type { DoctorFacts, Finding, Mend } from '../types.js'

/** The token, and who can read it. */
export const secrets = defineExamination({
  id: 'secrets',
  title: 'secrets',
  group: 'Node',
  findings: {
    'no-token': {
      state: 'fail',
      meaning:
        'other machines reach the node and it asks for no token: whoever does can run commands as its user',
      fix: '`magnetar token rotate` makes one, which the running server asks for at once; then `magnetar token show`, for Galaxy',
    },
    'secret-readable': {
      state: 'fail',
      meaning: 'every user of the machine can read the token or the key of the certificate',
      fix: '`chmod o-rwx FILE`; `--fix` does it. Whoever may have read it still knows it: change the token',
    },
  },
  async examine(facts) {
    const { config, configDirectory, listens } = facts
    const findings: Finding<'secrets' | 'no-token' | 'secret-readable'>[] = []
    const files = [
      ...(config?.privateToken === undefined ? [] : [join(configDirectory, 'app.yml')]),
      ...(config?.server.sslPem === undefined ? [] : [config.server.sslPem]),
    ]
    for (const file of files) {
      const found = await lstat(file).catch(() => undefined)
      if (!found?.isFile() || (found.mode & 0o004) === 0 || !(await isReachable(file))) continue
      const mend = mendOf(file, found.uid, facts)
      findings.push({
        id: 'secret-readable',
        state: 'fail',
        message: `every user of this machine can read ${file}`,
        fix: {
          command: `chmod o-rwx ${quoteForShell(file)}`,
          ...(mend ? { mends: [mend] } : {}),
        },
      })
    }
    if (config && config.privateToken === undefined && listens.some(({ host }) => !isLocal(host)))
      findings.push({
        id: 'no-token',
        state: 'fail',
        message: 'other machines reach the node, and it asks for no token',
        fix: {
          text: 'Whoever reaches it can run commands. This makes one, asked for at once; Galaxy needs it too:',
          command: `magnetar token rotate --config ${quoteForShell(configDirectory)}`,
        },
      })
    if (findings.length > 0) return findings
    if (!config)
      return [{ id: 'secrets', state: 'left-out', message: 'the configuration has to be right first' }]
    const token =
      config.privateToken === undefined ? 'none; only this machine reaches the node' : 'a token is set'
    return [{ id: 'secrets', state: 'ok', message: token }]
  },
})

/** The file's own directory and those above it let others in. */
async function isReachable(file: string): Promise<boolean> {
  for (let each = join(file, '..'); each !== '/'; each = join(each, '..')) {
    const found = await lstat(each).catch(() => undefined)
    if (found && !found.isSymbolicLink() && (found.mode & 0o001) === 0) return false
  }
  return true
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** Done as its owner: the directory may be the user's, who could put a link there. */
function mendOf(file: string, uid: number, facts: DoctorFacts): Mend | undefined {
  const argv = ['chmod', 'o-rwx', file]
  const as = uid === facts.user?.uid ? asNodeUser(facts, argv) : undefined
  return as && { title: `chmod o-rwx ${file}`, argv: as }
}
