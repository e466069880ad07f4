import { existsSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { RunningManager } from '../../src/jobs/manager.js'
import type { SubmitRequest } from '../../src/jobs/types.js'
import { createFakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'

let root: string
let running: RunningManager

beforeEach(async () => {
  root = await tempDirectory()
  running = await startManager(root, createFakeScheduler())
  await running.load()
  await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
  return () => running.close()
})

async function submit(remoteStaging: unknown): Promise<void> {
  const remote_staging = remoteStaging as SubmitRequest['remote_staging']
  await running.manager.submit('7', submitRequest('true', { remote_staging }))
}

/** Refused with this, and nothing is kept of it. */
async function expectRefusal(remoteStaging: unknown, message: RegExp): Promise<void> {
  await expect(submit(remoteStaging)).rejects.toMatchObject({
    code: 'BAD_REQUEST',
    message: expect.stringMatching(message),
  })
  expect(existsSync(path.join(root, 'jobs/7/launch_config'))).toBe(false)
  expect(running.context.jobs.has('7')).toBe(false)
}

const url = 'http://galaxy/files?job_key=s3cr3t'
const mapper = { default_action: 'remote_transfer', files_endpoint: url, paths: [] }
const outputs = { working_directory: '/g/w', output_files: ['/g/a.dat'], work_dir_outputs: [] }
const rule = { match_type: 'glob', path: '/g/*', path_types: '*defaults*', action: 'none' }

describe('a submit whose files could never travel is refused', () => {
  it.each<[string, unknown, RegExp]>([
    ['setup is an object', { setup: { 0: { name: 'a' } } }, /setup must be a JSON list/],
    ['setup is text', { setup: 'abc' }, /setup must be a JSON list/],
    ['a list', [], /must be a JSON object/],
    [
      'the mapper is text',
      { action_mapper: 'abc', client_outputs: outputs },
      /action_mapper must be a JSON object/,
    ],
    [
      'the mapper is a list',
      { action_mapper: [mapper], client_outputs: outputs },
      /action_mapper must be a JSON object/,
    ],
    ['the mapper is a list, alone', { action_mapper: [] }, /action_mapper must be a JSON object/],
    [
      'outputs are a list',
      { action_mapper: mapper, client_outputs: [] },
      /client_outputs must be a JSON object/,
    ],
    ...['zz', {}, [null], [[]]].map((paths): [string, unknown, RegExp] => [
      `paths are ${JSON.stringify(paths)}`,
      { action_mapper: { ...mapper, paths }, client_outputs: outputs },
      /action_mapper\.paths must be a JSON list of objects/,
    ]),
    [
      'an action is an object',
      { action_mapper: { default_action: { toString: null } }, client_outputs: outputs },
      /action_mapper\.default_action must be text/,
    ],
    [
      'output_files are text',
      { action_mapper: mapper, client_outputs: { output_files: 'a' } },
      /client_outputs\.output_files must be a JSON list/,
    ],
    [
      'a pair of work_dir_outputs is none',
      { action_mapper: mapper, client_outputs: { ...outputs, work_dir_outputs: ['ab'] } },
      /work_dir_outputs\[0\] must be a/,
    ],
    [
      'there is no files_endpoint',
      { action_mapper: { ...mapper, files_endpoint: null }, client_outputs: outputs },
      /remote_transfer needs an http or https address in action_mapper\.files_endpoint; set galaxy_url/,
    ],
    [
      'the files_endpoint is none',
      { action_mapper: { ...mapper, files_endpoint: 'galaxy' }, client_outputs: outputs },
      /remote_transfer needs an http or https address/,
    ],
    [
      'the action is unknown',
      { action_mapper: { default_action: 'teleport' }, client_outputs: outputs },
      /unknown action, "teleport"/,
    ],
    [
      'the action of a rule is unknown',
      { action_mapper: { ...mapper, paths: [{ ...rule, action: 'teleport' }] }, client_outputs: outputs },
      /unknown action, "teleport"/,
    ],
    [
      'a rule is no regex',
      {
        action_mapper: { ...mapper, paths: [{ ...rule, match_type: 'regex', path: '(' }] },
        client_outputs: outputs,
      },
      /the pattern "\(" cannot be used/,
    ],
    [
      'dynamic outputs are no regex',
      { action_mapper: mapper, client_outputs: { ...outputs, dynamic_outputs: ['a', '*'] } },
      /the pattern "\*" cannot be used/,
    ],
    [
      'a collector is no regex',
      {
        action_mapper: mapper,
        client_outputs: { ...outputs, dataset_collector_descriptions: [{ pattern: '[' }] },
      },
      /the pattern "\[" cannot be used/,
    ],
    [
      'an input has an unknown action',
      { setup: [{ name: 'a', type: 'input', action: { action_type: 'teleport', path: '/a' } }] },
      /input "a" in setup has the action "teleport", by which this node cannot fetch/,
    ],
    [
      'an input has no address',
      { setup: [{ name: 'a', type: 'input', action: { action_type: 'remote_transfer', path: '/a' } }] },
      /setup\[0\]\.action\.url must be text/,
    ],
    [
      'the name of an input is half a character',
      { setup: [{ name: 'a\ud800', type: 'input', action: { action_type: 'message', contents: '' } }] },
      /input "a\\ud800" in setup: the file name .* has half a character in it/,
    ],
  ])('%s', async (_what, remoteStaging, message) => {
    await expectRefusal(remoteStaging, message)
  })

  it('when it is nested too deeply to be kept', async () => {
    const deep: unknown = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)
    await expectRefusal({ deep }, /nested too deeply/)
    await expectRefusal(
      { action_mapper: { default_action: deep }, client_outputs: outputs },
      /default_action must be text/,
    )
  })
})

describe('a submit as clients send them is taken', () => {
  it.each<[string, unknown]>([
    ['nothing', null],
    ['an empty object', {}],
    ['nulls', { setup: null, action_mapper: null, client_outputs: null }],
    ['an empty setup', { setup: [], action_mapper: { ...mapper, paths: null }, client_outputs: outputs }],
    [
      'a client that moves all itself and has no address',
      {
        action_mapper: { default_action: 'transfer', files_endpoint: null, ssh_key: null, paths: [rule] },
        client_outputs: { ...outputs, dynamic_outputs: ['('], metadata_directory: null },
      },
    ],
    [
      'no address where a rule may do without',
      { action_mapper: { ...mapper, files_endpoint: null, paths: [rule] }, client_outputs: outputs },
    ],
    [
      'no address and no outputs',
      { action_mapper: { ...mapper, files_endpoint: null }, client_outputs: { working_directory: '/g/w' } },
    ],
    [
      'all nulls of the Python client',
      {
        action_mapper: { ...mapper, ssh_key: null, ssh_user: null, ssh_host: null, ssh_port: null },
        client_outputs: {
          ...outputs,
          metadata_directory: null,
          job_directory: null,
          version_file: null,
          dynamic_outputs: null,
          dynamic_file_sources: null,
          dataset_collector_descriptions: [],
        },
        ssh_key: null,
      },
    ],
  ])('%s', async (_what, remoteStaging) => {
    await submit(remoteStaging ?? {})
    expect(existsSync(path.join(root, 'jobs/7/launch_config'))).toBe(true)
  })
})
