import { describe, expect, it } from 'vitest'
import { createPalette } from '../../../src/cli/palette.js'
import type { Output } from '../../../src/cli/setup/output.js'
import type { Stage } from '../../../src/cli/setup/progress.js'
import { createLineProgress } from '../../../src/cli/setup/progress-lines.js'
import { stagesOf } from '../../../src/cli/setup/stages.js'
import type { ApplyEvent } from '../../../src/setup/apply/apply.js'
import type { PreparedSetup, SetupEvent } from '../../../src/setup/run.js'
import { steps } from '../../../src/setup/steps/index.js'
import type { Change } from '../../../src/setup/types.js'
import { rootFacts, userFacts } from '../../setup/answer-fixtures.js'

function capture(isVerbose: boolean): { output: Output; lines: string[] } {
  const lines: string[] = []
  const output: Output = {
    isJson: false,
    isQuiet: false,
    isVerbose,
    draws: false,
    palette: createPalette({}, {}),
    width: 79,
    say: (text) => void lines.push(text),
    print: (text) => void lines.push(text),
    during: (_text, work) => work(),
    warn: (text) => void lines.push(`warning: ${text}`),
    event: () => {},
  }
  return { output, lines }
}

const stages: Stage[] = [
  { id: 'one', title: 'first', changes: 2 },
  { id: 'two', title: 'second', changes: 0 },
  { id: 'three', title: 'third', changes: 1 },
  { id: 'waiting', title: 'the node answers', changes: undefined },
]

const change = (step: string, title: string): Change => ({
  kind: 'remove',
  step,
  title,
  counts: 'other',
  path: '/x',
})
const event = (state: ApplyEvent['type'], what: Change, ms?: number): SetupEvent => ({
  type: 'change',
  state,
  change: what,
  index: 0,
  total: 3,
  ...(ms === undefined ? {} : { ms }),
})

const run: SetupEvent[] = [
  event('start', change('one', 'a')),
  event('done', change('one', 'a'), 1000),
  event('start', change('one', 'b')),
  event('done', change('one', 'b'), 500),
  event('start', change('three', 'c')),
  event('done', change('three', 'c'), 100),
  { type: 'applied' },
]

describe('progress in lines', () => {
  it('has a line for each stage with changes, with the time of all of them', () => {
    const { output, lines } = capture(false)
    const progress = createLineProgress(stages, output)
    for (const each of run) progress.onEvent(each)
    expect(lines).toEqual(['✔ first  1.5 s', '✔ third  0.1 s'])
  })

  it('tells every change, and what was as wanted, with --verbose', () => {
    const { output, lines } = capture(true)
    const progress = createLineProgress(stages, output)
    for (const each of run) progress.onEvent(each)
    expect(lines).toEqual([
      '✔ second: already as wanted',
      '  a  1.0 s',
      '  b  0.5 s',
      '✔ first  1.5 s',
      '  c  0.1 s',
      '✔ third  0.1 s',
    ])
  })

  it('says which change failed, and does not call its stage done', () => {
    const { output, lines } = capture(false)
    const progress = createLineProgress(stages, output)
    progress.onEvent(event('start', change('one', 'a')))
    progress.onEvent(event('failed', change('one', 'a'), 5))
    progress.onEvent(event('undo-done', change('one', 'a'), 5))
    expect(lines).toEqual(['✖ first: a'])
  })
})

describe('the stages of a run', () => {
  const stagesFor = (answers: object, facts = rootFacts, changes: Change[] = []): string[] => {
    const all = { dependencies: 'conda', service: 'none', start: true, verify: true, ...answers }
    const prepared = { plan: { changes }, context: { answers: all, facts } } as unknown as PreparedSetup
    return stagesOf(prepared, steps).map(({ id }) => id)
  }

  it('are the steps that the node has, and what proves it', () => {
    const supervised = stagesFor({ service: 'supervisor', tlsCert: '/c' })
    expect(supervised).toEqual(expect.arrayContaining(['user', 'app-yml', 'tls-pem', 'supervisor-program']))
    expect(supervised).not.toContain('systemd-unit')
    expect(supervised.slice(-2)).toEqual(['waiting', 'verifying'])
    const plain = stagesFor({ dependencies: 'none', verify: false }, userFacts)
    for (const id of [
      'user',
      'resolvers',
      'tls-pem',
      'supervisor-program',
      'systemd-unit',
      'waiting',
      'verifying',
    ])
      expect(plain).not.toContain(id)
  })

  it('have every step that changes something, and what an earlier run has left', () => {
    const ids = stagesFor({}, userFacts, [change('leftovers', 'x'), change('systemd-unit', 'remove')])
    expect(ids[0]).toBe('leftovers')
    expect(ids).toContain('systemd-unit')
  })
})
