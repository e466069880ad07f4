import { readdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const PATIENCE_MS = 10_000

/** All below the directories in which jobs leave anything, without emptied job directories that are kept for the next. */
export function jobFiles(directory: string): Set<string> {
  const found = ['staging', 'persisted_data'].flatMap((name) =>
    list(path.join(directory, name)).map((each) => path.join(name, each)),
  )
  return new Set(
    found.filter((name) => !/\/trash\/|magnetar-store|\/\d{6}\.|MANIFEST|CURRENT|LOG|LOCK/.test(name)),
  )
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
  } catch {
    // Something went away meanwhile: it is asked again.
    return ['?']
  }
}

/** What is there and was not, once the server has had time to remove it. */
export async function leftovers(directory: string, before: ReadonlySet<string>): Promise<string[]> {
  for (const deadline = performance.now() + PATIENCE_MS; ; ) {
    const left = [...jobFiles(directory)].filter((name) => !before.has(name))
    if (left.length === 0 || performance.now() > deadline) return left
    await delay(100)
  }
}
