#!/usr/bin/env node
import { pulsarConfig } from '../dist/bundle/pulsar-config.js'

process.exit(await pulsarConfig(process.argv.slice(2)))
