import {
  createPrompt,
  isDownKey,
  isEnterKey,
  isUpKey,
  useEffect,
  useKeypress,
  useState,
} from '@inquirer/core'
import { createPalette, SIGNS } from '../palette.js'
import { terminalWidth, wrap } from '../wrap.js'
import type { Outcome } from './outcome.js'

export interface Choice {
  readonly value: string
  readonly name: string
  /** Shown dimmed after the name: where it was found, what it means. */
  readonly detail?: string
  /** It cannot be chosen, because …; shown in place of the detail. */
  readonly unavailable?: string | undefined
}

export interface SelectQuestion {
  readonly message: string
  readonly choices: readonly Choice[]
  /** The value that Enter alone takes. */
  readonly default: string
  readonly why: string
  readonly canGoBack: boolean
}

const HIDE_CURSOR = '\u001b[?25l'

/** Asks for one of some choices. `?` tells why it is asked, `<` or the left arrow goes back, a digit goes to that choice. */
export const askSelect = createPrompt<Outcome<string>, SelectQuestion>((question, done) => {
  const { choices } = question
  const preset = Math.max(
    0,
    choices.findIndex(({ value, unavailable }) => value === question.default && !unavailable),
  )
  const [status, setStatus] = useState<'asking' | 'done' | 'left'>('asking')
  const [at, setAt] = useState(preset)
  const [note, setNote] = useState<'why' | 'first' | undefined>(undefined)
  useEffect((rl) => {
    const end = (): void => done({ kind: 'end' })
    rl.on('close', end)
    return () => rl.removeListener('close', end)
  }, [])

  useKeypress((key, rl) => {
    if (status !== 'asking') return
    const typed = rl.line
    rl.clearLine(0)
    if (isEnterKey(key)) {
      const chosen = choices[at]
      if (!chosen) return
      setStatus('done')
      done({ kind: 'answer', value: chosen.value, taken: at === preset })
    } else if (isUpKey(key)) move(-1)
    else if (isDownKey(key)) move(1)
    else if (key.name === 'left' || typed === '<') {
      if (question.canGoBack) {
        setStatus('left')
        done({ kind: 'back' })
      } else setNote('first')
    } else if (typed === '?') setNote(note === 'why' ? undefined : 'why')
    else if (/^[1-9]$/.test(typed) && choices[Number(typed) - 1]?.unavailable === undefined) {
      if (Number(typed) <= choices.length) setAt(Number(typed) - 1)
    }
  })

  function move(step: 1 | -1): void {
    for (let next = at + step; choices[next]; next += step) {
      if (choices[next]?.unavailable === undefined) {
        setAt(next)
        return
      }
    }
  }

  const palette = createPalette()
  const message = palette.bold(question.message)
  const width = terminalWidth()
  if (status === 'done') {
    const name = palette.cyan(choices[at]?.name ?? '')
    return wrap(`${palette.green(SIGNS.done)} ${message} ${name}`, width, '  ')
  }
  const lines = choices.map((choice, index) => renderChoice(choice, index === at))
  const line = `${palette.cyan('?')} ${message}`
  if (status === 'left') return palette.dim(`${SIGNS.left} ${question.message}`)
  return [line, ...lines, foot()].join('\n') + HIDE_CURSOR

  function renderChoice({ name, detail, unavailable }: Choice, active: boolean): string {
    const after = unavailable ?? detail
    const text = wrap(`${active ? SIGNS.pointer : ' '} ${name}${after ? ` (${after})` : ''}`, width, '    ')
    if (unavailable !== undefined) return palette.dim(text)
    if (active) return palette.cyan(text)
    return text
  }

  function foot(): string {
    if (note === 'why') return wrap(`  ${question.why}`, width, '  ')
    if (note === 'first') return `  ${palette.red(SIGNS.failed)} This is the first question.`
    const keys = [
      `${SIGNS.up}${SIGNS.down} choose`,
      'Enter takes it',
      '? why',
      ...(question.canGoBack ? [`${SIGNS.left} back`] : []),
    ]
    return palette.dim(wrap(`  ${keys.join(' · ')}`, width, '  '))
  }
})
