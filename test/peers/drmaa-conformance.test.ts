import { afterAll, beforeAll } from 'vitest'
import { silentLogger } from '../../src/lib/log.js'
import { createDrmaaScheduler } from '../../src/schedulers/drmaa/drmaa.js'
import { createLibrary } from '../../src/schedulers/drmaa/library.js'
import type { Scheduler } from '../../src/schedulers/scheduler.js'
import { describeScheduler } from '../conformance/scheduler.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { buildDrmaa, drmaaMissing, libraryProgram, type TestDrmaa } from './drmaa/build-library.js'
import { findSlurm } from './find-slurm.js'
import { type PrivateSlurm, startPrivateSlurm } from './private-slurm.js'

// With SLURM_DRMAA=/path/libdrmaa.so the same suite runs on that library and a private Slurm.
const real = process.env.SLURM_DRMAA

let drmaa: TestDrmaa | undefined
let slurm: PrivateSlurm | undefined

beforeAll(async () => {
  if (drmaaMissing() !== undefined) return
  if (real === undefined) drmaa = await buildDrmaa(await tempDirectory())
  else {
    slurm = await startPrivateSlurm(await tempDirectory())
    Object.assign(process.env, slurm.env)
  }
})
afterAll(async () => {
  await drmaa?.stop()
  await slurm?.stop()
})

async function open(nativeSpecification?: string): Promise<Scheduler> {
  const path = real ?? drmaa?.library ?? ''
  const library = createLibrary({ path, log: silentLogger, program: libraryProgram })
  await library.open()
  const options = { nativeSpecification, minPollingIntervalMs: 50, confirmMs: 100 }
  return createDrmaaScheduler(options, library, silentLogger)
}

/** slurm-drmaa has no option that holds a job: it waits for a reservation which is an hour away. */
async function openBlocked(): Promise<Scheduler> {
  if (slurm === undefined) return open('--hold')
  const reservation = [
    'reservationname=later',
    'starttime=now+1hour',
    'duration=60',
    'users=root',
    'nodes=ALL',
  ]
  await slurm.run('scontrol', 'create', ...reservation).catch(() => {})
  return open('--reservation=later')
}

describeScheduler(real === undefined ? "DRMAA with the tests' own library" : `DRMAA with ${real}`, {
  missing: drmaaMissing() ?? (real === undefined ? undefined : findSlurm().missing),
  open: () => open(),
  openBlocked,
  unknownId: '66000000',
  tells: false,
  endsOtherSessions: false,
  tellsExitCodes: false,
})
