#!/usr/bin/env node
import { pulsar } from '../dist/cli/classic.js'

process.exit(await pulsar(process.argv.slice(2)))
