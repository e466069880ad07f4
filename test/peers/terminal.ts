import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { runCommand } from '../../src/lib/exec.js'
import { quoteForShell } from '../../src/lib/shell.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { attachTmux } from './tmux-control.js'

/** Whether a terminal can be had; when not, why, as a sentence for `needs`. */
export function findTmux(): { missing: string | undefined } {
  const directories = (process.env.PATH ?? '').split(delimiter)
  const found = directories.some((directory) => {
    try {
      accessSync(join(directory, 'tmux'), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  return { missing: found ? undefined : 'no tmux on this machine; install it (apt install tmux)' }
}

export interface Terminal {
  /** What is shown, and what has scrolled away above it; without trailing blanks. */
  screen(): Promise<string>
  /** Waits until the text is shown; where its lines are broken does not matter. */
  see(text: string | RegExp): Promise<string>
  /** Types a text as it is. */
  type(text: string): Promise<void>
  /** Presses keys by tmux's names: Enter, Down, Left, C-c, Escape. */
  press(...keys: string[]): Promise<void>
  /** The exit code of the command, once it has ended. */
  exitCode(): Promise<number>
}

interface TerminalOptions {
  readonly columns: number
  readonly env?: Readonly<Record<string, string>>
  readonly cwd: string
}

const ROWS = 50
const WAIT_MS = 60_000
const PAUSE_MS = 20
const LONGEST_PAUSE_MS = 250

/** Runs a command in a terminal of its own: a private tmux, ended with the test. */
export async function openTerminal(
  command: readonly string[],
  { columns, env = {}, cwd }: TerminalOptions,
): Promise<Terminal> {
  const directory = await tempDirectory()
  const socket = join(directory, 's')
  const status = join(directory, 'status')
  const own = { ...process.env, TMUX: '', LC_ALL: 'C.UTF-8', TERM: 'xterm-256color' }
  const server = ['-u', '-S', socket, '-f', '/dev/null']
  const start = async (...args: string[]): Promise<void> => {
    const result = await runCommand('tmux', [...server, ...args], { timeoutMs: 30_000, env: own })
    if (result.code !== 0) throw new Error(`tmux ${args.join(' ')}: ${result.stderr}`)
  }
  const settings = Object.entries({ NO_COLOR: '', MAGNETAR_PREFIX: '', npm_execpath: '', ...env })
  const line = ['env', ...settings.map(([name, value]) => `${name}=${value}`), ...command]
  // tmux loses the status of a command now and then; the shell around it does not, also when Ctrl-C reaches both.
  const script = `trap : INT; "$@"; echo $? > ${status}.new; mv ${status}.new ${status}`
  const words = ['sh', '-c', script, 'sh', ...line]
  const size = ['-x', String(columns), '-y', String(ROWS)]
  // The settings before the command begins: what has ended is to stay on the screen.
  await start('new-session', '-d', '-s', 'w', ...size, 'exec cat')
  onTestFinished(() => start('kill-server'))
  const tmux = attachTmux([...server, '-C', 'attach-session', '-t', 'w'], own)
  await tmux.run('set-option', '-g', 'remain-on-exit', 'on')
  await tmux.run('set-option', '-g', 'history-limit', '5000')
  await tmux.run('respawn-pane', '-k', '-t', 'w', '-c', cwd, words.map(quoteForShell).join(' '))

  const screen = async (): Promise<string> => {
    const text = await tmux.run('capture-pane', '-p', '-S', '-1000', '-t', 'w')
    return text.replace(/[ ]+$/gm, '').trimEnd()
  }
  return {
    screen,
    async see(text) {
      let last = ''
      const isThere = (shown: string): boolean =>
        typeof text === 'string' ? oneLine(shown).includes(oneLine(text)) : text.test(shown)
      const deadlineMs = performance.now() + WAIT_MS
      for (;;) {
        last = await screen()
        if (isThere(last)) return last
        if (performance.now() > deadlineMs) throw new Error(`${text} was not shown, but:\n${last}`)
        // What is drawn piece by piece, or again and again, is looked at once for all.
        await delay(PAUSE_MS)
        await tmux.changed(LONGEST_PAUSE_MS)
      }
    },
    type: (text) => tmux.run('send-keys', '-t', 'w', '-l', text).then(() => {}),
    press: (...keys) => tmux.run('send-keys', '-t', 'w', ...keys).then(() => {}),
    async exitCode() {
      await waitFor(() => existsSync(status), { what: 'end of the command', timeoutMs: WAIT_MS })
      return Number(readFileSync(status, 'utf8'))
    },
  }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}
