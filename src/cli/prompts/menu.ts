import { createPrompt, useEffect, useKeypress, useState } from '@inquirer/core'
import { createPalette, SIGNS } from '../palette.js'
import { terminalWidth, wrap } from '../wrap.js'
import type { Outcome } from './outcome.js'

export interface MenuItem<T extends string> {
  /** One letter, which is in the name too. */
  readonly key: string
  readonly value: T
  readonly name: string
  /** Told by `?`. */
  readonly why: string
}

export interface Menu {
  readonly message: string
  readonly items: readonly MenuItem<string>[]
}

const HIDE_CURSOR = '\u001b[?25l'

/** One key of some; Enter does nothing, so that nobody applies a plan by holding it down. */
export const askMenu = createPrompt<Outcome<string>, Menu>(({ message, items }, done) => {
  const [chosen, setChosen] = useState<MenuItem<string> | undefined>(undefined)
  const [note, setNote] = useState<'why' | 'keys' | undefined>(undefined)
  useEffect((rl) => {
    const end = (): void => done({ kind: 'end' })
    rl.on('close', end)
    return () => rl.removeListener('close', end)
  }, [])

  useKeypress((_key, rl) => {
    if (chosen) return
    const typed = rl.line.toLowerCase()
    rl.clearLine(0)
    const item = items.find(({ key }) => key === typed)
    if (item) {
      setChosen(item)
      done({ kind: 'answer', value: item.value, taken: false })
    } else setNote(typed === '?' ? 'why' : 'keys')
  })

  const palette = createPalette()
  const width = terminalWidth()
  if (chosen)
    return wrap(
      `${palette.green(SIGNS.done)} ${palette.bold(message)} ${palette.cyan(chosen.name)}`,
      width,
      '  ',
    )
  // A name is never broken: its spaces are put back after wrapping.
  const names = items.map(({ key, name }) => name.replace(key, `[${key}]`).replaceAll(' ', '\u00a0'))
  const keys = wrap(`${palette.cyan('?')} ${palette.bold(message)}  ${names.join('  ')}`, width, '  ')
  const lines = [keys.replaceAll('\u00a0', ' ')]
  if (note === 'why') for (const { key, why } of items) lines.push(wrap(`  ${key}  ${why}`, width, '     '))
  if (note === 'keys') {
    const letters = [...items.map(({ key }) => key), '?']
    lines.push(palette.dim(`  Press one of ${letters.join(', ')}`))
  }
  return lines.join('\n') + HIDE_CURSOR
})
