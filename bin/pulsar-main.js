#!/usr/bin/env node
import { pulsarMain } from '../dist/bundle/classic.js'

process.exit(await pulsarMain(process.argv.slice(2)))
