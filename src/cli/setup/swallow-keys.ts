const CTRL_C = '\u0003'

/**
 * While `work` goes on, takes what is typed, so that it neither shows between the lines nor answers the next question unseen. Ctrl-C is
 * passed on as the signal that it is otherwise. Without a terminal nothing is taken.
 */
export async function swallowKeys<T>(
  work: () => Promise<T>,
  input: NodeJS.ReadStream = process.stdin,
): Promise<T> {
  if (!input.isTTY) return work()
  const onData = (data: Buffer | string): void => {
    if (data.toString().includes(CTRL_C)) process.kill(process.pid, 'SIGINT')
  }
  input.setRawMode(true)
  input.on('data', onData)
  input.resume()
  try {
    return await work()
  } finally {
    input.off('data', onData)
    input.pause()
    input.setRawMode(false)
  }
}
