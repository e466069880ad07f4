import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/** The directory of the package that runs; this file, compiled or in a bundle, is two levels below it. */
export function packageRoot(): string {
  return fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
}

/** The version of this package. */
export function version(): string {
  const require = createRequire(import.meta.url)
  return (require('../../package.json') as { version: string }).version
}
