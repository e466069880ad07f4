import { Listr, type ListrTaskWrapper } from 'listr2'
import type { SetupEvent } from '../../setup/run.js'
import type { Output } from './output.js'
import { type Progress, type Stage, seconds, VERIFYING, WAITING } from './progress.js'

type Task = Pick<ListrTaskWrapper<unknown, never, never>, 'title' | 'output'>

interface Open {
  readonly stage: Stage
  /** Set once it is drawn as running. */
  task: Task | undefined
  /** What it is doing, which may be known before it is drawn. */
  text: string | undefined
  readonly done: Promise<void>
  finish(): void
  fail(): void
}

/** A list of tasks that is redrawn in place: each stage with its time, what it is doing below it while it does. */
export function createTaskProgress(stages: readonly Stage[], output: Output): Progress {
  const { palette } = output
  const open = stages.map(openStage)
  const states: string[] = []
  let at: Open | undefined

  const list = new Listr(
    open.map((each) => ({
      title: each.stage.title,
      task: async (_context: unknown, task: Task): Promise<void> => {
        each.task = task
        if (each.text !== undefined) task.output = each.text
        const startedMs = performance.now()
        await each.done
        if (each.stage.changes !== 0)
          task.title = `${each.stage.title}  ${palette.dim(seconds(performance.now() - startedMs))}`
      },
    })),
    {
      renderer: 'default',
      // Signals are ours: listr2 would end the process.
      registerSignalListeners: false,
      rendererOptions: {
        showErrorMessage: false,
      },
    },
  )
  // It fails when a stage does, which is told by the error of the run itself.
  const drawn = list.run().then(
    () => {},
    () => {},
  )

  const moveTo = (id: string | undefined): void => {
    if (at?.stage.id === id) return
    at?.finish()
    at = open.find(({ stage }) => stage.id === id)
    // Those without changes, up to the one that begins: there was nothing to do in them.
    const end = at ? open.indexOf(at) : open.findIndex(({ stage }) => stage.changes === undefined)
    for (const each of open.slice(0, end < 0 ? open.length : end)) each.finish()
  }
  const tell = (text: string): void => {
    if (!at) return
    at.text = text
    if (at.task) at.task.output = text
  }

  return {
    onEvent(event: SetupEvent) {
      if (event.type === 'change') {
        if (event.state === 'failed') at?.fail()
        if (event.state !== 'start' && event.state !== 'progress') return
        moveTo(event.change.step)
        tell(event.text === undefined ? event.change.title : `${event.change.title}: ${event.text}`)
      } else if (event.type === 'applied') moveTo(undefined)
      else if (event.type === 'waiting') moveTo(WAITING)
      else if (event.type === 'verifying') moveTo(VERIFYING)
      else if (event.type === 'healthy') at?.finish()
      else {
        states.push(event.status)
        tell(states.join(' → '))
        if (event.status === 'complete') at?.finish()
      }
    },
    async end() {
      for (const each of open) each.fail()
      await drawn
    },
  }

  function openStage(stage: Stage): Open {
    let settle = { resolve: (): void => {}, reject: (_error: Error): void => {} }
    const done = new Promise<void>((resolve, reject) => {
      settle = { resolve, reject }
    })
    // Nobody waits for those that are not reached.
    done.catch(() => {})
    return {
      stage: stage.changes === 0 ? { ...stage, title: `${stage.title}: already as wanted` } : stage,
      task: undefined,
      text: undefined,
      done,
      finish: () => settle.resolve(),
      fail: () => settle.reject(new Error('not done')),
    }
  }
}
