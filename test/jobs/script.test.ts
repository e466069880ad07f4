import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ManagerConfig, MetricPluginConfig } from '../../src/config/types.js'
import { jobDirectory } from '../../src/jobs/directory.js'
import { makeJobDirectory } from '../../src/jobs/disk/setup.js'
import { buildJobScript } from '../../src/jobs/script.js'
import type { SubmitRequest } from '../../src/jobs/types.js'
import { managerConfig, submitRequest } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'

interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Content of a file below the job directory, undefined when missing. */
  file(name: string): string | undefined
  again(env?: Record<string, string>): Run
  readonly job: string
}

interface Given {
  readonly command: string
  readonly request?: Partial<SubmitRequest>
  readonly config?: Partial<ManagerConfig>
  readonly metrics?: readonly MetricPluginConfig[]
  readonly env?: Record<string, string>
  /** Done in the job directory before the script runs. */
  before?(job: string): void
  readonly jobId?: string
  readonly environment?: readonly string[]
}

/** Writes the script of a job and runs it with bash, as a scheduler would. */
async function run(given: Given): Promise<Run> {
  const staging = await tempDirectory()
  const directory = jobDirectory(staging, given.jobId ?? '7')
  makeJobDirectory({ directory: directory.path, mode: undefined, tool: { toolId: '', toolVersion: '' } })
  mkdirSync(path.join(staging, 'events'))
  given.before?.(directory.path)
  const script = buildJobScript({
    directory,
    launch: submitRequest(given.command, given.request),
    manager: managerConfig(staging, given.config),
    metrics: given.metrics ?? [{ type: 'core', options: {} }],
    headers: ['#SBATCH -J x'],
    environment: given.environment ?? [],
    startedEvent: path.join(staging, 'events', 'started'),
    endedEvent: path.join(staging, 'events', 'ended'),
  })
  writeFileSync(directory.script, script, { mode: 0o700 })
  const execute = (env: Record<string, string> = {}): Run => {
    const ran = spawnSync(directory.script, {
      cwd: directory.working,
      env: { PATH: process.env.PATH ?? '', ...given.env, ...env },
      encoding: 'utf8',
    })
    return {
      code: ran.status,
      stdout: ran.stdout,
      stderr: ran.stderr,
      job: directory.path,
      again: execute,
      file(name): string | undefined {
        try {
          return readFileSync(path.join(directory.path, name), 'utf8')
        } catch {
          return undefined
        }
      },
    }
  }
  return execute()
}

const shown = (names: string): string =>
  names
    .split(' ')
    .map((name) => `echo "${name}=[$${name}]"`)
    .join('; ')

