import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { compileFaults, createFaultLayer, missingCompiler } from '../chaos/faults/faults.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

/* What is said of a server that meets a fault is worth as much as this. */

it(
  'a fault for a server does not reach what an earlier server has started, and begins only now',
  needs(missingCompiler()),
  async () => {
    const directory = await realpath(await tempDirectory())
    const root = path.join(directory, 'root')
    mkdirSync(root)
    const { library } = compileFaults(directory) as { library: string }
    const layer = createFaultLayer(library, directory, root)
    const make = (name: string, env: Readonly<Record<string, string>>) =>
      spawnSync('mkdir', [path.join(root, name)], { env: { ...process.env, ...env } }).signal
    layer.reset()
    const earlier = layer.env
    layer.reset()
    layer.arm({ operations: ['mkdir'], at: 1, effect: 'kill before' })
    expect(make('job', earlier)).toBeNull()
    expect(layer.met()).toBe(false)
    expect(make('server', layer.env)).toBe('SIGKILL')
    expect([existsSync(path.join(root, 'job')), existsSync(path.join(root, 'server'))]).toEqual([true, false])
    layer.close()
  },
)
