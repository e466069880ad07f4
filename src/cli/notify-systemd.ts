import { messageOf } from '../lib/errors.js'
import { runCommand } from '../lib/exec.js'
import type { Logger } from '../lib/log.js'

/** Tells systemd how the server is (Type=notify). Never fails, never takes long: what goes wrong is one line in the log. */
export interface SystemdNotifier {
  /** It answers requests. `status` is what `systemctl status` shows. */
  ready(status: string): Promise<void>
  /** It is about to end. */
  stopping(): Promise<void>
}

const TIMEOUT_MS = 5000

/**
 * Through `systemd-notify`, as Node can not write to a datagram socket of the file system. Takes NOTIFY_SOCKET out of `env`: jobs and
 * schedulers are not to speak for the server. Without that variable nothing is done.
 */
export function createSystemdNotifier(env: NodeJS.ProcessEnv, log: Logger): SystemdNotifier {
  const socket = env.NOTIFY_SOCKET
  if (!socket) return { async ready() {}, async stopping() {} }
  delete env.NOTIFY_SOCKET
  const send = async (...args: string[]): Promise<void> => {
    try {
      const result = await runCommand('systemd-notify', args, {
        timeoutMs: TIMEOUT_MS,
        env: { ...env, NOTIFY_SOCKET: socket },
      })
      if (result.code !== 0 || result.timedOut)
        throw new Error(result.stderr.trim() || 'it did not end in time')
    } catch (error) {
      log.warn(`systemd could not be told "${args.join(' ')}": ${messageOf(error)}`)
    }
  }
  return {
    ready: (status) => send('--ready', `--status=${status}`),
    stopping: () => send('STOPPING=1', '--status=stopping; running jobs go on'),
  }
}
