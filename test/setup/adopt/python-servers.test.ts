import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findPythonServers } from '../../../src/setup/adopt/python-servers.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { writeFiles } from '../install-fixture.js'

/** Something that looks like the Python launcher, and says that it runs. */
async function launch(directory: string, ...before: readonly string[]): Promise<ChildProcess> {
  const [program = '', ...args] = [...before, 'sh', join(directory, 'pulsar'), '-c', directory]
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout as NodeJS.EventEmitter, 'data')
  return child
}

async function site(): Promise<string> {
  const directory = await tempDirectory()
  // It ends with its standard input.
  writeFiles(directory, { pulsar: 'echo runs; read -r line\n' })
  return directory
}

const UNSHARE = ['unshare', ...(process.getuid?.() === 0 ? [] : ['-r']), '--mount']
const mayUnshare = spawnSync(UNSHARE[0] ?? '', [...UNSHARE.slice(1), 'true']).status === 0
/** Another directory of the same path, with the same program in it. */
const OTHER = 'd=${2%/*}; p=$(cat "$2"); mount -t tmpfs tmpfs "$d"; echo "$p" > "$2"; exec "$@"'

describe('the servers of a Python Pulsar', () => {
  it('are those of its configuration and its user', async () => {
    const directory = await site()
    const { pid } = await launch(directory)
    const uid = process.getuid?.() ?? 0
    const find = (place: object) => findPythonServers({ configDirectories: [directory], ...place })
    expect(await find({})).toMatchObject([{ pid }])
    expect(await find({ uid })).toMatchObject([{ pid }])
    expect(await find({ uid: uid + 1 })).toEqual([])
    expect(await findPythonServers({ configDirectories: [await site()] })).toEqual([])
  })

  it.skipIf(!mayUnshare)(
    'are not those of a container that has another directory of the same path',
    async () => {
      const directory = await site()
      await launch(directory, ...UNSHARE, 'sh', '-c', OTHER, 'sh')
      expect(await findPythonServers({ configDirectories: [directory] })).toEqual([])
    },
  )

  it.skipIf(!mayUnshare)(
    'are those of a unit with mounts of its own, PrivateTmp= of systemd for one',
    async () => {
      const directory = await site()
      const { pid } = await launch(directory, ...UNSHARE)
      expect(await findPythonServers({ configDirectories: [directory] })).toMatchObject([{ pid }])
    },
  )
})
