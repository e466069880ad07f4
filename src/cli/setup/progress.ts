import type { SetupEvent } from '../../setup/run.js'

/** How far a run is, told while it goes. */
export interface Progress {
  readonly onEvent: (event: SetupEvent) => void
  /** The run has ended, well or not: nothing is drawn any more. */
  end(): Promise<void>
}

/** A part of the run as it is shown. */
export interface Stage {
  /** The id of the step, or one of the two that follow the steps. */
  readonly id: string
  readonly title: string
  /** undefined: of the stages that follow the steps. */
  readonly changes: number | undefined
}

export const WAITING = 'waiting'
export const VERIFYING = 'verifying'

/** "0.2 s" */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
