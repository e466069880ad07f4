#!/usr/bin/env node
import { pulsarConfig } from '../dist/bundle/pulsar-config.js'
import { runAndExit } from './run-and-exit.js'

await runAndExit(() => pulsarConfig(process.argv.slice(2)))
