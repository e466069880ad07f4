import { chmod, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { findSlurm } from '../../../src/schedulers/slurm/probe.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

afterEach(() => {
  vi.unstubAllEnvs()
})

it('says of a controller that is frozen that it did not answer in time', async () => {
  const directory = await tempDirectory()
  for (const name of ['sinfo', 'scontrol', 'sbatch']) {
    const program = join(directory, name)
    await writeFile(program, '#!/bin/sh\nexec sleep 60\n')
    await chmod(program, 0o755)
  }
  vi.stubEnv('PATH', `${directory}${delimiter}${process.env.PATH}`)
  expect(await findSlurm(new AbortController().signal, 500)).toEqual({
    found: false,
    why: 'scontrol ping did not answer within 0.5 s',
  })
})
