import type { Marker } from './marker.js'
import type { DefaultFileAction } from './snippet.js'

/** What Galaxy needs to know of a node. */
export interface Connection {
  /** Of the destination: `pulsar`. */
  readonly destination: string
  /** Of the runner plugin; undefined: one that is there, whatever it is called, else `pulsar_rest`. */
  readonly runner?: string | undefined
  /** As Galaxy reaches the node. */
  readonly url: string
  /** undefined: none is written, and one that is there stays. */
  readonly token?: string | undefined
  /** The manager of the node that is meant; undefined: its default one. */
  readonly manager?: string | undefined
  /** undefined: the default, for a destination that is new. */
  readonly defaultFileAction?: DefaultFileAction | undefined
  readonly jobsDirectory?: string | undefined
  /** Tools whose jobs go there. */
  readonly tools: readonly string[]
}

/** A job configuration as far as connecting needs to know it. What stands in comments is not part of it. */
export interface JobConf {
  readonly runners: readonly Found<{ readonly load: string }>[]
  readonly destinations: readonly Found<{
    readonly runner: string
    readonly params: ReadonlyMap<string, string>
  }>[]
  readonly tools: readonly Found<{
    readonly destination: string | undefined
    /** Counts only for jobs with certain parameters. */
    readonly isConditional: boolean
  }>[]
  /** Of the destinations; a rule when it depends on the environment. */
  readonly default: string | 'by rule' | undefined
  /** Ours, with all that is in them. */
  readonly sections: readonly Section[]
}

export type Found<T> = T & {
  readonly id: string
  /** 1-based. */
  readonly line: number
  /** Of the one that connect wrote; undefined: somebody else did. */
  readonly marker: Marker | undefined
}

export interface Section {
  readonly marker: Marker
  readonly isEmpty: boolean
  /** Something of ours is in it. */
  readonly hasMarkers: boolean
}

/** The parameters of a destination, in the order in which they are written. */
export type Params = readonly (readonly [name: string, value: string])[]

/** How a kind of file is read and changed. All is pure, and throws MagnetarError EDIT_REFUSED for what is not understood. */
export interface JobConfFormat {
  read(text: string): JobConf
  addRunner(text: string, id: string, load: string): string
  addDestination(text: string, id: string, runner: string, params: Params): string
  /** Sets those and leaves the others of a destination as they are. */
  setParams(text: string, id: string, params: Params): string
  /** The default destination, where there is none. */
  addDefault(text: string, id: string): string
  addTool(text: string, id: string, destination: string): string
  /** Comments the mapping out (`index` in `tools`), and writes it again with the other destination. */
  replaceTool(text: string, index: number, destination: string): string
  /** Takes away what carries the marker and puts back what was there before; undefined when it is not found. */
  takeAway(text: string, marker: Marker): string | undefined
  /** Takes a marker away alone: its thing is somebody else's now. */
  giveUp(text: string, marker: Marker): string
  /** All markers of the file, also those whose thing is gone. */
  markers(text: string): readonly { readonly marker: Marker; readonly line: number }[]
}
