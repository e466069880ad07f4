/**
 * Puts the compiled files of one directory into few: Node needs most of a millisecond to load a file, and the server is some
 * two hundred of them. docs/decisions/0006 has the figures. The bundles stand one level below the files they are made from, as
 * those do, so that paths relative to a file (../../templates) hold for both.
 *
 *     node bin/bundle.js dist
 */
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const directory = resolve(process.argv[2] ?? 'dist')
const bundle = await rolldown({
  input: {
    main: join(directory, 'cli', 'main.js'),
    classic: join(directory, 'cli', 'classic.js'),
    try: join(directory, 'cli', 'try.js'),
    'pulsar-config': join(directory, 'cli', 'pulsar-config.js'),
    worker: join(directory, 'jobs', 'disk', 'worker.js'),
    'planner-worker': join(directory, 'jobs', 'disk', 'planner-worker.js'),
    'staging-worker': join(directory, 'staging', 'http', 'staging-worker.js'),
    'copy-worker': join(directory, 'staging', 'copy', 'copy-worker.js'),
    'library-process': join(directory, 'schedulers', 'drmaa', 'library-process.js'),
  },
  platform: 'node',
  // What only a terminal needs.
  external: ['pino-pretty'],
  plugins: [
    {
      name: 'native code stays where it is',
      resolveId(id, importer) {
        if (id === './binding' && importer?.includes('classic-level'))
          return { id: 'classic-level/binding.js', external: true }
      },
    },
  ],
})
await bundle.write({
  dir: join(directory, 'bundle'),
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
})
await bundle.close()
