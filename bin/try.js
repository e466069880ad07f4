#!/usr/bin/env node
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureBuilt } from './bootstrap.js'
import { runAndExit } from './run-and-exit.js'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
try {
  await ensureBuilt({ dev: false })
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
const { tryOut } = await import('../dist/bundle/try.js')
await runAndExit(() => tryOut(process.argv.slice(2), root))
