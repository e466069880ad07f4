import { open } from 'node:fs/promises'

const TAIL_BYTES = 64 * 1024
const RECENT_MS = 60_000

/**
 * The warnings and errors that the server wrote into its log file (`[uwsgi] logto`) within the last minute, as "error: message";
 * none when there is no such file. What it says before it can open that file goes to the service manager.
 */
export async function recentComplaints(file: string, now = Date.now()): Promise<string[]> {
  return (await readTail(file)).split('\n').flatMap((line) => {
    const entry = parseLine(line)
    return entry && entry.time >= now - RECENT_MS ? [entry.text] : []
  })
}

function parseLine(line: string): { time: number; text: string } | undefined {
  try {
    const { level, time, msg } = JSON.parse(line) as { level?: unknown; time?: unknown; msg?: unknown }
    if (level !== 'warn' && level !== 'error') return undefined
    return { time: Date.parse(String(time)), text: `${level}: ${String(msg)}` }
  } catch {
    return undefined
  }
}

async function readTail(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined)
  if (!file) return ''
  try {
    const { size } = await file.stat()
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length)
    return buffer.toString('utf8', 0, bytesRead)
  } catch {
    return ''
  } finally {
    await file.close()
  }
}
