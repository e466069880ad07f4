import type { StagingAction } from '../../../src/staging/action.js'
import { remoteTransfer } from '../../../src/staging/actions/remote-transfer.js'
import { remoteTransferTus } from '../../../src/staging/actions/remote-transfer-tus.js'
import { describeStagingAction, type OtherEnd } from '../../conformance/staging-action.js'
import { openHttpEnd } from '../http-fixture.js'

/** Galaxy, reached over HTTP. */
async function galaxy(action: StagingAction): Promise<OtherEnd> {
  const { server, http } = await openHttpEnd()
  const spec = (name: string, fileType: string) => ({
    action_type: action.type,
    path: `/galaxy/${name}`,
    url: server.fileUrl(`/galaxy/${name}`, fileType),
  })
  return {
    http,
    offer: async (name, content) => {
      server.serve(`/galaxy/${name}`, content)
      return spec(name, 'input')
    },
    offerNothing: async (name) => spec(name, 'input'),
    expect: async (name) => spec(name, 'output'),
    delivered: async (name) => server.uploads.get(`/galaxy/${name}`)?.content,
  }
}

for (const action of [remoteTransfer, remoteTransferTus])
  describeStagingAction({ action, open: () => galaxy(action) })
