import { chownSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { configuration } from '../../src/doctor/examinations/configuration.js'
import type { DoctorFacts } from '../../src/doctor/types.js'
import { readManifest } from '../../src/setup/manifest.js'
import { nodePaths } from '../../src/setup/paths.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const NOBODY = 65534

it(
  'root warns of a record that is not its own only where the rest is',
  needs(process.getuid?.() === 0 ? undefined : 'not root'),
  async () => {
    const paths = nodePaths(await tempDirectory(), undefined)
    for (const path of [paths.etc, paths.lib]) mkdirSync(path)
    for (const path of [paths.appYml, paths.manifest]) {
      writeFileSync(path, '{}')
      chownSync(path, NOBODY, NOBODY)
    }
    const manifestError = await readManifest(paths).catch((error: unknown) => error)
    const facts = { configDirectory: paths.etc, manifestError, account: { isRoot: true } } as DoctorFacts
    const states = async (): Promise<string[]> =>
      (await configuration.examine(facts, new AbortController().signal)).map(({ state }) => state)
    expect(await states()).toEqual(['left-out'])
    // As when the user of a node of root's put it there.
    chownSync(join(paths.etc, 'app.yml'), 0, 0)
    expect(await states()).toEqual(['warn'])
  },
)
