import { describe, expect, it } from 'vitest'
import { stateInWords } from '../../../src/setup/adopt/state-in-words.js'
import { explainUnit } from '../../../src/setup/services/control-systemd.js'
import { parseUnit } from '../../../src/setup/services/systemd.js'

const unit = (active: string, sub: string, result = 'success', status = '0'): string =>
  explainUnit(
    parseUnit(
      `LoadState=loaded\nActiveState=${active}\nSubState=${sub}\nResult=${result}\nExecMainStatus=${status}\n`,
    ),
  )

describe('the state of a service', () => {
  it.each([
    [
      'BACKOFF Exited too quickly (process log may have details)',
      /^ends right after each start.*goes on trying/,
    ],
    ['FATAL Exited too quickly (process log may have details)', /has given up \(FATAL Exited too quickly/],
    ['STARTING', /^is being started.* \(STARTING\)$/],
    ['STOPPED Nov 23 01:07 AM', /^is stopped/],
    ['EXITED Nov 23 01:07 AM', /^has ended by itself/],
  ])('of Supervisor is said in words: %s', (explained, words) => {
    expect(stateInWords('supervisor', explained)).toMatch(words)
  })

  it.each([
    [
      unit('activating', 'auto-restart', 'exit-code', '78'),
      /^ended, and systemd waits to start it again.*exit code 78/,
    ],
    [unit('activating', 'auto-restart'), /^ended, and systemd waits to start it again/],
    [unit('activating', 'start'), /^is being started/],
    [unit('failed', 'failed', 'start-limit-hit'), /^has failed.*ended too often/],
    [unit('inactive', 'dead'), /^is stopped/],
  ])('of systemd is said in words: %s', (explained, words) => {
    expect(stateInWords('systemd', explained)).toMatch(words)
  })
})
