import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    pool: 'forks',
    include: ['test/chaos/**/*.run.ts'],
    root: '.',
    // As in the tests: whoever runs this may be root in a container.
    env: { PULSAR_CONFIG_ALLOW_ROOT: 'true' },
  },
})
