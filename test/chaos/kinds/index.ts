import { faultKind, killKind } from './faults.js'
import {
  hostileFileKind,
  hostileLeftoverKind,
  hostileReplyKind,
  hostileRequestKind,
  hostileTextKind,
} from './hostile.js'
import type { ChaosKind } from './kind.js'
import { networkKind } from './network.js'
import { powerKind } from './power.js'
import { slurmKind } from './slurm.js'

/** All kinds of chaos that `npm run test:chaos` knows. */
export const KINDS: readonly ChaosKind[] = [
  faultKind,
  killKind,
  powerKind,
  slurmKind,
  networkKind,
  hostileFileKind,
  hostileRequestKind,
  hostileReplyKind,
  hostileLeftoverKind,
  hostileTextKind,
]
