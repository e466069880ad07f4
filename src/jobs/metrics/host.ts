import { quoteForShell } from '../../lib/shell.js'
import type { MetricContext, MetricLines } from './metric-plugin.js'

/** `hostname -f` (galaxy/job_metrics/instrumenters/hostname.py). */
export function hostnameMetrics({ file }: MetricContext): MetricLines {
  return { before: [`hostname -f > ${file('hostname')}`], after: [] }
}

/** `uname` with the configured arguments, `-a` by default (uname.py). */
export function unameMetrics({ file, options }: MetricContext): MetricLines {
  const args = (options.args ?? '-a').split(/\s+/).filter(Boolean).map(quoteForShell)
  return { before: [`uname ${args.join(' ')} > ${file('uname')}`], after: [] }
}

/** A copy of /proc/cpuinfo (cpuinfo.py). */
export function cpuinfoMetrics({ file }: MetricContext): MetricLines {
  return { before: [`cat /proc/cpuinfo > ${file('cpuinfo')}`], after: [] }
}

/** A copy of /proc/meminfo (meminfo.py). */
export function meminfoMetrics({ file }: MetricContext): MetricLines {
  return { before: [`cat /proc/meminfo > ${file('meminfo')}`], after: [] }
}

/** The job's environment (env.py); which variables are kept is Galaxy's choice when it reads the file. */
export function envMetrics({ file }: MetricContext): MetricLines {
  return { before: [`env > ${file('vars')}`], after: [] }
}