describe('the job script', () => {
  it('runs the command in the working directory and leaves its return code, ended by a newline', async () => {
    const ran = await run({ command: 'pwd; false; (exit 4)' })
    expect(ran.stdout.trim()).toBe(path.join(ran.job, 'working'))
    expect(ran.file('return_code')).toBe('4\n')
  })

  it('works in a job directory with blanks, quotes and dollars in its path', async () => {
    const ran = await run({ command: 'echo ok > ../outputs/x', jobId: `it's "a" $job` })
    expect(ran.stderr).toBe('')
    expect(ran.file('outputs/x')).toBe('ok\n')
    expect(ran.file('return_code')).toBe('0\n')
  })

  it('keeps what a command contains that looks like a placeholder or a replacement pattern', async () => {
    const ran = await run({ command: `echo '@@JOB@@ $& $1 @@NOTHING@@'` })
    expect(ran.stdout).toBe('@@JOB@@ $& $1 @@NOTHING@@\n')
  })

  it('announces its start and its end', async () => {
    const ran = await run({ command: 'ls ../../events' })
    expect(ran.stdout).toBe('started\n')
    expect(readdirSync(path.join(ran.job, '../events')).sort()).toEqual(['ended', 'started'])
  })

  it('ends with the code of a command that exits the shell, and announces its end', async () => {
    const ran = await run({ command: 'exit 5' })
    expect(ran.code).toBe(5)
    expect(readdirSync(path.join(ran.job, '../events'))).toContain('ended')
  })

  it('announces its end and leaves no return code when a signal ends it', async () => {
    const ran = await run({ command: 'kill -TERM $$; sleep 5' })
    expect(ran.file('return_code')).toBeUndefined()
    expect(readdirSync(path.join(ran.job, '../events'))).toContain('ended')
  })

  it('does not run a second time', async () => {
    const first = await run({ command: 'echo run >> ../outputs/runs' })
    const second = first.again()
    expect(second.code).toBe(0)
    expect(second.file('outputs/runs')).toBe('run\n')
  })

  it('does not end the job when Slurm has begun it anew, on a node that it took for dead', async () => {
    const ended = '$(dirname "$0")/../events/ended'
    const command = `if [ "$SLURM_RESTART_COUNT" = 1 ]; then echo anew; else SLURM_RESTART_COUNT=1 bash "$0"; rm "${ended}"; false; fi`
    const first = await run({ command, env: { SLURM_JOB_ID: '12', SLURM_RESTART_COUNT: '0' } })
    expect(first).toMatchObject({ code: 0, stdout: 'anew\n', stderr: '' })
    expect(first.file('return_code')).toBe('0\n')
    expect(readdirSync(path.join(first.job, '../events'))).toEqual(['started'])
  })

  it('runs again when Slurm requeued it, from what the directories held at first', async () => {
    const env = { SLURM_JOB_ID: '12', SLURM_CPUS_ON_NODE: '1' }
    const first = await run({
      command: 'echo run >> config; cp config ../outputs/seen',
      env,
      before: (job) => writeFileSync(path.join(job, 'working/config'), 'given\n'),
    })
    expect(first.file('outputs/seen')).toBe('given\nrun\n')
    const again = first.again({ SLURM_RESTART_COUNT: '1' })
    expect(again.file('outputs/seen')).toBe('given\nrun\n')
    expect(again.file('working/config')).toBe('given\nrun\n')
    expect(readdirSync(path.join(again.job, 'outputs'))).toEqual(['seen'])
  })

  it('exits with 42 and does nothing when asked whether it can be executed', async () => {
    const ran = await run({ command: 'echo no', env: { ABC_TEST_JOB_SCRIPT_INTEGRITY_XYZ: '1' } })
    expect(ran.code).toBe(42)
    expect(ran.stdout).toBe('')
    expect(ran.file('started')).toBeUndefined()
  })

  it('keeps a copy of working, outputs and configs as they were before the tool', async () => {
    const ran = await run({
      command: 'echo new > made; rm ../configs/c',
      before: (job) => {
        writeFileSync(path.join(job, 'configs/c'), 'c')
        writeFileSync(path.join(job, 'outputs/.hidden'), 'h')
      },
    })
    expect(ran.file('configs.orig/c')).toBe('c')
    expect(ran.file('outputs.orig/.hidden')).toBe('h')
    expect(existsSync(path.join(ran.job, 'working.orig'))).toBe(false)
  })

  it('has a home and a tmp directory, and TEMP, TMP, TMPDIR default to it', async () => {
    const ran = await run({
      command: `ls -d "$_GALAXY_JOB_HOME_DIR" "$_GALAXY_JOB_TMP_DIR"; ${shown('TEMP TMP TMPDIR')}`,
      env: { TMPDIR: '' },
    })
    const tmp = path.join(ran.job, 'tmp')
    expect(ran.stdout.split('\n').slice(0, 5)).toEqual([
      path.join(ran.job, 'home'),
      tmp,
      `TEMP=[${tmp}]`,
      `TMP=[${tmp}]`,
      `TMPDIR=[${tmp}]`,
    ])
  })

  it('does not make the directory of a job again that was cleaned while it began', async () => {
    const ran = await run({ command: 'true', request: { env: [{ execute: 'rm -rf "${PWD%/working}"' }] } })
    expect(existsSync(ran.job)).toBe(false)
  })

  it('prefers an inherited TMPDIR, and takes the expression of the tmp_dir option as it is', async () => {
    const inherited = await run({ command: shown('TMP'), env: { TMPDIR: '/var/tmp' } })
    expect(inherited.stdout).toBe('TMP=[/var/tmp]\n')
    const expression = await run({
      command: shown('_GALAXY_JOB_TMP_DIR'),
      config: { tmpDir: '"$(pwd)/../scratch"' },
    })
    expect(expression.stdout).toMatch(/working\/\.\.\/scratch\]\n$/)
  })

  it('renames an older tmp when the environment is set up again, as remote metadata does', async () => {
    const ran = await run({
      command: 'touch ../tmp/old; _galaxy_setup_environment True; ls ../tmp; ls -d ../tmp.*/old',
    })
    expect(ran.stdout).toMatch(/^\.\.\/tmp\.\d{8}-\d{6}\/old\n$/)
  })

  it('sets the environment of the request, then that of the manager', async () => {
    writeFileSync(path.join(await tempDirectory(), 'x'), '')
    const ran = await run({
      command: `${shown('A B C N')}; env | grep '^[ABCN]='`,
      request: {
        env: [
          { name: 'A', value: 'a "quoted" $HOME_DIR' },
          { name: 'B', value: "'raw $x'", raw: true },
          { execute: 'HOME_DIR=expanded' },
          { name: 'C', value: '$HOME_DIR' },
          { name: 'N', value: 3 },
        ],
      },
      config: { env: [{ name: 'A', value: 'managers' }] },
    })
    expect(ran.stdout.split('\n').slice(0, 4)).toEqual([
      'A=[managers]',
      'B=[raw $x]',
      'C=[expanded]',
      'N=[3]',
    ])
    expect(ran.stdout).toContain('C=expanded')
  })

  it('refuses an env entry which says nothing, without telling its value', async () => {
    await expect(run({ command: 'true', request: { env: [{ value: 'secret' }] } })).rejects.toThrow(
      /it has: value$/,
    )
  })

  it('activates the Galaxy virtualenv and adds the library only when asked to', async () => {
    const venv = await tempDirectory()
    mkdirSync(path.join(venv, 'bin'))
    writeFileSync(path.join(venv, 'bin/activate'), 'ACTIVATED=yes')
    const config = { galaxyVirtualEnv: venv, galaxyHome: '/g' }
    const asked = { setup_params: { preserve_galaxy_python_environment: true } }
    const show = shown('ACTIVATED GALAXY_VIRTUAL_ENV GALAXY_LIB PRESERVE_GALAXY_ENVIRONMENT PYTHONPATH')
    const yes = await run({ command: show, config, request: asked })
    expect(yes.stdout).toBe(
      `ACTIVATED=[yes]\nGALAXY_VIRTUAL_ENV=[${venv}]\nGALAXY_LIB=[/g/lib]\nPRESERVE_GALAXY_ENVIRONMENT=[True]\nPYTHONPATH=[/g/lib]\n`,
    )
    const no = await run({ command: show })
    expect(no.stdout).toBe(
      'ACTIVATED=[]\nGALAXY_VIRTUAL_ENV=[None]\nGALAXY_LIB=[None]\nPRESERVE_GALAXY_ENVIRONMENT=[False]\nPYTHONPATH=[]\n',
    )
    const unsaid = await run({
      command: shown('PRESERVE_GALAXY_ENVIRONMENT'),
      request: { setup_params: { preserve_galaxy_python_environment: null } },
    })
    expect(unsaid.stdout).toBe('PRESERVE_GALAXY_ENVIRONMENT=[None]\n')
  })

  it('finds GALAXY_PYTHON where python is', async () => {
    const ran = await run({ command: shown('GALAXY_PYTHON') })
    const python = spawnSync('bash', ['-c', 'command -v python'], { encoding: 'utf8' }).stdout.trim()
    expect(ran.stdout).toBe(`GALAXY_PYTHON=[${python}]\n`)
  })

  it.each([
    [{}, '1', ''],
    [{ SLURM_CPUS_ON_NODE: '8', SLURM_NTASKS: '2' }, '8', '1'],
    [{ SLURM_NTASKS: '2', SLURM_CPUS_PER_TASK: '3' }, '6', '1'],
    [{ SLURM_CPUS_PER_TASK: '3' }, '3', '1'],
    [{ NSLOTS: '4', NCPUS: '5' }, '4', '1'],
    [{ NCPUS: '5' }, '5', '1'],
    [{ PBS_NCPUS: '6' }, '6', '1'],
    [{ LSB_DJOB_NUMPROC: '7' }, '7', '1'],
    [{ GALAXY_SLOTS: '9' }, '9', '1'],
    [{ PYTHON_CPU_COUNT: '10' }, '10', '1'],
  ])('counts the slots of %o as %s', async (env, slots, configured) => {
    const ran = await run({
      command: shown('GALAXY_SLOTS GALAXY_SLOTS_CONFIGURED'),
      env: env as Record<string, string>,
    })
    expect(ran.stdout).toBe(`GALAXY_SLOTS=[${slots}]\nGALAXY_SLOTS_CONFIGURED=[${configured}]\n`)
  })

  it('counts the lines of a PBS node file', async () => {
    const file = path.join(await tempDirectory(), 'nodes')
    writeFileSync(file, 'a\na\nb\n')
    const ran = await run({ command: shown('GALAXY_SLOTS'), env: { PBS_NODEFILE: file } })
    expect(ran.stdout).toBe('GALAXY_SLOTS=[3]\n')
  })

  it.each([
    [{}, '', ''],
    [{ SLURM_JOB_ID: '1', SLURM_CPUS_ON_NODE: '4', SLURM_MEM_PER_NODE: '4000' }, '4000', '1000'],
    [{ SLURM_JOB_ID: '1', SLURM_CPUS_ON_NODE: '4', SLURM_MEM_PER_CPU: '500' }, '2000', '500'],
    [{ SLURM_JOB_ID: '1', SLURM_CPUS_ON_NODE: '4' }, '', ''],
    [{ SGE_HGR_h_vmem: '4G', NSLOTS: '2' }, '8192', '4096'],
    [{ SGE_HGR_h_vmem: '1.5G' }, '1536', '1536'],
    [{ SGE_HGR_h_vmem: '700' }, '700', '700'],
    [{ GALAXY_MEMORY_MB: '64' }, '64', '64'],
    [{ GALAXY_MEMORY_MB: 'much' }, '', ''],
  ])('derives the memory of %o as %s MB, %s per slot', async (env, total, slot) => {
    const ran = await run({
      command: shown('GALAXY_MEMORY_MB GALAXY_MEMORY_MB_PER_SLOT'),
      env: env as Record<string, string>,
    })
    expect(ran.stdout).toBe(`GALAXY_MEMORY_MB=[${total}]\nGALAXY_MEMORY_MB_PER_SLOT=[${slot}]\n`)
    expect(ran.stderr).toBe('')
  })

  it('records the core metrics for Galaxy', async () => {
    const ran = await run({ command: 'true', env: { GALAXY_MEMORY_MB: '64' } })
    const metric = (name: string): string | undefined => ran.file(`metadata/__instrument_core_${name}`)
    expect(metric('galaxy_slots')).toBe('1\n')
    expect(metric('galaxy_memory_mb')).toBe('64\n')
    expect(Number(metric('epoch_end'))).toBeGreaterThanOrEqual(Number(metric('epoch_start')))
    expect(Number(metric('epoch_start'))).toBeGreaterThan(1_700_000_000)
    expect(ran.file('metadata/memory_statement.log')).toBe('')
  })

  it('records what the other metric plugins read', async () => {
    const ran = await run({
      command: 'true',
      metrics: [
        { type: 'uname', options: { args: '-s' } },
        { type: 'cpuinfo', options: {} },
        { type: 'meminfo', options: {} },
        { type: 'env', options: {} },
        { type: 'hostname', options: {} },
      ],
    })
    expect(ran.file('metadata/__instrument_uname_uname')).toBe('Linux\n')
    expect(ran.file('metadata/__instrument_cpuinfo_cpuinfo')).toContain('processor')
    expect(ran.file('metadata/__instrument_meminfo_meminfo')).toContain('MemTotal')
    expect(ran.file('metadata/__instrument_env_vars')).toContain('GALAXY_SLOTS=1')
    expect(ran.file('metadata/__instrument_hostname_hostname')).toBeDefined()
  })

  it('records the control group files of version 1 and 2 in the form Galaxy reads', async () => {
    const group = execFileSync('cat', ['/proc/self/cgroup'], { encoding: 'utf8' })
    for (const version of ['1', '2'] as const) {
      const mount = await tempDirectory()
      const own =
        group
          .split('\n')
          .find((line) => line.startsWith('0:'))
          ?.slice(3) ?? '/'
      const directory = version === '2' ? path.join(mount, own) : path.join(mount, 'memory')
      mkdirSync(directory, { recursive: true })
      writeFileSync(path.join(directory, 'memory.peak'), '12\n')
      if (version === '2') writeFileSync(path.join(mount, 'cgroup.controllers'), 'memory')
      const ran = await run({
        command: 'true',
        metrics: [{ type: 'cgroup', options: { cgroup_mount: mount, version } }],
      })
      expect(ran.file('metadata/__instrument_cgroup__metrics')).toBe('__memory.peak__\n12\n')
    }
  })

  it('runs what provides the requirements in the shell of the tool, which may be strict', async () => {
    const ran = await run({
      command: 'set -eu; echo "$FOUND in $PWD"; found; false; echo not here',
      environment: ['false', 'FOUND="$UNSET"here', 'found() { echo a function; }'],
    })
    expect(ran.stdout).toBe(`here in ${ran.job}/working\na function\n`)
  })

  it('ends with the exit code of what could not be provided, and the tool never runs', async () => {
    const ran = await run({
      command: 'echo the tool runs',
      environment: ['echo "not to be had" >&2; exit 3', 'echo goes on'],
    })
    expect(ran).toMatchObject({ code: 3, stdout: '', stderr: 'not to be had\n' })
    expect(ran.file('return_code')).toBe('3\n')
  })
})
