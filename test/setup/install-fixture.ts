import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { applyPlan } from '../../src/setup/apply/apply.js'
import { nodePaths } from '../../src/setup/paths.js'
import type { InstallContext, RuntimeWish } from '../../src/setup/release/install.js'
import { inspectRelease, planRelease } from '../../src/setup/release/plan-release.js'
import { chooseRuntime } from '../../src/setup/runtime/choose.js'
import { readRuntimes } from '../../src/setup/runtime/installed.js'
import { planRuntime } from '../../src/setup/steps/runtime.js'
import type { Change, NodePaths } from '../../src/setup/types.js'

/** Writes files, given by their path below `root`; a text that begins with #! is executable. */
export function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    if (text.startsWith('#!')) chmodSync(file, 0o755)
  }
}

/**
 * A compiled Magnetar in miniature: its commands print the version, where they run, and their arguments; it loads one package, which
 * needs another.
 */
export function writePackage(
  root: string,
  version = '1.0.0',
  more: Readonly<Record<string, string>> = {},
): void {
  const command = (name: string): string => `#!/usr/bin/env node
import { run } from '../dist/bundle/main.js'
await run('${name}')
`
  const names = ['magnetar', 'pulsar', 'pulsar-main', 'pulsar-serve', 'pulsar-config']
  const bin = Object.fromEntries(names.map((name) => [name, `bin/${name}.js`]))
  writeFiles(root, {
    'package.json': JSON.stringify({
      name: 'magnetar',
      version,
      type: 'module',
      bin,
      dependencies: { needed: '^1.0.0', unused: '^1.0.0' },
      devDependencies: { compiler: '^1.0.0' },
    }),
    'CHANGELOG.md': '# Changes\n',
    ...Object.fromEntries(names.map((name) => [`bin/${name}.js`, command(name)])),
    'bin/try.js': 'only in a checkout\n',
    'dist/bundle/main.js': `import { createRequire } from 'node:module'
import { answer } from './chunk-new.js'
export async function run(name) {
  const { later } = await import('./later.js')
  const needed = createRequire(import.meta.url)("needed")
  console.log(JSON.stringify({ name, version: '${version}', answer, later, needed, args: process.argv.slice(2),
    prefix: process.env.MAGNETAR_PREFIX, node: process.execPath, file: import.meta.url }))
}
`,
    'dist/bundle/chunk-new.js': `export const answer = 42\nconst worker = new URL('./worker.js', import.meta.url)\n`,
    'dist/bundle/later.js': `export const later = 'loaded later'\n`,
    'dist/bundle/worker.js': '// started by name\n',
    'dist/bundle/chunk-old.js': '// of an earlier build\n',
    'dist/cli/main.js': '// not bundled\n',
    'templates/job.sh': 'exit 0\n',
    'docs/README.md': '# Pages\n',
    'docs/decisions/0001.md': '# Why\n',
    'src/main.ts': '// source\n',
    'node_modules/needed/package.json': '{"name":"needed","version":"1.0.0","dependencies":{"deeper":"*"}}',
    'node_modules/needed/index.js': `module.exports = 'needed with ' + require('deeper')\n`,
    'node_modules/deeper/package.json': '{"name":"deeper","version":"1.0.0"}',
    'node_modules/deeper/index.js': `module.exports = 'deeper'\n`,
    'node_modules/unused/package.json': '{"name":"unused","version":"1.0.0"}',
    'node_modules/compiler/package.json': '{"name":"compiler","version":"1.0.0"}',
    ...more,
  })
  cpSync(join('templates', 'bin'), join(root, 'templates', 'bin'), { recursive: true })
}

/** The context of an installation in `prefix` of the package at `root`, on the Node that runs the tests unless said otherwise. */
export function contextFor(prefix: string, root: string, runtime: Partial<RuntimeWish> = {}): InstallContext {
  const paths = nodePaths(prefix, undefined)
  for (const directory of [paths.bin, paths.releases, paths.runtimes])
    mkdirSync(directory, { recursive: true })
  return {
    paths,
    owner: undefined,
    runtime: { node: process.execPath, tarball: undefined, keep: true, ...runtime },
    source: { root, version: 'unused' },
    node: { path: process.execPath, version: process.versions.node },
    signal: AbortSignal.timeout(60_000),
  }
}

/** A runtime that is the tests' own Node, by a link: copying a hundred megabytes is for the tests of just that. */
export function writeRuntime(paths: NodePaths, name: string, integrity = `sha512-${name}`): void {
  const directory = join(paths.runtimes, name)
  mkdirSync(join(directory, 'bin'), { recursive: true })
  symlinkSync(process.execPath, join(directory, 'bin', 'node'))
  writeFileSync(
    join(directory, 'runtime.json'),
    JSON.stringify({ version: process.versions.node, integrity }),
  )
}

/** Installs a package with everything that belongs to it but the launchers, as a setup would. */
export async function install(context: InstallContext): Promise<Change[]> {
  const choice = await chooseRuntime(context)
  const { changes } = planRuntime(context, choice)
  const runtimes = (await readRuntimes(context.paths)).map(({ name }) => name)
  const release = planRelease(context, await inspectRelease(context, runtimes), choice.name)
  const all = [...changes, ...release.install, ...release.select, ...release.prune]
  await applyChanges(context.paths.prefix, all)
  return all
}

/** Applies changes as setup does, but for the manifest. */
export async function applyChanges(
  prefix: string,
  changes: readonly Change[],
  signal = AbortSignal.timeout(60_000),
): Promise<void> {
  const manifest = { version: 1, answers: {}, files: {}, madeUser: false } as const
  const { interrupted } = await applyPlan(
    { changes, conflicts: [], notes: [], manifest },
    { prefix, manifestFile: undefined, keep: false, signal },
  )
  if (interrupted) throw signal.reason
}
