#!/usr/bin/env node
import { pulsarServe } from '../dist/cli/classic.js'

process.exit(await pulsarServe(process.argv.slice(2)))
