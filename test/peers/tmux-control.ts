import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { quoteForShell } from '../../src/lib/shell.js'

/** A client that stays: a process for each look at a screen would cost more than what is looked at. */
export interface TmuxControl {
  /** Runs one command of tmux and returns what it prints. */
  run(...words: string[]): Promise<string>
  /** Resolves when something has been written to the screen since the last call, or after so long. */
  changed(atMostMs: number): Promise<void>
}

interface Question {
  readonly words: readonly string[]
  answer(text: string): void
  fail(error: Error): void
}

const ANSWER_MS = 30_000

/** Attaches to the session in tmux's control mode (tmux(1), CONTROL MODE); it ends with the server. */
export function attachTmux(args: readonly string[], env: NodeJS.ProcessEnv): TmuxControl {
  const client = spawn('tmux', [...args], { env, stdio: ['pipe', 'pipe', 'ignore'] })
  const questions: Question[] = []
  let block: string[] | undefined
  let hasChanged = false
  let wake = (): void => {}
  let gone: Error | undefined

  // tmux answers in the order of the commands; what is not an answer to one of this client's has other flags.
  createInterface({ input: client.stdout }).on('line', (line) => {
    const [, word, flags] = /^%(begin|end|error) \d+ \d+ (\d+)$/.exec(line) ?? []
    if (word === 'begin' && block === undefined) block = []
    else if (word !== undefined && word !== 'begin' && block !== undefined) {
      const text = block.join('\n')
      block = undefined
      const question = flags === '1' ? questions.shift() : undefined
      if (word === 'end') question?.answer(text)
      else question?.fail(new Error(`tmux ${question.words.join(' ')}: ${text}`))
    } else if (block !== undefined) block.push(line)
    else if (line.startsWith('%output')) {
      hasChanged = true
      wake()
    }
  })
  const end = (why: string): void => {
    gone ??= new Error(`tmux is gone: ${why}`)
    for (const question of questions.splice(0)) question.fail(gone)
  }
  client.on('error', (error) => end(error.message))
  client.on('close', (code) => end(`its client ended with ${code}`))
  client.stdin.on('error', () => {})

  return {
    async run(...words) {
      if (gone) throw gone
      const answered = new Promise<string>((answer, fail) => questions.push({ words, answer, fail }))
      client.stdin.write(`${words.map(quoteForShell).join(' ')}\n`)
      return within(answered, ANSWER_MS, `answer of tmux to ${words.join(' ')}`)
    },
    async changed(atMostMs) {
      if (!hasChanged) {
        let timer: NodeJS.Timeout | undefined
        await new Promise<void>((done) => {
          wake = done
          timer = setTimeout(done, atMostMs)
        })
        clearTimeout(timer)
      }
      hasChanged = false
    },
  }
}

async function within<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no ${what} within ${ms} ms`)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
