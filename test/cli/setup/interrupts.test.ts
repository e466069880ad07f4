import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { watchInterrupts } from '../../../src/cli/setup/interrupts.js'

it('any number of commands may listen to the signal, without a warning', async () => {
  const warnings: string[] = []
  const onWarning = ({ name }: Error): void => void warnings.push(name)
  process.on('warning', onWarning)
  const interrupts = watchInterrupts(() => {})
  onTestFinished(() => {
    process.off('warning', onWarning)
    interrupts.dispose()
  })
  for (let count = 0; count < 30; count++) interrupts.signal.addEventListener('abort', () => {})
  await nextTurn()
  expect(warnings).toEqual([])
})
