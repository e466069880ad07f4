import { createPrompt, isEnterKey, isTabKey, useEffect, useKeypress, useState } from '@inquirer/core'
import { createPalette, SIGNS } from '../palette.js'
import { terminalWidth, wrap } from '../wrap.js'
import type { Outcome } from './outcome.js'

export interface InputQuestion {
  readonly message: string
  /** Taken by Enter alone; undefined: something has to be typed. */
  readonly default: string | undefined
  /** Where the default is from, shown dimmed: "the last setup". */
  readonly source: string
  /** One line, shown by a `?`. */
  readonly why: string
  readonly canGoBack: boolean
  /** What is wrong with an answer, as a sentence; undefined: nothing. */
  readonly check: (text: string) => Promise<string | undefined>
}

/** Asks for a text. `?` and Enter tells why it is asked, `<` and Enter goes back; Tab puts the default into the line. */
export const askInput = createPrompt<Outcome<string>, InputQuestion>((question, done) => {
  const [status, setStatus] = useState<'asking' | 'checking' | 'done' | 'left'>('asking')
  const [value, setValue] = useState('')
  const [note, setNote] = useState<{ kind: 'why' | 'error'; text: string } | undefined>(undefined)
  useEffect((rl) => {
    const end = (): void => done({ kind: 'end' })
    rl.on('close', end)
    return () => rl.removeListener('close', end)
  }, [])

  useKeypress(async (key, rl) => {
    if (status !== 'asking') return
    if (isTabKey(key)) {
      rl.clearLine(0)
      rl.write(value === '' ? (question.default ?? '') : value)
      setValue(rl.line)
      return
    }
    if (!isEnterKey(key)) {
      setValue(rl.line)
      // What was wrong, or explained, has been read by now.
      if (note !== undefined && rl.line !== value) setNote(undefined)
      return
    }
    const typed = value.trim()
    if (typed === '?') {
      setValue('')
      setNote({ kind: 'why', text: question.why })
      return
    }
    if (typed === '<') {
      setValue('')
      if (question.canGoBack) {
        setStatus('left')
        done({ kind: 'back' })
      } else setNote({ kind: 'error', text: 'This is the first question.' })
      return
    }
    const taken = typed === '' && question.default !== undefined
    const answer = taken ? (question.default ?? '') : typed
    setStatus('checking')
    const wrong = answer === '' ? 'Nothing was given.' : await question.check(answer)
    if (wrong === undefined) {
      setValue(answer)
      setStatus('done')
      done({ kind: 'answer', value: answer, taken })
      return
    }
    // Enter has emptied the line; the text comes back to be corrected.
    rl.write(value)
    setNote({ kind: 'error', text: wrong })
    setStatus('asking')
  })

  const palette = createPalette()
  const message = palette.bold(question.message)
  const preset = question.default === undefined ? '' : ` ${palette.dim(`(${question.default})`)}`
  const width = terminalWidth()
  if (status === 'done')
    return wrap(`${palette.green(SIGNS.done)} ${message} ${palette.cyan(value)}`, width, '  ')
  const line = `${palette.cyan('?')} ${message}${preset} ${value}`
  if (status === 'left') return palette.dim(`${SIGNS.left} ${question.message}`)
  if (note?.kind === 'error')
    return [line, wrap(`  ${palette.red(SIGNS.failed)} ${note.text}`, width, '    ')]
  if (note?.kind === 'why') return [line, wrap(`  ${note.text}`, width, '  ')]
  const keys = [
    ...(question.default === undefined ? [] : [`Enter: ${question.source}`]),
    '? Enter: why',
    ...(question.canGoBack ? ['< Enter: back'] : []),
  ]
  return [line, palette.dim(wrap(`  ${keys.join(' · ')}`, width, '  '))]
})
