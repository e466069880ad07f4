import path from 'node:path'
import type { MetricPluginConfig } from '../../config/types.js'
import { quoteForShell } from '../../lib/shell.js'
import { cgroupMetrics } from './cgroup.js'
import { coreMetrics } from './core.js'
import { cpuinfoMetrics, envMetrics, hostnameMetrics, meminfoMetrics, unameMetrics } from './host.js'
import type { MetricLines, MetricPlugin } from './metric-plugin.js'

const PLUGINS = {
  core: coreMetrics,
  hostname: hostnameMetrics,
  uname: unameMetrics,
  cpuinfo: cpuinfoMetrics,
  meminfo: meminfoMetrics,
  env: envMetrics,
  cgroup: cgroupMetrics,
} as const satisfies Record<MetricPluginConfig['type'], MetricPlugin>

/** The shell lines of all configured plugins, in the order of the metrics file. */
export function metricLines(plugins: readonly MetricPluginConfig[], metadataDirectory: string): MetricLines {
  const lines = plugins.map(({ type, options }) =>
    PLUGINS[type]({
      options,
      file: (name) => quoteForShell(path.join(metadataDirectory, `__instrument_${type}_${name}`)),
    }),
  )
  return { before: lines.flatMap((each) => each.before), after: lines.flatMap((each) => each.after) }
}
