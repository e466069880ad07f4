import { describe, expect, it } from 'vitest'
import { formatLine, formatLines } from '../../src/cli/python-log-lines.js'

const FORMAT = '%(asctime)s %(levelname)-5.5s [%(name)s][%(threadName)s] %(message)s'
const entry = { level: 'info', time: '2026-11-22T16:32:24.397Z', pid: 7, msg: 'queued -> running', job: '29' }

describe('log lines in the format of server.ini', () => {
  it('are those of the Python Pulsar', () => {
    expect(formatLine(FORMAT, entry)).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,397 INFO {2}\[pulsar\]\[MainThread\] job 29: queued -> running$/,
    )
  })

  it('cut and pad the level, and name another logger', () => {
    expect(formatLine(FORMAT, { ...entry, level: 'warn', logger: 'pulsar.core' })).toContain(
      ' WARNI [pulsar.core]',
    )
    expect(formatLine('%(levelname)8s|%(process)d|%%|%(unknown)s|', entry)).toBe('    INFO|7|%||')
  })

  it('show the fields of a line after its message', () => {
    const { msg: _msg, ...request } = entry
    expect(formatLine('%(message)s', { ...request, method: 'GET', status: 200 })).toBe(
      'job 29: method=GET status=200',
    )
  })

  it('steer no terminal', () => {
    expect(formatLine('%(message)s', { ...entry, job: '\u001b[2J7', msg: 'a\tb\r\u202ec' })).toBe(
      'job \\u001b[2J7: a\tb\\u000d\\u202ec',
    )
  })

  it('keep one entry on one line, but for the stack of an error', () => {
    const written: string[] = []
    const destination = formatLines('%(message)s', { write: (text: string) => written.push(text) })
    destination.write(JSON.stringify({ ...entry, msg: 'two\nlines', err: { stack: 'Error: x\n    at y' } }))
    expect(written).toEqual(['job 29: two\\nlines\nError: x\n    at y\n'])
  })
})
