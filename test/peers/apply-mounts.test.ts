import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { quoteForShell } from '../../src/lib/shell.js'
import { needs } from '../helpers/needs.js'
import { type CommandResult, runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { bundleProgram } from '../setup/bundle-program.js'
import { missingForPrivateRoot } from './private-root.js'

let program = ''

beforeAll(async () => {
  program = await bundleProgram('test/setup/removing-run.ts')
}, 60_000)

/** Runs shell lines where mounts are nobody else's; `remove PREFIX PATH…` in them is the program. */
function inOwnMounts(script: string, ...args: string[]): Promise<CommandResult> {
  const remove = `remove() { ${quoteForShell(process.execPath)} ${quoteForShell(program)} "$@"; }`
  const show = `show() { (cd "$1" && find . -printf '%p %y %m %U:%G %l\\n' | sort); }`
  const lines = ['set -e', remove, show, script].join('\n')
  return runCommand('unshare', ['-m', '--propagation', 'private', 'sh', '-c', lines, 'sh', ...args])
}

describe('removing', needs(missingForPrivateRoot()), () => {
  it('does not reach into what is mounted there', async () => {
    const prefix = await tempDirectory()
    await mkdir(join(prefix, 'var', 'jobs'), { recursive: true })
    const { output, exitCode } = await inOwnMounts(
      `mount -t tmpfs tmpfs "$1/var/jobs"
      echo data > "$1/var/jobs/result"
      remove "$1" var
      cat "$1/var/jobs/result"`,
      prefix,
    )
    expect(output).toContain(`SETUP_CONFLICT: could not remove ${prefix}/var: a file system is mounted there`)
    expect(output).toContain(`umount ${prefix}/var/jobs`)
    expect(output).toMatch(/\ndata\n$/)
    expect(exitCode).toBe(0)
  })

  it('takes away what is in the image of a container, and puts it back', async () => {
    const directory = await tempDirectory()
    const release = join(directory, 'image', 'node', 'releases', '0.9')
    await mkdir(join(release, 'dist', 'deep'), { recursive: true, mode: 0o750 })
    await mkdir(join(release, 'empty'))
    await writeFile(join(release, 'dist', 'deep', 'main.js'), 'code', { mode: 0o755 })
    await symlink('../nowhere', join(release, 'link'))
    for (const name of ['upper', 'work', 'root']) await mkdir(join(directory, name))
    const { output, exitCode } = await inOwnMounts(
      `cd "$1"
      mount -t tmpfs tmpfs upper
      mkdir upper/upper upper/work
      mount -t overlay -o lowerdir=image,upperdir=upper/upper,workdir=upper/work overlay root
      echo added > root/node/releases/0.9/dist/added
      show root/node > upper/before
      remove "$1/root/node" releases/0.9 fail
      show root/node > upper/after
      diff upper/before upper/after && echo "as before"
      remove "$1/root/node" releases/0.9
      show root/node`,
      directory,
    )
    expect(output).toContain('Everything is as it was before.')
    expect(output).toContain('as before\ndone\n')
    expect(output).toMatch(/done\n\. d \d+ \d+:\d+ \n\.\/releases d \d+ \d+:\d+ \n$/)
    expect(exitCode).toBe(0)
  })
})
