#!/usr/bin/env node
import { pulsar } from '../dist/bundle/classic.js'

process.exit(await pulsar(process.argv.slice(2)))
