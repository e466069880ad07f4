import { quoteForShell } from '../../lib/shell.js'
import { defineExamination } from '../define-examination.js'
import { findListener } from '../listener.js'

/** The account of the server. */
export const user = defineExamination({
  id: 'user',
  title: 'user',
  group: 'Node',
  findings: {
    'user-missing': {
      state: 'fail',
      meaning: 'the user that setup made the node for does not exist on this machine any more',
      fix: '`magnetar setup --yes` makes it again; or the directory service that knew it does not answer',
    },
    'server-as-other': {
      state: 'warn',
      meaning: 'the server runs as another user than the one the node belongs to (root, for one)',
      fix: 'stop it, and start it as its user, best by its service',
    },
  },
  async examine({ user: known, missingUser, paths, listens, account }) {
    if (missingUser !== undefined) {
      const prefix = paths === undefined ? '' : ` --prefix ${quoteForShell(paths.prefix)}`
      return [
        {
          id: 'user-missing',
          state: 'fail',
          message: `there is no user ${missingUser}, whom the node belongs to`,
          fix: { command: `magnetar setup --yes${prefix}` },
        },
      ]
    }
    if (known === undefined)
      return [{ id: 'user', state: 'left-out', message: 'nothing tells whose the node is' }]
    for (const { port } of listens) {
      const listener = await findListener(port)
      if (
        listener === undefined ||
        listener.uid === known.uid ||
        !/magnetar|pulsar/.test(listener.command ?? '')
      )
        continue
      return [
        {
          id: 'server-as-other',
          state: 'warn',
          message: `the server on port ${port} runs as user ${listener.uid}, but the node is ${known.name}'s`,
          fix: {
            text: `Its files would not be ${known.name}'s. Stop it, then start the service:`,
            command: `kill ${listener.pid ?? 'PID'}`,
          },
        },
      ]
    }
    const whom = account.uid === known.uid ? '' : `, looked at as ${account.user}`
    return [{ id: 'user', state: 'ok', message: `${known.name} (${known.uid})${whom}` }]
  },
})
