import path from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { runConda } from '../../../src/dependencies/conda/run-conda.js'
import type { CondaSettings } from '../../../src/dependencies/conda/settings.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

it('conda has a home where TMPDIR names no directory', async () => {
  const directory = await tempDirectory()
  vi.stubEnv('TMPDIR', path.join(directory, 'gone'))
  onTestFinished(() => void vi.unstubAllEnvs())
  const settings = { condarc: path.join(directory, 'condarc'), prefix: directory, env: {} }
  const { stdout } = await runConda(settings as unknown as CondaSettings, {
    exec: '/bin/pwd',
    args: [],
    timeoutMs: 20_000,
    signal: AbortSignal.timeout(20_000),
  })
  expect(stdout).toContain('conda_exec_home_')
})
