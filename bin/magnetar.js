#!/usr/bin/env node
import { main } from '../dist/bundle/main.js'
import { runAndExit } from './run-and-exit.js'

await runAndExit(() => main(process.argv.slice(2)))
