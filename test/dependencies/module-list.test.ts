import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { modulesResolver } from '../../src/dependencies/modules/environment-modules.js'
import { createModuleList, parseAvail, parseTerseAvail } from '../../src/dependencies/modules/module-list.js'
import { createSharedWork } from '../../src/dependencies/shared-work.js'
import { silentLogger } from '../../src/lib/log.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const signal = new AbortController().signal

describe('what a module command lists', () => {
  it('is names and versions, without headings and marks', () => {
    const output =
      '\n---------- /usr/share/modules ----------\nbwa/0.7 zlib/1.2.8(default)  plain\n  deep/er/1.0\n'
    expect(parseAvail(output, '(default)')).toEqual([
      { name: 'bwa', version: '0.7' },
      { name: 'zlib', version: '1.2.8' },
      { name: 'plain', version: undefined },
      { name: 'deep/er', version: '1.0' },
      { name: 'deep', version: undefined },
    ])
  })

  it('is one line each of Lmod, without directories', () => {
    expect(parseTerseAvail('/mp a:\nzlib/\nzlib/1.2.8\nzlib/1.2.11(default)\nplain\n')).toEqual([
      { name: 'zlib', version: '1.2.8' },
      { name: 'zlib', version: '1.2.11' },
      { name: 'plain', version: undefined },
    ])
  })

  it('is asked for once by all that want to know now, and kept where it shall be', async () => {
    let asked = 0
    const ask = async () => {
      asked++
      return [{ name: 'zlib', version: String(asked) }]
    }
    const kept = createModuleList(ask, { keep: true })
    const versions = ['1', '1', '2', undefined]
    expect(await Promise.all(versions.map((version) => kept.has('zlib', version, signal)))).toEqual([
      true,
      true,
      false,
      true,
    ])
    expect(await kept.has('bwa', undefined, signal)).toBe(false)
    expect(asked).toBe(1)
    const fresh = createModuleList(ask, { keep: false })
    expect([await fresh.has('zlib', '2', signal), await fresh.has('zlib', '2', signal)]).toEqual([
      true,
      false,
    ])
  })
})

describe('a module command that lists nothing because it is broken', () => {
  const requirement = { name: 'bwa', type: 'package', version: '0.7', specs: [] }

  it.each([
    ['exits without a word', 'exit 1', /it ended with exit code 1$/],
    [
      'lacks a library',
      'echo "error while loading libtcl.so" >&2; exit 127',
      /127, saying: error while loading/,
    ],
    ['is killed', 'kill -9 $$', /it was ended by SIGKILL/],
  ])('fails what asks for a module, and is not run again for a while: %s', async (_, body, why) => {
    const directory = await tempDirectory()
    const command = join(directory, 'modulecmd')
    writeFileSync(command, `#!/bin/sh\necho run >> ${directory}/runs\n${body}\n`, { mode: 0o755 })
    const resolver = modulesResolver.create(
      { type: 'modules', options: { modulecmd: command, modulepath: directory } },
      { baseDirectory: directory, nodeOption: () => undefined, cwd: directory, env: process.env },
    )
    const request = {
      open: [requirement],
      description: { requirements: [requirement], installed: [] },
      jobDirectory: directory,
      log: silentLogger,
      signal,
    }
    await expect(resolver.resolve(request)).rejects.toThrow(why)
    await expect(resolver.resolve(request)).rejects.toThrow(why)
    expect(readFileSync(join(directory, 'runs'), 'utf8')).toBe('run\n')
  })
})

describe('shared work', () => {
  it('goes on while anybody waits, and ends with the last', async () => {
    const ended: unknown[] = []
    const shared = createSharedWork(
      (own) =>
        new Promise<never>((_resolve, reject) => {
          own.addEventListener('abort', () => {
            ended.push(own.reason)
            reject(own.reason)
          })
        }),
    )
    const [one, other] = [new AbortController(), new AbortController()]
    const waiting = [shared.get(one.signal), shared.get(other.signal)]
    one.abort(new Error('one'))
    await expect(waiting[0]).rejects.toThrow('one')
    expect(ended).toHaveLength(0)
    other.abort(new Error('other'))
    await expect(waiting[1]).rejects.toThrow('other')
    expect(ended).toHaveLength(1)
  })

  it('begins anew after a failure', async () => {
    let times = 0
    const shared = createSharedWork(async () => {
      times++
      if (times === 1) throw new Error('first')
      return times
    })
    await expect(shared.get(signal)).rejects.toThrow('first')
    expect(await shared.get(signal)).toBe(2)
  })
})
