#!/usr/bin/env node
import { pulsarServe } from '../dist/bundle/classic.js'
import { runAndExit } from './run-and-exit.js'

await runAndExit(() => pulsarServe(process.argv.slice(2)))
