import type { MetricContext, MetricLines } from './metric-plugin.js'

/** Slots, memory and the seconds of start and end (galaxy/job_metrics/instrumenters/core.py); no process is started. */
export function coreMetrics({ file }: MetricContext): MetricLines {
  return {
    before: [
      `echo "$GALAXY_SLOTS" > ${file('galaxy_slots')}`,
      `echo "$GALAXY_MEMORY_MB" > ${file('galaxy_memory_mb')}`,
      `printf '%(%s)T\\n' -1 > ${file('epoch_start')}`,
    ],
    after: [`printf '%(%s)T\\n' -1 > ${file('epoch_end')}`],
  }
}
