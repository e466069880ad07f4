import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { whyUnusable } from '../../../src/schedulers/drmaa/unusable.js'
import { whyNotLoaded } from '../../../src/schedulers/drmaa/why-not-loaded.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

/** What the linker says of a file for another machine. */
const SAID = 'Failed to load shared library: cannot open shared object file: No such file or directory'

afterEach(() => vi.unstubAllEnvs())

/** The header of a little-endian shared object for this machine, with another machine or type in it. */
function elf(change: (header: Buffer) => void): Buffer {
  const header = Buffer.alloc(64)
  header.write('\x7fELF\x02\x01\x01', 'latin1')
  header.writeUInt16LE(3, 16)
  header.writeUInt16LE(arch() === 'arm64' ? 183 : 62, 18)
  change(header)
  return header
}

describe('why a DRMAA library was not loaded', () => {
  it.each([
    { what: 'a text file', content: 'not a library, just text', why: /exists, but is no shared library/ },
    { what: 'empty', content: '', why: /exists, but is empty/ },
    {
      what: 'for another machine',
      content: elf((header) => header.writeUInt16LE(arch() === 'arm64' ? 62 : 183, 18)),
      why: /exists, but is a library for (aarch64|x86_64), and this machine is \w+/,
    },
    { what: 'a program', content: elf((header) => header.writeUInt16LE(2, 16)), why: /no shared library$/ },
    // Of a library without a fault of its own the linker's words count: what it needs may be missing.
    { what: 'in order', content: elf(() => {}), why: /^cannot open shared object file: No such file/ },
  ])('is said of a file that is $what', async ({ content, why }) => {
    const file = join(await tempDirectory(), 'libdrmaa.so')
    writeFileSync(file, content)
    expect(whyNotLoaded(file, SAID)).toMatch(why)
  })

  it('is said of what is not there, may not be read, or is a link to nothing', async () => {
    const directory = await tempDirectory()
    expect(whyNotLoaded(join(directory, 'a.so'), SAID)).toBe('there is no such file')
    symlinkSync('nothing.so', join(directory, 'link.so'))
    expect(whyNotLoaded(join(directory, 'link.so'), SAID)).toContain('a link to nothing.so')
    expect(whyNotLoaded(directory, SAID)).toBe('it is no file')
    writeFileSync(join(directory, 'closed.so'), '')
    chmodSync(join(directory, 'closed.so'), 0)
    if (process.getuid?.() !== 0)
      expect(whyNotLoaded(join(directory, 'closed.so'), SAID)).toContain('may not read it')
  })

  it('is said of the one that the system finds by its name, with its path', async () => {
    const directory = await tempDirectory()
    vi.stubEnv('LD_LIBRARY_PATH', directory)
    writeFileSync(join(directory, 'libdrmaa.so'), 'text, and no library')
    const reason = whyNotLoaded('libdrmaa.so', SAID)
    expect(reason).toMatch(new RegExp(`^${directory}/libdrmaa.so: it exists, but is no shared library`))
    expect(whyUnusable([['libdrmaa.so', reason]])).toContain(reason)
    expect(whyUnusable([['libdrmaa.so', 'cannot open']])).toContain(
      'there is no libdrmaa.so that can be used',
    )
  })
})
