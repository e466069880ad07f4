/* Preloaded into a server (--import): writes how late its event loop was, each second, to MAGNETAR_LOOP_FILE. */
import { renameSync, writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

const file = process.env.MAGNETAR_LOOP_FILE
if (isMainThread && file && process.argv.includes('serve')) {
  const resolutionMs = 10
  const delays = monitorEventLoopDelay({ resolution: resolutionMs })
  delays.enable()
  // It measures the time between two beats, the beat itself included.
  const lateMs = (nanoseconds) => Math.max(0, Math.round(nanoseconds / 1e6 - resolutionMs))
  setInterval(() => {
    const figures = {
      p50: lateMs(delays.percentile(50)),
      p99: lateMs(delays.percentile(99)),
      max: lateMs(delays.max),
    }
    writeFileSync(`${file}.new`, JSON.stringify(figures))
    renameSync(`${file}.new`, file)
  }, 1000).unref()
}
