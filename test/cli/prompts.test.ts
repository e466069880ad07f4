import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { askInput, type InputQuestion } from '../../src/cli/prompts/input.js'
import { askMenu } from '../../src/cli/prompts/menu.js'
import { type Answered, ask, type Outcome, PromptInterrupted } from '../../src/cli/prompts/outcome.js'
import { askSelect, type SelectQuestion } from '../../src/cli/prompts/select.js'
import { waitFor } from '../helpers/wait-for.js'

interface Streams {
  readonly input: PassThrough
  readonly output: PassThrough
  readonly signal: AbortSignal
}

interface Asked<T> {
  readonly answer: Promise<Answered<T>>
  /** Waits until the text is shown, then types. */
  when(text: string, keys: string): Promise<void>
  readonly shown: () => string
  readonly input: PassThrough
  readonly controller: AbortController
}

const [UP, DOWN, LEFT, ENTER] = ['\u001b[A', '\u001b[B', '\u001b[D', '\r']

function open<T>(prompt: (streams: Streams) => Promise<Outcome<T>>): Asked<T> {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const controller = new AbortController()
  let text = ''
  output.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const shown = (): string => stripVTControlCharacters(text)
  const answer = ask(prompt({ input, output, signal: controller.signal }))
  // A rejection is looked at by the test, which may not have come so far.
  answer.catch(() => {})
  return {
    answer,
    shown,
    input,
    controller,
    async when(wanted, keys) {
      await waitFor(() => shown().includes(wanted), { what: `"${wanted}" on the screen` })
      text = ''
      input.write(keys)
    },
  }
}

const question: InputQuestion = {
  message: 'Where?',
  default: '/srv',
  source: 'the last setup',
  why: 'Because of this.',
  canGoBack: true,
  check: async (text) => (text === 'bad' ? 'That is bad.' : undefined),
}
const openInput = (more: Partial<InputQuestion> = {}) =>
  open((streams) => askInput({ ...question, ...more }, streams))

describe('a question for a text', () => {
  it('shows the default with its source, and takes it by Enter', async () => {
    const asked = openInput()
    await asked.when('Enter: the last setup · ? Enter: why · < Enter: back', ENTER)
    expect(await asked.answer).toEqual({ kind: 'answer', value: '/srv', taken: true })
    expect(asked.shown()).toContain('✔ Where? /srv')
  })

  it('takes what is typed, also when that is the default', async () => {
    const asked = openInput()
    await asked.when('Where?', `/srv${ENTER}`)
    expect(await asked.answer).toEqual({ kind: 'answer', value: '/srv', taken: false })
  })

  it('tells why by a lone ?, and goes back by a lone <', async () => {
    const asked = openInput()
    await asked.when('Where?', `?${ENTER}`)
    await asked.when('Because of this.', `<${ENTER}`)
    expect(await asked.answer).toEqual({ kind: 'back' })
  })

  it('stays where nothing is before it', async () => {
    const asked = openInput({ canGoBack: false })
    await asked.when('Where?', `<${ENTER}`)
    await asked.when('This is the first question.', ENTER)
    expect(await asked.answer).toMatchObject({ value: '/srv' })
  })

  it('leaves a wrong answer in the line to be corrected', async () => {
    const asked = openInput()
    await asked.when('Where?', `bad${ENTER}`)
    await asked.when('That is bad.', `ly${ENTER}`)
    expect(await asked.answer).toMatchObject({ value: 'badly', taken: false })
  })

  it('wants something where there is no default', async () => {
    const asked = openInput({ default: undefined })
    await asked.when('Where?', ENTER)
    await asked.when('Nothing was given.', `x${ENTER}`)
    expect(await asked.answer).toMatchObject({ value: 'x' })
  })

  it('puts the default into the line by Tab', async () => {
    const asked = openInput()
    await asked.when('Where?', `\t/x${ENTER}`)
    expect(await asked.answer).toMatchObject({ value: '/srv/x', taken: false })
  })

  it.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('%s ends it', async (_name, key) => {
    const asked = openInput()
    await asked.when('Where?', key)
    await expect(asked.answer).rejects.toBeInstanceOf(PromptInterrupted)
  })

  it('the end of the input and the signal end it', async () => {
    const ended = openInput()
    await ended.when('Where?', '')
    ended.input.end()
    await expect(ended.answer).rejects.toBeInstanceOf(PromptInterrupted)
    const aborted = openInput()
    await aborted.when('Where?', '')
    aborted.controller.abort(new Error('enough'))
    await expect(aborted.answer).rejects.toBeInstanceOf(PromptInterrupted)
  })
})

const choices: SelectQuestion = {
  message: 'Which?',
  choices: [
    { value: 'a', name: 'first' },
    { value: 'b', name: 'second', unavailable: 'not here' },
    { value: 'c', name: 'third', detail: 'found' },
  ],
  default: 'c',
  why: 'Because of that.',
  canGoBack: true,
}
const openSelect = (more: Partial<SelectQuestion> = {}) =>
  open((streams) => askSelect({ ...choices, ...more }, streams))

describe('a question for a choice', () => {
  it('stands on the default, which Enter takes', async () => {
    const asked = openSelect()
    await asked.when('❯ third (found)', ENTER)
    expect(await asked.answer).toEqual({ kind: 'answer', value: 'c', taken: true })
    expect(asked.shown()).toContain('✔ Which? third')
  })

  it('moves over what cannot be chosen, and not beyond the ends', async () => {
    const asked = openSelect()
    await asked.when('second (not here)', DOWN + UP + UP)
    await asked.when('❯ first', ENTER)
    expect(await asked.answer).toEqual({ kind: 'answer', value: 'a', taken: false })
  })

  it('goes to a choice by its number, but to no other', async () => {
    const asked = openSelect()
    await asked.when('❯ third', '2')
    await asked.when('', '9')
    await asked.when('', '1')
    await asked.when('❯ first', ENTER)
    expect(await asked.answer).toMatchObject({ value: 'a' })
  })

  it.each([
    ['the left arrow', LEFT],
    ['<', '<'],
  ])('goes back by %s', async (_name, key) => {
    const asked = openSelect()
    await asked.when('Which?', '?')
    await asked.when('Because of that.', key)
    expect(await asked.answer).toEqual({ kind: 'back' })
  })

  it('takes the first that can be chosen where the default cannot', async () => {
    const asked = openSelect({ default: 'b' })
    await asked.when('❯ first', ENTER)
    expect(await asked.answer).toMatchObject({ value: 'a' })
  })
})

describe('a menu', () => {
  const items = [
    { key: 'a', value: 'apply', name: 'apply', why: 'do it' },
    { key: 's', value: 'save', name: 'save as answers', why: 'a file' },
  ]
  it('takes one of its letters and nothing else', async () => {
    const asked = open((streams) => askMenu({ message: 'Plan: 1 file', items }, streams))
    await asked.when('Plan: 1 file  [a]pply  [s]ave as answers', ENTER)
    await asked.when('Press one of a, s, ?', '?')
    await asked.when('do it', 'x')
    await asked.when('Press one of', 'S')
    expect(await asked.answer).toMatchObject({ kind: 'answer', value: 'save' })
  })
})
