import { expect, it } from 'vitest'
import { terminalWidth, wrap } from '../../src/cli/wrap.js'

it.each([
  ['one two three', 7, '', 'one two\nthree'],
  ['  one two', 6, '    ', '  one\n    two'],
  ['/a/very/long/path x', 5, '', '/a/very/long/path\nx'],
  ['a\nb c', 1, '', 'a\nb\nc'],
  ['\u001b[31mone\u001b[39m two', 7, '', '\u001b[31mone\u001b[39m two'],
  ['', 5, '  ', ''],
])('%j in %i columns', (text, width, indent, wrapped) => {
  expect(wrap(text, width, indent)).toBe(wrapped)
})

it('a terminal is used but for its last column', () => {
  expect(terminalWidth({ columns: 60 })).toBe(59)
  expect(terminalWidth({})).toBe(79)
  // script -qc … </dev/null
  expect(terminalWidth({ columns: 0 })).toBe(79)
})
