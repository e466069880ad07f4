import { readdirSync, readFileSync } from 'node:fs'
import { join, posix, relative, resolve, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkSource, isKebabCase, machinePathIn } from './helpers/house.js'

/** Files below `directory` of the checkout with one of the extensions, relative to the checkout. */
function filesIn(directory: string, extensions: readonly string[]): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension)))
    .map((entry) => relative('.', join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
}

function read(path: string): string {
  return readFileSync(path, 'utf8')
}

const pages = ['README.md', 'CHANGELOG.md', ...filesIn('docs', ['.md'])]

describe('the house', () => {
  it('has only arrows, names and sizes that DESIGN.md allows', () => {
    const files = filesIn('src', ['.ts'])
    expect(files.length).toBeGreaterThan(0)
    expect(files.flatMap((path) => checkSource({ path, text: read(path) }))).toEqual([])
  })

  it('names every source, test and launcher in kebab-case', () => {
    const files = ['src', 'test', 'bin'].flatMap((directory) => filesIn(directory, ['.ts', '.js']))
    expect(files.filter((path) => !isKebabCase(path))).toEqual([])
  })

  it('mentions no path of one machine in what is shipped or read', () => {
    const shipped = [...filesIn('bin', ['']), ...filesIn('templates', ['']), ...pages, 'package.json']
    const checkout = resolve('.')
    // A checkout at the top of a file system (/app) has a path that may stand anywhere.
    const telling = checkout.split(sep).length > 2 ? checkout : undefined
    const lines = shipped.flatMap((path) =>
      read(path)
        .split('\n')
        .map((line) => ({ path, line })),
    )
    const bad = lines.filter(({ line }) => machinePathIn(line) || (telling && line.includes(telling)))
    expect(bad).toEqual([])
  })

  it('links only to pages and files that exist', () => {
    const broken = pages.flatMap((page) => {
      const links = [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)/g)].map(
        ([, target = '']) => target,
      )
      return links
        .filter((target) => !existsInCheckout(posix.join(posix.dirname(page), target)))
        .map((target) => ({ page, target }))
    })
    expect(broken).toEqual([])
  })
})

function existsInCheckout(path: string): boolean {
  try {
    readFileSync(path)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EISDIR'
  }
}

describe('the checker of the house', () => {
  it.each([
    ['src/http/jobs.ts', "import { x } from '../schedulers/local.js'"],
    ['src/http/jobs.ts', "import { x } from '../config/load.js'"],
    ['src/http/jobs.ts', "import { x } from '../config/types.js'"],
    ['src/http/jobs.ts', "const x = await import('../store/level-store.js')"],
    ['src/http/jobs.ts', "type X = import('../store/store.js').Store"],
    ['src/jobs/manager.ts', "import type { X } from '../http/server.js'"],
    ['src/jobs/metrics/core.ts', "import { x } from '../../config/load.js'"],
    ['src/schedulers/slurm/submit.ts', "import { x } from '../../store/store.js'"],
    ['src/store/level-store.ts', "export { x } from '../jobs/types.js'\nexport const y = 1"],
    ['src/lib/fs.ts', "import type { NodeConfig } from '../config/types.js'"],
    ['src/cli/serve.ts', "import { x } from '../http/server.js'"],
    ['src/setup/plan.ts', "import { x } from '../schedulers/slurm.js'"],
    ['src/node.ts', "import { x } from './cli/serve.js'"],
    ['src/check/run-checks.ts', "import { x } from '../setup/plan.js'"],
    ['src/jobs/manager.ts', "import { x } from '../check/follow-job.js'"],
    ['src/control/server.ts', "import { x } from '../store/level-store.js'"],
    ['src/jobs/manager.ts', "import { x } from '../control/server.js'"],
    ['src/http/jobs.ts', "import { x } from '../control/server.js'"],
    ['src/doctor/mend.ts', "import { x } from '../jobs/directory.js'"],
    ['src/doctor/mend.ts', "import { x } from '../schedulers/local.js'"],
    ['src/setup/plan.ts', "import { x } from '../doctor/gather.js'"],
    ['src/attic/old.ts', "import { x } from '../lib/fs.js'"],
  ])('refuses in %s: %s', (path, text) => {
    expect(checkSource({ path, text })).toHaveLength(1)
  })

  it.each([
    ['src/http/jobs.ts', "import { x } from '../jobs/manager.js'"],
    ['src/http/jobs.ts', "import type { NodeConfig } from '../config/types.js'"],
    ['src/http/jobs.ts', "import { type NodeConfig } from '../config/types.js'"],
    ['src/jobs/metrics/core.ts', "import { x } from '../transitions.js'"],
    ['src/schedulers/index.ts', "export { x } from './local.js'"],
    ['src/jobs/metrics/index.ts', "import { x } from './core.js'\nexport const all = [x]"],
    ['src/setup/plan.ts', "import { x } from '../schedulers/slurm/probe.js'"],
    ['src/doctor/gather.ts', "import { x } from '../schedulers/slurm/health-probe.js'"],
    ['src/doctor/gather.ts', "import { x } from '../setup/manifest.js'"],
    ['src/node.ts', "import { x } from './store/level-store.js'"],
    ['src/setup/verify/verify.ts', "import { x } from '../../check/follow-job.js'"],
    ['src/cli/serve.ts', "import { x } from '../node.js'\nconsole.log(x)\nprocess.exitCode = 1"],
    ['src/cli/jobs/act.ts', "import { x } from '../../control/client.js'"],
    ['src/node.ts', "import { x } from './control/server.js'"],
    ['src/lib/log.ts', "import pino from 'pino'"],
  ])('allows in %s: %s', (path, text) => {
    expect(checkSource({ path, text })).toEqual([])
  })

  it.each([
    ['a long file', 'src/lib/long.ts', 'const a = 1\n'.repeat(301)],
    ['a barrel', 'src/jobs/all.ts', "export { a } from './a.js'\nexport { b } from './b.js'\n"],
    ['a barrel in a folder of a room', 'src/jobs/metrics/index.ts', "export { a } from './a.js'\n"],
    ['an index of a room that is no set', 'src/jobs/index.ts', 'export const a = 1\n'],
    ['export *', 'src/jobs/a.ts', "export * from './b.js'\nexport const a = 1\n"],
    ['a default export', 'src/jobs/a.ts', 'export default 1\n'],
    ['a default function', 'src/jobs/a.ts', 'export default function a() {}\n'],
    ['an enum', 'src/jobs/a.ts', 'export enum A { B }\n'],
    ['printing', 'src/jobs/a.ts', "console.log('x')\n"],
    ['an exit', 'src/lib/a.ts', 'process.exit(1)\n'],
    [
      'a timeout that Node 20 forgets',
      'src/cli/a.ts',
      'const s = AbortSignal.any([a, AbortSignal.timeout(1)])\n',
    ],
    ['one that may get into a signal of several', 'src/lib/a.ts', 'f(AbortSignal.timeout(1))\n'],
    ['a silenced compiler', 'src/lib/a.ts', '// @ts-ignore\n'],
    ['camel case', 'src/lib/camelCase.ts', 'export const a = 1\n'],
    ['a home directory', 'src/lib/a.ts', "const a = '/home/somebody/x'\n"],
  ])('refuses %s', (_what, path, text) => {
    expect(checkSource({ path, text })).toHaveLength(1)
  })

  it('accepts the documented directories of a node', () => {
    const text = "const a = '/home/pulsar'\nconst b = '/srv/pulsar/etc'\nconst c = 'x/home/somebody'\n"
    expect(checkSource({ path: 'src/lib/a.ts', text })).toEqual([])
  })
})
