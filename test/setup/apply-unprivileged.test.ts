import { chmod, lchown, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type CommandResult, runCommand } from '../../src/lib/exec.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { bundleProgram } from './bundle-program.js'
import { snapshot } from './tree-snapshot.js'
import { apply, isRoot, makeBefore, plan } from './varied-plan.js'

/** daemon, who every Linux has. */
const ID = 1

async function runAsDaemon(root: string): Promise<CommandResult> {
  const program = await bundleProgram('test/setup/killed-run.ts')
  const command = [process.execPath, program, root, 'event', '-1']
  const as = [`--reuid=${ID}`, `--regid=${ID}`, '--clear-groups']
  return runCommand('setpriv', [...as, '--', ...command], { timeoutMs: 60_000, cwd: '/' })
}

/** Somebody's own directory, with the machine and the node in it. */
async function makeTheirs(owner: number): Promise<string> {
  const root = await tempDirectory()
  await makeBefore(root)
  await chmod(root, 0o755)
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  for (const path of [root, ...entries.map((entry) => join(entry.parentPath, entry.name))])
    await lchown(path, owner, owner)
  return root
}

/** What is there, but for who owns it and for the manifest, which names them. */
function withoutOwners(root: string): Record<string, string> {
  const { './node/lib/setup.json': _, ...rest } = snapshot(root)
  return Object.fromEntries(Object.entries(rest).map(([path, what]) => [path, what.replace(/ \d+:\d+/, '')]))
}

describe(
  'without root',
  needs(isRoot ? undefined : 'not root: the other tests of plans run without it'),
  () => {
    it('a plan does all the same, and everything belongs to whoever ran it', async () => {
      const root = await makeTheirs(ID)
      expect(await runAsDaemon(root)).toMatchObject({ code: 0, stderr: '' })
      for (const [path, what] of Object.entries(snapshot(root))) expect(what, path).toMatch(/ 1:1( |$)/)
      const other = await tempDirectory()
      await makeBefore(other)
      await chmod(other, 0o755)
      await apply(other, await plan(other))
      expect(withoutOwners(root)).toEqual(withoutOwners(other))
    })

    it('a plan for what belongs to somebody else is refused, and nothing is changed', async () => {
      const root = await makeTheirs(0)
      const machine = join(root, 'machine')
      await lchown(machine, ID, ID)
      await chmod(join(root, 'node', 'etc'), 0o755)
      for (const file of ['node/etc/local_env.sh', 'machine/units/pulsar.service'])
        await chmod(join(root, file), 0o644)
      const before = snapshot(root)
      const result = await runAsDaemon(root)
      expect(result.code).toBe(1)
      expect(result.stderr).toContain("code: 'NOT_PERMITTED'")
      expect(result.stderr).toContain('only root can give it to them')
      expect(snapshot(root)).toEqual(before)
    })
  },
)
