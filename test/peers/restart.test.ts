import { describe, it } from 'vitest'
import { expectNothingLost } from '../helpers/kill-restart.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { findSlurm } from './find-slurm.js'
import { startMagnetar } from './magnetar-server.js'
import { startPrivateSlurm } from './private-slurm.js'

describe('magnetar serve on Slurm', needs(findSlurm().missing), () => {
  it('loses no job and runs none twice when it is killed with jobs running and waiting', async () => {
    const directory = await tempDirectory()
    const cluster = await startPrivateSlurm(await tempDirectory())
    try {
      const app = { managers: { _default_: { type: 'slurm' } } }
      await expectNothingLost(() => startMagnetar({ directory, app, env: cluster.env }), directory, 12)
    } finally {
      await cluster.stop()
    }
  })
})
