/** Shell lines that leave what Galaxy reads as `__instrument_<plugin>_<name>` in the job's metadata directory. */
export interface MetricLines {
  readonly before: readonly string[]
  readonly after: readonly string[]
}

/** What a plugin is given: how to name a file, and its attributes from the metrics file. */
export interface MetricContext {
  /** Shell-quoted path of the plugin's file called `name`. */
  file(name: string): string
  readonly options: Readonly<Record<string, string>>
}

/** One job metrics plugin (galaxy.job_metrics.instrumenters). Pure. */
export type MetricPlugin = (context: MetricContext) => MetricLines
