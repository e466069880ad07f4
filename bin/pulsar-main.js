#!/usr/bin/env node
import { pulsarMain } from '../dist/bundle/classic.js'
import { runAndExit } from './run-and-exit.js'

await runAndExit(() => pulsarMain(process.argv.slice(2)))
