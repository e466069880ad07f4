import { SIGNS } from '../palette.js'
import type { Output } from './output.js'
import { type Progress, type Stage, seconds, VERIFYING, WAITING } from './progress.js'

/** A line when a stage has ended, and with --verbose one for each change: for files, pipes and terminals that cannot be redrawn. */
export function createLineProgress(stages: readonly Stage[], output: Output): Progress {
  const { palette } = output
  const ok = palette.green(SIGNS.done)
  const times = new Map<string, number>()
  const titleOf = (id: string): string => stages.find((stage) => stage.id === id)?.title ?? id
  let current: string | undefined
  let waitingMs = 0
  let states: string[] = []

  const finish = (): void => {
    if (current !== undefined)
      output.say(`${ok} ${titleOf(current)}  ${palette.dim(seconds(times.get(current) ?? 0))}`)
    current = undefined
  }
  for (const { title, changes } of stages) {
    if (changes === 0 && output.isVerbose) output.say(`${ok} ${title}: already as wanted`)
  }
  return {
    onEvent(event) {
      if (event.type === 'applied') finish()
      else if (event.type === 'waiting') waitingMs = performance.now()
      else if (event.type === 'healthy')
        output.say(
          `${ok} ${titleOf(WAITING)}: ${event.url}  ${palette.dim(seconds(performance.now() - waitingMs))}`,
        )
      else if (event.type === 'verifying') states = []
      else if (event.type === 'status') {
        states.push(event.status)
        if (output.isVerbose) output.say(`  ${titleOf(VERIFYING)}: ${states.join(' → ')}`)
      } else {
        const { change, state, ms = 0, text } = event
        if (state === 'start' && change.step !== current) {
          finish()
          current = change.step
        }
        if (state === 'done') {
          times.set(change.step, (times.get(change.step) ?? 0) + ms)
          if (output.isVerbose)
            output.say(`  ${change.title}${text ? ` (${text})` : ''}  ${palette.dim(seconds(ms))}`, '    ')
        }
        if (state === 'failed') {
          output.say(`${palette.red(SIGNS.failed)} ${titleOf(change.step)}: ${change.title}`)
          current = undefined
        }
        // The error at the end lists them all.
        if (state === 'undo-done' && output.isVerbose) output.say(`  undone: ${change.title}`, '    ')
      }
    },
    async end() {},
  }
}
