import { quoteForShell } from '../../lib/shell.js'
import type { MetricContext, MetricLines } from './metric-plugin.js'

/** Shell function: appends each file named as `__name__` and its content, the form cgroup.py reads. */
const RECORD =
  '_magnetar_record() { local f; for f in "$@"; do [ -f "$f" ] && { echo "__${f##*/}__"; cat "$f" 2>/dev/null; }; done; }'

/**
 * CPU and memory use of the job's control group (galaxy/job_metrics/instrumenters/cgroup.py). Version 1 and 2 are told
 * apart on the machine where the job runs, unless the option `version` names one.
 */
export function cgroupMetrics({ file, options }: MetricContext): MetricLines {
  const mount = quoteForShell(options.cgroup_mount ?? '/sys/fs/cgroup')
  const version = options.version ?? 'auto'
  const out = file('_metrics')
  const after = [RECORD]
  if (version !== '2') {
    after.push(
      [
        `if [ -d ${mount} ] && [ ! -f ${mount}/cgroup.controllers ]; then`,
        '_magnetar_cpu=; _magnetar_memory=;',
        'while IFS=: read -r _ _magnetar_name _magnetar_path; do case "$_magnetar_name" in',
        'cpuacct,cpu|cpu,cpuacct) _magnetar_cpu="$_magnetar_path" ;; memory) _magnetar_memory="$_magnetar_path" ;;',
        'esac; done < /proc/$$/cgroup;',
        `[ -e ${mount}/cpu"$_magnetar_cpu"/cpuacct.usage ] || _magnetar_cpu=;`,
        `[ -e ${mount}/memory"$_magnetar_memory"/memory.max_usage_in_bytes ] || _magnetar_memory=;`,
        `_magnetar_record ${mount}/cpu,cpuacct"$_magnetar_cpu"/cpu.* ${mount}/cpu,cpuacct"$_magnetar_cpu"/cpuacct.*`,
        `${mount}/cpuacct,cpu"$_magnetar_cpu"/cpu.* ${mount}/cpuacct,cpu"$_magnetar_cpu"/cpuacct.*`,
        `${mount}/memory"$_magnetar_memory"/memory.* >> ${out};`,
        'fi',
      ].join(' '),
    )
  }
  if (version !== '1') {
    after.push(
      [
        `if [ -f ${mount}/cgroup.controllers ]; then`,
        '_magnetar_group=; while IFS=: read -r _magnetar_name _ _magnetar_path; do',
        '[ "$_magnetar_name" != 0 ] || _magnetar_group="$_magnetar_path"; done < /proc/$$/cgroup;',
        `_magnetar_record ${mount}/"$_magnetar_group"/cpu.* ${mount}/"$_magnetar_group"/memory.* >> ${out};`,
        'fi',
      ].join(' '),
    )
  }
  return { before: [], after }
}
