import { describe, expect, it } from 'vitest'
import { explainConda, hideSecrets } from '../../../src/dependencies/conda/explain-conda.js'

const failed = (stderr: string, more = {}) =>
  explainConda({ code: 1, signal: null, stdout: '', stderr, timedOut: false, truncated: false, ...more })

const CONDA = `Channels:
 - conda-forge
 - bioconda
Platform: linux-64
Collecting package metadata (repodata.json): ...working... done
Solving environment: ...working... failed

PackagesNotFoundError: The following packages are not available from current channels:

  - zlib=9.9*

Current channels:

  - https://conda.anaconda.org/t/sesame/conda-forge
`
const LIBMAMBA = `Solving environment: ...working... failed

LibMambaUnsatisfiableError: Encountered problems while solving:
  - nothing provides requested zlib 9.9**
`
const CONFLICT = `LibMambaUnsatisfiableError: Encountered problems while solving:
  - package a-1.0-0 requires b <2, but none of the providers can be installed
`
const MAMBA = `error    libmamba Could not solve for environment specs
    The following package could not be installed
    └─ zlib 9.9**  does not exist (perhaps a typo or a missing channel).
critical libmamba Could not solve for environment specs
`
const HTTP = `Collecting package metadata (repodata.json): ...working... failed

CondaHTTPError: HTTP 000 CONNECTION FAILED for url <https://conda.anaconda.org/conda-forge/linux-64/repodata.json>
Elapsed: -

An HTTP error occurred when trying to retrieve this URL.
`
const TRACEBACK = `
# >>>>>>>>>>>>>>>>>>>>>> ERROR REPORT <<<<<<<<<<<<<<<<<<<<<<

    Traceback (most recent call last):
      File "/srv/pulsar/x.py", line 1, in f
        raise ValueError("inner")
    ValueError: inner
    During handling of the above exception:
    OSError: [Errno 28] No space left on device: '/srv/x'

\`$ /srv/pulsar/bin/conda create\`
`

describe('what conda said', () => {
  it.each([
    ['unknown-package', CONDA, 'zlib=9.9*'],
    ['unknown-package', LIBMAMBA, 'nothing provides requested zlib 9.9'],
    ['unknown-package', MAMBA, 'zlib 9.9**  does not exist'],
    ['conflict', CONFLICT, 'requires b <2'],
    ['unreachable', HTTP, 'CONNECTION FAILED for url'],
    ['disk-full', TRACEBACK, 'No space left on device'],
    [
      'damaged',
      'CondaVerificationError: The package for x\nappears to be corrupted.',
      'appears to be corrupted',
    ],
    [
      'not-permitted',
      'NotWritableError: The current user does not have write permissions',
      'write permissions',
    ],
  ])('has the cause %s', (cause, said, text) => {
    const found = failed(said)
    expect(found.cause).toBe(cause)
    expect(found.text).toContain(text)
    expect(found.text).not.toMatch(/Solving environment|sesame|Traceback/)
  })

  it('is short, without colours and bars', () => {
    const many = Array.from({ length: 500 }, (_, index) => `line ${index} ${'x'.repeat(200)}`).join('\n')
    const { text } = failed(`zlib | 10%\rzlib | 100%\n\x1b[31mFooError:\x1b[0m bad\n${many}`)
    expect(text.startsWith('FooError: bad\n')).toBe(true)
    expect(text.length).toBeLessThan(2100)
  })

  it('is the end of what was too long to be kept', () => {
    const { text } = failed('INFO error handlers: 3\nINFO\n[9 bytes are left out]\nINFO\nFooError: bad')
    expect(text).toBe('FooError: bad')
  })

  it('has no control characters', () => {
    const { text } = failed(
      'FooError: a\0b\x07c\x08\x1b]0;title\x07d\x1b]8;;https://x\x1b\\e\x1b[2Kf\x1b(Bg\x9b1mh\u202ei\tj\r\nnext\x1b]9;cut\nlast',
    )
    expect(text).toBe('FooError: abcdefghi\tj\nnext\nlast')
  })

  it('is found on standard output too', () => {
    expect(failed('a warning\n', { stdout: 'ERROR: File or directory already exists\n' }).text).toContain(
      'already exists',
    )
  })

  it('is told even when there is nothing', () => {
    expect(failed('')).toEqual({ cause: 'other', text: 'it ended with exit code 1 and no message' })
    expect(failed('', { code: null, signal: 'SIGKILL' })).toEqual({
      cause: 'killed',
      text: 'it was ended by SIGKILL',
    })
    expect(failed('FooError: x', { timedOut: true }).cause).toBe('timeout')
  })

  it('hides tokens and passwords of channels', () => {
    expect(hideSecrets('a https://u:p@host/t/tk-1/c https://x/y')).toBe(
      'a https://***@host/t/***/c https://x/y',
    )
  })
})
