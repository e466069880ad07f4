import { describe, expect, it } from 'vitest'
import type { CommandResult } from '../../../src/lib/exec.js'
import { SchedulerClosed, SchedulerDown, SubmitRejected } from '../../../src/schedulers/scheduler.js'
import { downReason } from '../../../src/schedulers/slurm/down.js'
import { slurmEnvironment } from '../../../src/schedulers/slurm/environment.js'
import { parseVersion, summarize } from '../../../src/schedulers/slurm/probe.js'
import { buildSbatch, parseSbatch } from '../../../src/schedulers/slurm/sbatch.js'
import { buildScancel, parseScancel } from '../../../src/schedulers/slurm/scancel.js'
import { parsePing } from '../../../src/schedulers/slurm/scontrol-ping.js'

function result(parts: Partial<CommandResult>): CommandResult {
  return { code: 0, signal: null, stdout: '', stderr: '', timedOut: false, truncated: false, ...parts }
}

const job = {
  jobId: '7',
  name: 'pulsar_7',
  directory: '/j/7',
  script: '/j/7/command.sh',
  workingDirectory: '/j/7/working',
  stdout: '/j/7/out',
  stderr: '/j/7/err',
}

describe('sbatch', () => {
  it('is told on its command line what no header may change', () => {
    expect(buildSbatch(job)).toEqual({
      program: 'sbatch',
      args: ['--parsable', '--no-requeue', '--job-name=pulsar_7', '--chdir=/j/7/working', '/j/7/command.sh'],
      cwd: '/j/7/working',
    })
    expect(() => buildSbatch({ ...job, name: 'a\nb' })).toThrow(SubmitRejected)
  })

  it.each([
    ['123\n', '123'],
    ['123;cluster2\n', '123'],
    ['Welcome to our cluster\n55 nodes are free\n123\n', '123'],
  ])('gives the id of %j', (stdout, id) => {
    expect(parseSbatch(result({ stdout }))).toBe(id)
  })

  it('knows nothing when it exits well without an id', () => {
    expect(() => parseSbatch(result({ stdout: 'hello\n' }))).toThrow(SchedulerDown)
    const drained =
      'sbatch: error: Batch job submission failed: Required partition not available (inactive or drain)\n'
    expect(() => parseSbatch(result({ code: 1, stderr: drained }))).toThrow(SchedulerClosed)
  })

  // Texts of Slurm 22.05.8, except where said.
  it.each([
    [
      'partition',
      1,
      'sbatch: error: invalid partition specified: nosuch\nsbatch: error: Batch job submission failed: Invalid partition name specified\n',
    ],
    [
      'partition',
      1,
      "sbatch: error: Batch job submission failed: User's group not permitted to use this partition\n",
    ],
    ['partition', 1, 'sbatch: error: Batch job submission failed: Requested nodes not in this partition\n'],
    [
      'account',
      1,
      'sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified\n',
    ],
    [
      'qos',
      1,
      "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n",
    ],
    [
      'qos',
      1,
      "sbatch: error: AssocMaxSubmitJobLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, the user's size and/or time limits)\n",
    ],
    ['qos', 1, 'sbatch: error: Batch job submission failed: Invalid qos specification\n'],
    [
      'memory',
      1,
      'sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job submission failed: Requested node configuration is not available\n',
    ],
    ['memory', 255, 'sbatch: error: Invalid --mem specification\n'],
    ['node', 1, 'sbatch: error: Batch job submission failed: Invalid node name specified\n'],
    [
      'node',
      1,
      'sbatch: error: Batch job submission failed: Requested node configuration is not available\n',
    ],
    ['node', 1, 'sbatch: error: Invalid generic resource (gres) specification\n'],
    ['node', 1, 'sbatch: error: Batch job submission failed: Invalid feature specification\n'],
    ['time', 255, 'sbatch: error: Invalid --time specification\n'],
    [
      'time',
      1,
      'sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)\n',
    ],
    [
      'script',
      1,
      'sbatch: error: This does not look like a batch script.  The first\nsbatch: error: line must start with #! followed by the path to an interpreter.\nsbatch: error: For instance: #!/bin/sh\n',
    ],
    ['script', 1, 'sbatch: error: Batch script is empty!\n'],
    ['script', 1, 'sbatch: error: Unable to open file /nonexist.sh\n'],
    ['other', 255, 'sbatch: unrecognized option \'--bogus\'\nTry "sbatch --help" for more information\n'],
  ] as const)('refuses for reasons of %s (exit %i): %s', (kind, code, stderr) => {
    const refused = result({ code, stderr })
    expect(downReason('sbatch', refused)).toBeUndefined()
    const words =
      stderr
        .split('\n')
        .at(-2)
        ?.replace(/^sbatch: (error: )?(Batch job submission failed: )?/, '') ?? ''
    const quoted = kind === 'other' ? "unrecognized option '--bogus'" : words
    expect(() => parseSbatch(refused)).toThrow(
      expect.objectContaining({ kind, message: expect.stringContaining(quoted) }),
    )
  })
})

