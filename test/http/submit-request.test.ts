import { describe, expect, it } from 'vitest'
import { parseQuery } from '../../src/http/query.js'
import { readSubmit } from '../../src/http/submit-request.js'

function read(parameters: Record<string, unknown>): ReturnType<typeof readSubmit> {
  const query = Object.entries(parameters).map(
    ([name, value]) =>
      `${name}=${encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value))}`,
  )
  return readSubmit(parseQuery(query.join('&')))
}

describe('readSubmit', () => {
  it('has the defaults of the real server', () => {
    expect(read({ command_line: 'true' })).toEqual({
      command_line: 'true',
      submit_params: {},
      dependencies_description: null,
      setup_params: {},
      remote_staging: {},
      env: [],
      dynamic_file_sources: null,
      token_endpoint: null,
      setup: false,
      touch_outputs: [],
    })
  })

  it('merges submit_extras last', () => {
    const request = read({
      command_line: 'true',
      params: { a: '1' },
      env: [{ name: 'A', value: 'b' }],
      token_endpoint: '{"token_endpoint": "http://ignored"}',
      submit_extras: {
        touch_outputs: ['x'],
        setup: true,
        env: [],
        submit_params: { b: '2' },
        token_endpoint: 'http://used',
        __proto__: { polluted: 1 },
      },
    })
    expect(request).toMatchObject({
      touch_outputs: ['x'],
      setup: true,
      env: [],
      submit_params: { b: '2' },
      token_endpoint: 'http://used',
    })
  })

  it('hands cvmfsexec on with the setup it belongs to, and does not cause one', () => {
    const cvmfsexec = { mode: 'mountrepo' }
    expect(read({ command_line: 'x', setup_params: { job_id: '1' }, cvmfsexec }).setup_params).toEqual({
      job_id: '1',
      cvmfsexec,
    })
    expect(read({ command_line: 'x', cvmfsexec }).setup_params).toEqual({})
  })

  it.each([
    [{}, 'command_line is missing'],
    [{ command_line: 'x', params: '{' }, 'parameter params is not valid JSON'],
    [{ command_line: 'x', env: '' }, 'parameter env is not valid JSON'],
    [{ command_line: 'x', env: {} }, 'env must be a JSON list of objects'],
    [{ command_line: 'x', env: ['A=b'] }, 'env must be'],
    [{ command_line: 'x', params: [] }, 'params must be a JSON object'],
    [{ command_line: 'x', remote_staging: '"s"' }, 'remote_staging must be'],
    [{ command_line: 'x', setup_params: 1 }, 'setup_params must be'],
    [{ command_line: 'x', dynamic_file_sources: {} }, 'dynamic_file_sources must be'],
    [{ command_line: 'x', submit_extras: [] }, 'submit_extras must be'],
    [{ command_line: 'x', submit_extras: { touch_outputs: [1] } }, 'touch_outputs must be'],
    [{ command_line: 'x', submit_extras: { command_line: 1 } }, 'command_line must be'],
  ])('refuses %j', (parameters, message) => {
    expect(() => read(parameters)).toThrow(message)
  })

  it('does not quote what it could not parse', () => {
    expect(() => read({ command_line: 'x', env: 'hunter2' })).toThrow(/^parameter env is not valid JSON$/)
  })
})
