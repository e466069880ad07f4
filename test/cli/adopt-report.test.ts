import { expect, it } from 'vitest'
import { createStageLines, visible } from '../../src/cli/adopt/report.js'
import { describeSilent } from '../../src/cli/adopt/silent-managers.js'
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

it('tells of each manager of the new server that cannot run jobs', () => {
  const local = { name: 'a', type: 'queued_python', scheduler: { ok: true, summary: 'local' } }
  const drmaa = {
    name: 'b',
    type: 'queued_drmaa',
    scheduler: { ok: false, summary: 'DRMAA', detail: 'it hangs' },
  }
  expect(describeSilent([local, drmaa, { name: 'c', type: 'slurm' }])).toEqual([
    'manager b (queued_drmaa) cannot run jobs now: DRMAA: it hangs',
    'manager c (slurm) cannot run jobs now: nobody could be asked',
  ])
})
