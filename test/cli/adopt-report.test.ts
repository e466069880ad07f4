import { expect, it } from 'vitest'
import { visible } from '../../src/cli/adopt/report.js'

it('shows a name of a plan on one line, and steers no terminal with it', () => {
  expect(visible('a\nPlan: nothing\u001b[2K\u202e\u009b')).toBe('a\\nPlan: nothing\\u001b[2K\\u202e\\u009b')
  expect(visible('/srv/Café (2)')).toBe('/srv/Café (2)')
})
