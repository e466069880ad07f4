import { readFile } from 'node:fs/promises'
import { arch, release, type } from 'node:os'

/** "Debian 12", for people; of a system without os-release its kernel. */
export async function probeOsName(signal: AbortSignal): Promise<string> {
  for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
    const text = await readFile(file, { encoding: 'utf8', signal }).catch(() => undefined)
    const name = text === undefined ? undefined : readOsName(text)
    if (name !== undefined) return name
  }
  return kernelName()
}

export function kernelName(): string {
  return `${type()} ${release()} ${arch()}`
}

/** NAME and VERSION_ID of an os-release file (man os-release): a list of shell assignments. */
export function readOsName(text: string): string | undefined {
  const name = value(text, 'NAME')?.replace(/ GNU\/Linux$/, '')
  const version = value(text, 'VERSION_ID')
  if (!name) return value(text, 'PRETTY_NAME')
  return version ? `${name} ${version}` : name
}

function value(text: string, key: string): string | undefined {
  const written = new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1]?.trim()
  return written?.replace(/^(["'])(.*)\1$/, '$2').replace(/\\(.)/g, '$1') || undefined
}
