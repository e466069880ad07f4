import { chmod } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { rolldown } from 'rolldown'
import { tempDirectory } from '../helpers/temp-directory.js'

/** Makes one JavaScript file of a TypeScript program and all it imports, for a process of its own; any user may run it. */
export async function bundleProgram(source: string): Promise<string> {
  const directory = await tempDirectory()
  await chmod(directory, 0o755)
  const file = join(directory, `${basename(source, '.ts')}.mjs`)
  const bundle = await rolldown({ input: source, platform: 'node', logLevel: 'silent' })
  await bundle.write({ file, format: 'esm' })
  await bundle.close()
  return file
}
