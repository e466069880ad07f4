#!/usr/bin/env node
import { pulsarServe } from '../dist/bundle/classic.js'

process.exit(await pulsarServe(process.argv.slice(2)))
