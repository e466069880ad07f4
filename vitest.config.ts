import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/helpers/longest-first.js'

export default defineConfig({
  test: {
    pool: 'forks',
    // Half of the time they wait, for processes and clocks.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // CI and containers run the tests as root, which a server refuses to be.
    env: { PULSAR_CONFIG_ALLOW_ROOT: 'true' },
    projects: [
      {
        extends: true,
        test: {
          name: 'rooms',
          include: ['test/**/*.test.ts'],
          exclude: ['test/peers/**'],
          // For what hangs; a slow machine is none.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          // Real programs on a real machine, after the rest. They mostly wait, and each file has ports and directories of its own.
          name: 'peers',
          include: ['test/peers/**/*.test.ts'],
          globalSetup: 'test/peers/loaded-python.ts',
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
