/** Why the dynamic linker did not take a library: of a file for another machine it says that there is no such file. */
import { closeSync, existsSync, lstatSync, openSync, readlinkSync, readSync, statSync } from 'node:fs'
import { arch, endianness } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from '../../lib/errors.js'

/** e_machine of an ELF file, by Node's names (elf.h). */
const MACHINES: Readonly<Record<number, string>> = {
  3: 'ia32',
  8: 'mips',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
}
/** As admins know them. */
const NAMES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i386 (32 bit)' }
const HEADER_BYTES = 20
const SHARED_OBJECT = 3

/** What the linker's answer is worth: it is told where nothing is wrong with the file itself. */
export function whyNotLoaded(path: string, said: string): string {
  const words = said.replace(/^Failed to load shared library: /, '')
  if (path.includes('/')) return problemOf(path) ?? words
  // Looked for by the linker, which passes over what is not for this machine.
  const found = searched()
    .map((directory) => join(directory, path))
    .find((file) => existsSync(file))
  const problem = found === undefined ? undefined : problemOf(found)
  return problem === undefined ? words : `${found}: ${problem}`
}

/** What is wrong with a library's file; undefined: nothing that can be seen. */
function problemOf(file: string): string | undefined {
  let header: Buffer
  try {
    if (!statSync(file).isFile()) return 'it is no file'
    header = readHeader(file)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EACCES') return 'it exists, but the user of the server may not read it'
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') return undefined
    return isLink(file)
      ? `it is a link to ${readlinkSync(file)}, and that is not there`
      : 'there is no such file'
  }
  if (header.length === 0) return 'it exists, but is empty'
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, 4) !== '\x7fELF')
    return 'it exists, but is no shared library (no ELF file)'
  const isLittle = header[5] === 1
  const read = (at: number): number => (isLittle ? header.readUInt16LE(at) : header.readUInt16BE(at))
  const machine = MACHINES[read(18)] ?? `machine ${read(18)}`
  const isOther = machine !== arch() || isLittle !== (endianness() === 'LE')
  if (isOther)
    return `it exists, but is a library for ${nameOf(machine)}, and this machine is ${nameOf(arch())}`
  return read(16) === SHARED_OBJECT
    ? undefined
    : 'it exists, but is a program or an object file, no shared library'
}

function readHeader(file: string): Buffer {
  const fd = openSync(file, 'r')
  try {
    const header = Buffer.alloc(HEADER_BYTES)
    return header.subarray(0, readSync(fd, header))
  } finally {
    closeSync(fd)
  }
}

function isLink(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}

/** Where the linker mostly looks; ld.so.conf may name more. */
function searched(): string[] {
  const own = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter((directory) => directory !== '')
  const triplet = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[arch() as string]
  const system = ['/lib64', '/usr/lib64', '/lib', '/usr/lib', '/usr/local/lib64', '/usr/local/lib']
  return [...own, ...(triplet === undefined ? [] : [`/usr/lib/${triplet}`]), ...system]
}

function nameOf(machine: string): string {
  return NAMES[machine] ?? machine
}
