import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'

const directories = new Set<string>()

// Registered when a test file imports this one, so before all of its own hooks: it runs after them.
afterAll(async () => {
  await Promise.all([...directories].map(removeDirectory))
})

/**
 * Makes an empty directory, removed when the test that asked for it has finished, or, asked for in beforeAll, when its file
 * has. Its path is short, as sockets below it need (108 bytes).
 */
export async function tempDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mt-'))
  directories.add(directory)
  try {
    onTestFinished(() => removeDirectory(directory))
  } catch {
    // Not within a test: the hook above removes it.
  }
  return directory
}

async function removeDirectory(directory: string): Promise<void> {
  directories.delete(directory)
  // A process that was just stopped may still be writing its last file.
  await rm(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
}