describe('telling that the controller is away', () => {
  it.each([
    ['squeue', 1, 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)'],
    [
      'sbatch',
      1,
      'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)',
    ],
    [
      'scancel',
      8,
      'scancel: error: Kill job error on job id 5: Unable to contact slurm controller (connect failure)',
    ],
    ['squeue', 1, 'slurm_load_jobs error: Socket timed out on send/recv operation'],
    ['sbatch', 1, 'sbatch: error: Batch job submission failed: I/O error writing script/environment to file'],
    [
      'squeue',
      1,
      'squeue: error: If munged is up, restart with --num-threads=10\nsqueue: error: Munge encode failed: Failed to access "/run/munge/munge.socket.2": No such file or directory',
    ],
    ['squeue', 1, 'slurm_load_jobs error: Protocol authentication error'],
    ['squeue', 1, 'slurm_load_jobs error: Zero Bytes were transmitted or received'],
  ])('%s, exit %i: %s', (program, code, stderr) => {
    expect(downReason(program, result({ code, stderr }))).toBeInstanceOf(SchedulerDown)
  })

  it('holds what was stopped or cut off for no answer', () => {
    expect(downReason('squeue', result({ timedOut: true, code: null }))?.message).toContain('in time')
    expect(downReason('squeue', result({ truncated: true }))?.message).toContain('too long')
    expect(downReason('squeue', result({ code: null, signal: 'SIGKILL' }))?.message).toContain('SIGKILL')
    expect(downReason('squeue', result({}))).toBeUndefined()
  })
})

describe('scancel', () => {
  it('ends one job', () => {
    expect(buildScancel('5')).toEqual({ program: 'scancel', args: ['5'] })
  })

  it.each([
    [0, '', undefined],
    [1, 'scancel: error: Kill job error on job id 5: Job/step already completing or completed', undefined],
    [1, 'scancel: error: Kill job error on job id 5: Invalid job id specified', undefined],
    [
      1,
      'scancel: error: Kill job error on job id 5: Access/permission denied',
      'Kill job error on job id 5: Access/permission denied',
    ],
  ])('exit %i %s', (code, stderr, problem) => {
    expect(parseScancel(result({ code, stderr }))).toBe(problem)
  })
})

describe('scontrol ping', () => {
  it.each([
    ['Slurmctld(primary) at vm is UP\n', 0, true],
    ['Slurmctld(primary) at vm is DOWN\n*****\n** RESTORE SLURMCTLD DAEMON TO SERVICE **\n', 1, false],
    ['Slurmctld(primary) at a is DOWN\nSlurmctld(backup) at b is UP\n', 0, true],
    // 18.08
    ['Slurmctld(primary) at a is UP\n', 0, true],
    ['', 1, false],
  ])('%j', (stdout, code, up) => {
    expect(parsePing(result({ stdout, code }))).toBe(up)
  })
})

describe('the probe', () => {
  it.each([
    ['slurm-wlm 22.05.8\n', '22.05.8'],
    ['slurm 23.11.4\n', '23.11.4'],
    ['slurm 24.05.0-0rc1\n', '24.05.0-0rc1'],
  ])('reads the version of %j', (stdout, version) => {
    expect(parseVersion(result({ stdout }))).toBe(version)
  })

  it('counts the nodes of partitions that are up', () => {
    const stdout = 'debug*\x1fup\x1f1\nlong\x1fup\x1f3\nlong\x1fup\x1f2\nold\x1fdown\x1f9\n'
    expect(summarize('22.05.8', result({ stdout }))).toEqual({
      ok: true,
      summary: 'slurm 22.05.8, partition debug, 1 node, partition long, 5 nodes',
    })
    expect(summarize('22.05.8', result({ stdout: 'old\x1fdown\x1f9\n' })).ok).toBe(false)
  })
})

describe('the environment of the commands', () => {
  it('keeps where the cluster is, and drops options, the job around the server, and secrets', () => {
    const kept = { PATH: '/bin', SLURM_CONF: '/c', SLURM_JWT: 'x', HOME: '/h', PULSAR_CONFIG_DIR: '/etc' }
    const dropped = {
      SBATCH_REQUEUE: '1',
      SBATCH_JOB_NAME: 'x',
      SQUEUE_FORMAT: '%i',
      SLURM_JOB_ID: '5',
      SLURM_JOBID: '5',
      SLURM_CLUSTERS: 'other',
      PULSAR_CONFIG_PRIVATE_TOKEN: 'secret',
      PULSAR_CONFIG_OVERRIDE_private_token: 'secret',
    }
    expect(slurmEnvironment({ ...kept, ...dropped })).toEqual(kept)
  })
})
