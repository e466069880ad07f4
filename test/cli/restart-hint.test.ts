import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { restartHint } from '../../src/cli/config/restart-hint.js'
import { renderManifest } from '../../src/setup/manifest.js'
import { nodePaths } from '../../src/setup/paths.js'
import { tempDirectory } from '../helpers/temp-directory.js'

/** A prefix of which setup remembers these answers. */
async function makePrefix(manifest: string | undefined): Promise<string> {
  const paths = nodePaths(await tempDirectory(), undefined)
  await mkdir(paths.lib)
  if (manifest !== undefined) await writeFile(paths.manifest, manifest)
  return paths.etc
}

const manifest = (answers: Readonly<Record<string, unknown>>): string =>
  renderManifest({ version: 1, answers, files: {}, madeUser: false })

it('names the command of the service that setup made', async () => {
  expect(await restartHint(await makePrefix(manifest({ service: 'systemd' })))).toMatch(
    /restarted: systemctl restart pulsar(\.service)?$/,
  )
  expect(await restartHint(await makePrefix(manifest({ service: 'systemd', instance: 'b' })))).toMatch(
    /restarted: systemctl restart pulsar-b(\.service)?$/,
  )
})

it.each([
  ['there is no manifest', undefined],
  ['it is damaged', '{'],
  ['there is no service', manifest({ service: 'none' })],
])('names none when %s', async (_what, text) => {
  const etc = await makePrefix(text)
  expect(await restartHint(etc)).toBe('The server takes it up when it is restarted.')
  expect(await restartHint(join(etc, 'elsewhere'))).toBe('The server takes it up when it is restarted.')
})
