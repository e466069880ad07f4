import { expect, it } from 'vitest'
import { createStageLines, visible } from '../../src/cli/adopt/report.js'
import { createPalette } from '../../src/cli/palette.js'
import type { Output } from '../../src/cli/setup/output.js'

it('shows a name of a plan on one line, and steers no terminal with it', () => {
  expect(visible('a\nPlan: nothing\u001b[2K\u202e\u009b')).toBe('a\\nPlan: nothing\\u001b[2K\\u202e\\u009b')
  expect(visible('/srv/Café (2)')).toBe('/srv/Café (2)')
})

it('says of the stage in which the work failed that it failed', () => {
  const said: string[] = []
  const output = {
    palette: createPalette(process.stdout),
    say: (text: string) => void said.push(text),
    event: () => {},
  } as unknown as Output
  const run = (...stages: Parameters<ReturnType<typeof createStageLines>['begin']>[0][]) => {
    const lines = createStageLines(output)
    for (const stage of stages) lines.begin(stage)
    return lines
  }
  run('install').fail(true)
  run('install', 'try').fail(true)
  run('verify', 'go back').fail(true)
  run('verify', 'go back').fail(false)
  expect(said.map((line) => line.replace(/ {2}.*/, ''))).toEqual([
    expect.stringMatching(/✖|✗|✘/),
    expect.stringContaining('the program is in its place'),
    expect.stringContaining('asked whether it would start'),
    expect.stringContaining('waiting until'),
    expect.stringContaining('the server before runs again'),
    expect.stringContaining('waiting until'),
    expect.stringContaining('taking it back'),
  ])
  expect(said[0]).toContain('putting the program in its place')
})
