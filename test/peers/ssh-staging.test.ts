import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { StagingAction } from '../../src/staging/action.js'
import { remoteRsyncTransfer } from '../../src/staging/actions/remote-rsync-transfer.js'
import { remoteScpTransfer } from '../../src/staging/actions/remote-scp-transfer.js'
import { describeStagingAction, type OtherEnd } from '../conformance/staging-action.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { missingSshd, type PrivateSshd, startPrivateSshd } from './private-sshd.js'

const missing = await missingSshd()
let sshd: PrivateSshd | undefined

beforeAll(async () => {
  if (missing === undefined) sshd = await startPrivateSshd(join(await tempDirectory(), 'sshd'))
})
afterAll(() => sshd?.stop())

function theSshd(): PrivateSshd {
  if (!sshd) throw new Error('no private sshd')
  return sshd
}

async function galaxyHost(action: StagingAction): Promise<OtherEnd> {
  const root = await tempDirectory()
  const at = (name: string) => join(root, 'files', name)
  const spec = (name: string) => ({ action_type: action.type, path: at(name), ...theSshd().ssh })
  return {
    offer: async (name, content) => {
      await mkdir(join(root, 'files'), { recursive: true })
      await writeFile(at(name), content)
      return spec(name)
    },
    offerNothing: async (name) => spec(name),
    expect: async (name) => spec(name),
    delivered: (name) => readFile(at(name)).catch(() => undefined),
  }
}

for (const action of [remoteRsyncTransfer, remoteScpTransfer])
  describeStagingAction({ action, missing, open: () => galaxyHost(action) })
