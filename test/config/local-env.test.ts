import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readLocalEnv } from '../../src/config/local-env.js'
import { issuesOf, makeConfigDirectory } from './helpers.js'

const ENV = { PATH: process.env.PATH, KEPT: 'as it was', CHANGED: 'before' }

async function readContent(
  content: string,
  signal = new AbortController().signal,
): Promise<Record<string, string>> {
  const directory = await makeConfigDirectory({ 'local_env.sh': content })
  return readLocalEnv(join(directory, 'local_env.sh'), ENV, signal)
}

describe('local_env.sh', () => {
  it('gives the exported variables that it sets or changes, and only those', async () => {
    const content = `# comment
export DRMAA_LIBRARY_PATH=/usr/lib/libdrmaa.so
export CHANGED="$CHANGED and after" KEPT
export LINES_OF_TEXT=$'one\\ntwo'
NOT_EXPORTED=1
`
    expect(await readContent(content)).toEqual({
      DRMAA_LIBRARY_PATH: '/usr/lib/libdrmaa.so',
      CHANGED: 'before and after',
      LINES_OF_TEXT: 'one\ntwo',
    })
  })

  it('may print, end with a failed test, change PATH and send its output elsewhere', async () => {
    const content =
      'echo PRINTED=1\nexport PATH=/nowhere\nexec >/dev/null\n[ -f /no/such/file ] && . /no/such/file\n'
    expect(await readContent(content)).toEqual({ PATH: '/nowhere' })
  })

  it('may be missing', async () => {
    expect(await readLocalEnv('/no/such/local_env.sh', ENV, new AbortController().signal)).toEqual({})
  })

  it.each([
    ['a syntax error', 'export A=1\nif then\n', /syntax error near/],
    ['exit', 'echo because >&2\nexit 3\n', /exit code 3:\nbecause/],
    ['exit 0, after which nothing is known', 'exit 0\n', /ended before its last line/],
    [
      'too many variables',
      'i=0; while [ $i -lt 12 ]; do export "V$i=$(printf %0100000d 0)"; i=$((i+1)); done\n',
      /more than 1 MiB/,
    ],
  ])('fails on %s, with what it wrote to stderr', async (_what, content, message) => {
    const error = await issuesOf(readContent(content))
    expect(error.code).toBe('LOCAL_ENV_FAILED')
    expect(error.message).toMatch(message)
  })

  it('is stopped, with what it started, when the caller gives up', async () => {
    const error = await issuesOf(readContent('sleep 1000\n', AbortSignal.timeout(100)))
    expect(error.message).toMatch(/was still running when the start was stopped/)
  })
})
