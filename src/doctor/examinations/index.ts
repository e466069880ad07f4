/** The registry: what doctor examines, in the order of its screen. A new examination is its own file and a line here. */
import type { Examination } from '../types.js'
import { certificate } from './certificate.js'
import { clock } from './clock.js'
import { conda } from './conda.js'
import { configuration } from './configuration.js'
import { disk } from './disk.js'
import { drmaa } from './drmaa.js'
import { galaxy } from './galaxy.js'
import { jobs } from './jobs.js'
import { leftovers } from './leftovers.js'
import { partitions } from './partitions.js'
import { permissions } from './permissions.js'
import { processes } from './processes.js'
import { records } from './records.js'
import { secrets } from './secrets.js'
import { server } from './server.js'
import { slurm } from './slurm.js'
import { slurmJob } from './slurm-job.js'
import { user } from './user.js'

export const EXAMINATIONS: readonly Examination[] = [
  configuration,
  secrets,
  user,
  permissions,
  server,
  certificate,
  disk,
  clock,
  slurm,
  partitions,
  slurmJob,
  drmaa,
  conda,
  galaxy,
  records,
  jobs,
  processes,
  leftovers,
]
