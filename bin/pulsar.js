#!/usr/bin/env node
import { pulsar } from '../dist/bundle/classic.js'
import { runAndExit } from './run-and-exit.js'

await runAndExit(() => pulsar(process.argv.slice(2)))
