/**
 * Runs a program's main function and ends the process with its exit code, after all that it wrote has gone out: a pipe takes only
 * so much at once, and process.exit throws the rest away.
 *
 * A reader that has left (`| head`) is no error and does not stop the work. Output that could not be written (a full disk) turns
 * exit code 0 into 1.
 *
 * @param {() => Promise<number>} main resolves with the exit code
 * @returns {Promise<never>}
 */
export async function runAndExit(main) {
  const streams = [process.stdout, process.stderr]
  let lost
  for (const stream of streams) {
    stream.on('error', (error) => {
      if (error.code !== 'EPIPE') lost ??= error
    })
  }
  const exitCode = await main()
  await Promise.all(streams.map(written))
  // The error of a write to a file is told a moment later.
  await new Promise((resolve) => setImmediate(resolve))
  if (lost && exitCode === 0)
    process.stderr.write(`magnetar: the output could not be written: ${lost.message}\n`)
  process.exit(lost ? exitCode || 1 : exitCode)
}

/** Resolves when the stream holds nothing back, or never will write it. */
function written(stream) {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve()
    else stream.write('', () => resolve())
  })
}
