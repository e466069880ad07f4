import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import type { NodeConfig } from '../../src/config/types.js'
import { makePlan } from '../../src/setup/plan.js'
import { appYmlStep } from '../../src/setup/steps/app-yml.js'
import { directoriesStep } from '../../src/setup/steps/directories.js'
import { localEnvStep } from '../../src/setup/steps/local-env.js'
import { resolversStep } from '../../src/setup/steps/resolvers.js'
import { serverIniStep } from '../../src/setup/steps/server-ini.js'
import { supervisorConfStep } from '../../src/setup/steps/supervisor-conf.js'
import { tlsPemStep } from '../../src/setup/steps/tls-pem.js'
import type { FileChange, Plan, SetupContext, Step } from '../../src/setup/types.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { type ContextCase, contextFor, setUp } from './context-fixture.js'

const steps = [
  directoriesStep,
  appYmlStep,
  serverIniStep,
  localEnvStep,
  resolversStep,
  supervisorConfStep,
  tlsPemStep,
]

// Without root, so that nothing depends on who runs the tests.
async function makeContext(given: Omit<ContextCase, 'prefix'> = {}): Promise<SetupContext> {
  const prefix = join(await tempDirectory(), 'pulsar')
  return contextFor({ root: false, ...given, prefix })
}

/** The same node, with other answers, after a setup. */
function again(
  context: SetupContext,
  plan: Plan | undefined,
  given: Omit<ContextCase, 'prefix'> = {},
): SetupContext {
  const { prefix } = context.paths
  const { token: _, ...answers } = context.answers
  const next = contextFor({
    root: false,
    token: context.token,
    manifest: plan?.manifest,
    ...given,
    answers: { ...answers, ...given.answers },
    prefix,
  })
  return next
}

function load({ paths }: SetupContext): Promise<NodeConfig> {
  return loadConfig({ configDirectory: paths.etc, mode: 'uwsgi', env: {}, cwd: paths.etc })
}

const edit = async (file: string, from: string | RegExp, to: string): Promise<void> => {
  const text = await readFile(file, 'utf8')
  const changed = text.replace(from, to)
  if (changed === text) throw new Error(`nothing to edit in ${file}`)
  await writeFile(file, changed)
}

async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}

async function planOf(step: Step, context: SetupContext) {
  const planned = await step.plan(context, [])
  const [first] = planned.changes
  return { ...planned, file: first?.kind === 'file' ? (first satisfies FileChange) : undefined }
}

describe('app.yml', () => {
  it('begins as the exercise ends up with it', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    const lines = (await readFile(context.paths.appYml, 'utf8'))
      .split('\n')
      .filter((line) => line !== '' && !/^\s*#/.test(line))
    const { prefix } = context.paths
    expect(lines).toEqual([
      '---',
      'private_token: foo',
      'conda_auto_init: false',
      'conda_auto_install: false',
      'manager:',
      '  type: queued_cli',
      '  job_plugin: Slurm',
      `staging_directory: ${prefix}/var/jobs`,
      `persistence_directory: ${prefix}/var/active`,
      `tool_dependency_dir: ${prefix}/var/deps`,
      `dependency_resolvers_config_file: ${prefix}/etc/dependency_resolvers_conf.xml`,
    ])
  })

  it.each([
    'slurm',
    'local',
    'drmaa',
  ] as const)('offers commented keys that are right as they stand (%s)', async (manager) => {
    const context = await makeContext({ answers: { manager } })
    await setUp(context, steps)
    const text = await readFile(context.paths.appYml, 'utf8')
    const offered = text.match(/^\s*#[a-z]\w*: .*$/gim) ?? []
    expect(offered.length).toBeGreaterThan(5)
    expect(offered.length).toBeLessThanOrEqual(15)
    await mkdir(join(context.paths.var, 'cache'))
    await writeFile(context.paths.appYml, text.replace(/^(\s*)#([a-z]\w*: .*)$/gim, '$1$2'))
    const config = await load(context)
    expect(config.warnings.filter((line) => !line.includes('this release'))).toEqual([])
    expect(config.fileCacheDirectory).toBe(join(context.paths.var, 'cache'))
    expect(config.managers[0]?.env).toEqual([{ name: 'NAME', value: 'value' }])
  })

  it.each([
    '12345',
    'yes',
    'a: b',
    'abc #c',
    '@x',
    "it's",
    '0123',
  ])('holds the token %j as text', async (token) => {
    const context = await makeContext({ token })
    const plan = await setUp(context, steps)
    expect((await load(context)).privateToken).toBe(token)
    expect((await makePlan(again(context, plan), steps)).changes).toEqual([])
  })

  it('keeps edits, comments and order by hand, and says what it keeps', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    const { appYml } = context.paths
    await edit(appYml, 'type: queued_cli\n', 'type: queued_cli # ours\n')
    await edit(appYml, /staging_directory: .*/, 'staging_directory: /scratch/jobs')
    await edit(appYml, '#debug: false', 'debug: true')
    await edit(appYml, 'conda_auto_init: false\n', '')
    const before = await readFile(appYml, 'utf8')
    const next = await makePlan(again(context, plan), steps)
    expect({ changes: next.changes, conflicts: next.conflicts }).toEqual({ changes: [], conflicts: [] })
    expect(next.notes).toEqual([
      'kept: no conda_auto_init in app.yml (removed by hand; setup would write false)',
      `kept: staging_directory = /scratch/jobs in app.yml (edited by hand; setup would write ${context.paths.jobs})`,
    ])
    // Another answer changes its own line only.
    const other = again(context, plan, { answers: { partition: 'big' }, explicit: ['partition'] })
    await setUp(other, steps)
    expect(await readFile(appYml, 'utf8')).toBe(
      before.replace(/ {2}job_plugin: Slurm\n/, '  job_plugin: Slurm\n  job_partition: big\n'),
    )
  })

  it('becomes another manager’s when asked, without what belonged to the first', async () => {
    const context = await makeContext({ answers: { partition: 'big', nativeSpecification: '--time=60' } })
    const plan = await setUp(context, steps)
    const answers = { manager: 'local', concurrentJobs: 3 } as const
    const local = again(context, plan, { answers, explicit: ['manager', 'concurrentJobs'] })
    await setUp(local, steps)
    expect((await load(local)).managers).toMatchObject([
      { type: 'queued_python', numConcurrentJobs: 3, jobPlugin: undefined, jobParameters: {} },
    ])
  })

  it('is a conflict where somebody’s manager would have to go, and force keeps a backup of it', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    await edit(context.paths.appYml, 'type: queued_cli', 'type: unqueued')
    const asked = again(context, plan, { explicit: ['manager'] })
    const { conflicts, changes } = await makePlan(asked, steps)
    expect(changes).toEqual([])
    expect(conflicts).toMatchObject([{ path: context.paths.appYml, key: 'manager.type' }])
    const forced = await planOf(appYmlStep, { ...asked, force: true })
    expect(forced.file).toMatchObject({ backup: true, after: expect.stringContaining('type: queued_cli') })
  })

  it('takes our own short word for Slurm as what it means', async () => {
    const context = await makeContext({ explicit: ['manager', 'partition'], answers: { partition: 'big' } })
    await put(context.paths.appYml, 'private_token: foo\nmanager:\n  type: slurm\n')
    const { file, conflicts, notes } = await planOf(appYmlStep, context)
    expect({ conflicts, notes }).toEqual({ conflicts: [], notes: [] })
    expect(file?.after).toContain('manager:\n  type: slurm\n  job_partition: big\n')
    expect(file?.after).not.toContain('job_plugin')
  })

  describe('with managers of somebody’s own', () => {
    const text = 'private_token: foo\nmanagers:\n  cluster:\n    type: queued_drmaa\n'

    it('keeps them when nobody asked for another', async () => {
      const context = await makeContext()
      await put(context.paths.appYml, text)
      const { file, conflicts, notes } = await planOf(appYmlStep, context)
      expect(conflicts).toEqual([])
      expect(notes).toContain('kept: managers in app.yml (setup would write manager)')
      expect(file?.after.startsWith(text)).toBe(true)
      expect(file?.after).not.toMatch(/^manager:/m)
    })

    it('keeps them without a conflict when one of them is what is asked for', async () => {
      const context = await makeContext({ explicit: ['manager'] })
      await put(context.paths.appYml, text.replace('queued_drmaa', 'slurm'))
      expect((await planOf(appYmlStep, context)).conflicts).toEqual([])
    })

    it('is a conflict when another is asked for, and force replaces them', async () => {
      const context = await makeContext({ explicit: ['manager'] })
      await put(context.paths.appYml, text)
      const { conflicts } = await planOf(appYmlStep, context)
      expect(conflicts).toMatchObject([{ path: context.paths.appYml, key: 'managers' }])
      const { file } = await planOf(appYmlStep, { ...context, force: true })
      expect(file).toMatchObject({ backup: true })
      expect(file?.after).not.toContain('managers:')
      expect(file?.after).toContain('manager:\n  type: queued_cli\n')
    })
  })

  it('is a conflict when it is no YAML, and force writes it anew', async () => {
    const context = await makeContext()
    await put(context.paths.appYml, 'private_token: [foo\n')
    const { file, conflicts } = await planOf(appYmlStep, context)
    expect(file?.after ?? '').not.toContain('staging')
    expect(conflicts).toHaveLength(1)
    expect(conflicts[0]?.message).toContain(`${context.paths.appYml} cannot be edited`)
    expect(conflicts[0]?.message).not.toContain('foo')
    const forced = await planOf(appYmlStep, { ...context, force: true })
    expect(forced.file).toMatchObject({ backup: true, after: expect.stringContaining('staging_directory') })
  })

  it('gets another token when one is given, but not over one that somebody wrote', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    const given = { token: 'bar', explicit: ['token'] } as const
    await setUp(again(context, plan, given), [appYmlStep])
    expect((await load(context)).privateToken).toBe('bar')
    await edit(context.paths.appYml, 'private_token: bar', 'private_token: mine')
    const { conflicts, changes } = await makePlan(again(context, plan, given), [appYmlStep])
    expect({ changes, keys: conflicts.map(({ key }) => key) }).toEqual({
      changes: [],
      keys: ['private_token'],
    })
  })

  it('is closed to others when somebody else left it open', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    await chmod(context.paths.appYml, 0o644)
    const { file } = await planOf(appYmlStep, again(context, plan))
    expect(file).toMatchObject({ mode: 0o600, backup: false })
    expect(file?.after).toBe(file?.before)
    await setUp(again(context, plan), steps)
    expect((await stat(context.paths.appYml)).mode & 0o777).toBe(0o600)
  })

  it('is not written through a link', async () => {
    const context = await makeContext()
    await put(`${context.paths.etc}/elsewhere.yml`, 'private_token: foo\n')
    await symlink('elsewhere.yml', context.paths.appYml)
    const { changes, conflicts } = await planOf(appYmlStep, context)
    expect(changes).toEqual([])
    expect(conflicts[0]?.message).toContain('is a symbolic link')
  })

  it('switches resolution off without dependencies', async () => {
    const context = await makeContext({ answers: { dependencies: 'none' } })
    await setUp(context, steps)
    const text = await readFile(context.paths.appYml, 'utf8')
    expect(text).toContain('\ntool_dependency_dir: none\n')
    expect(text).not.toContain('dependency_resolvers_config_file')
    await expect(stat(context.paths.resolvers)).rejects.toThrow('ENOENT')
  })
})

describe('server.ini', () => {
  it('serves HTTP as the exercise ends up with it', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    const text = await readFile(context.paths.serverIni, 'utf8')
    const section = /\[uwsgi\]\n([^[]*?)\n\n/.exec(text)?.[1]
    expect(section?.split('\n')).toEqual([
      'master = True',
      'paste-logger = true',
      'http = localhost:8913',
      'processes = 1',
      'enable-threads = True',
      'buffer-size = 16384',
      `logto = ${context.paths.serverLog}`,
    ])
    expect((await load(context)).logging.file).toBe(context.paths.serverLog)
  })

  it.each(['0.0.0.0', '::1', 'localhost'])('listens on %s', async (host) => {
    const context = await makeContext({ answers: { host, port: 9001 } })
    await setUp(context, steps)
    expect((await load(context)).server).toMatchObject({ host, port: 9001 })
  })

  it('keeps a port that was changed by hand, and changes both places when another is asked for', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    const { serverIni } = context.paths
    const moved = again(context, plan, { answers: { port: 9000 }, explicit: ['port'] })
    const second = await setUp(moved, steps)
    expect(await readFile(serverIni, 'utf8')).toMatch(/port = 9000[\s\S]*http = localhost:9000\n/)
    await edit(serverIni, 'port = 9000', 'port = 9999')
    const next = await makePlan(again(moved, second), steps)
    expect(next.changes).toEqual([])
    expect(next.notes).toEqual(['kept: port = 9999 in server.ini (edited by hand; setup would write 9000)'])
  })

  it('changes no half of an address, where the other half was edited by hand', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    await edit(context.paths.serverIni, /^port = .*$/m, 'port = 8971')
    const asked = again(context, plan, { answers: { port: 8972 }, explicit: ['port'] })
    const second = await makePlan(asked, steps)
    expect(second.conflicts).toMatchObject([{ key: '[server:main] port' }])
    expect(second.changes).toEqual([])
    const entry = (from: typeof plan) => from.manifest.files[context.paths.serverIni]
    expect(entry(second)).toEqual(entry(plan))
    await setUp(again(context, plan, { answers: { port: 8972 }, explicit: ['port'], force: true }), steps)
    expect(await readFile(context.paths.serverIni, 'utf8')).toMatch(
      /port = 8972[\s\S]*http = localhost:8972\n/,
    )
  })

  it('is a conflict when it names another app.yml, since all of ours would have no effect', async () => {
    const context = await makeContext()
    await put(context.paths.serverIni, '[app:main]\napp_config = /etc/pulsar/app.yml\n')
    const { conflicts } = await planOf(serverIniStep, context)
    expect(conflicts).toMatchObject([{ key: '[app:main] app_config' }])
    await put(context.paths.serverIni, '[app:main]\napp_config = app.yml\n')
    expect((await planOf(serverIniStep, context)).conflicts).toEqual([])
  })

  it('takes over one of the Python Pulsar key by key', async () => {
    const context = await makeContext()
    const theirs =
      '[server:main]\nport = 8913\nhost = localhost\n\n[uwsgi]\nmaster = True\nsocket = localhost:3031\n\n[loggers]\nkeys = root\n'
    await put(context.paths.serverIni, theirs)
    const { file, conflicts, notes } = await planOf(serverIniStep, context)
    expect({ conflicts, notes }).toEqual({ conflicts: [], notes: [] })
    expect(file?.after).toContain('socket = localhost:3031\npaste-logger = true\nhttp = localhost:8913\n')
    expect(file?.after.endsWith('\n\n[loggers]\nkeys = root\n')).toBe(true)
  })
})

describe('local_env.sh', () => {
  function setEnvironment(values: Readonly<Record<string, string>>): void {
    const saved = { ...process.env }
    Object.assign(process.env, values)
    onTestFinished(() => {
      process.env = saved
    })
  }

  it('exports the DRMAA library, quoted', async () => {
    const context = await makeContext({ answers: { manager: 'drmaa', drmaaLibrary: '/opt/my drmaa/lib.so' } })
    await setUp(context, steps)
    const text = await readFile(context.paths.localEnv, 'utf8')
    expect(text).toContain("export DRMAA_LIBRARY_PATH='/opt/my drmaa/lib.so'\n")
  })

  it('tells where the cluster is when that is not where Slurm looks, and keeps it from a shell that does not know', async () => {
    setEnvironment({ SLURM_CONF: '/opt/slurm/etc/slurm.conf' })
    const context = await makeContext()
    const plan = await setUp(context, steps)
    const { localEnv } = context.paths
    expect(await readFile(localEnv, 'utf8')).toContain('export SLURM_CONF=/opt/slurm/etc/slurm.conf\n')
    delete process.env.SLURM_CONF
    const next = await makePlan(again(context, plan), steps)
    expect({ changes: next.changes, notes: next.notes, manifest: next.manifest }).toEqual({
      changes: [],
      notes: [],
      manifest: plan.manifest,
    })
    await setUp(again(context, plan, { answers: { manager: 'local' }, explicit: ['manager'] }), steps)
    expect(await readFile(localEnv, 'utf8')).not.toContain('SLURM_CONF')
  })

  it('puts commands of Slurm on the PATH that a service would not find', async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'sbatch'), '#!/bin/sh\n')
    await chmod(join(directory, 'sbatch'), 0o755)
    const isUsual = await Promise.all(
      ['/usr/bin/sbatch', '/usr/local/bin/sbatch', '/bin/sbatch'].map((file) =>
        stat(file).then(
          () => true,
          () => false,
        ),
      ),
    )
    setEnvironment({ PATH: `${directory}:${process.env.PATH}` })
    const context = await makeContext()
    await setUp(context, steps)
    const text = await readFile(context.paths.localEnv, 'utf8')
    expect(text.includes(`export PATH=${directory}:"$PATH"\n`)).toBe(!isUsual.includes(true))
  })

  it('minds no script that sets a variable in its own way, as long as nothing has to be set', async () => {
    const context = await makeContext({ answers: { manager: 'local' } })
    await put(context.paths.localEnv, 'if true; then\n  export DRMAA_LIBRARY_PATH=/x\nfi\n')
    const { changes, conflicts, notes } = await planOf(localEnvStep, context)
    expect({ changes, conflicts, notes }).toEqual({ changes: [], conflicts: [], notes: [] })
    const asked = again(context, undefined, { answers: { drmaaLibrary: '/y' }, explicit: ['drmaaLibrary'] })
    expect((await planOf(localEnvStep, asked)).conflicts).toMatchObject([{ key: 'DRMAA_LIBRARY_PATH' }])
  })
})

describe('dependency_resolvers_conf.xml', () => {
  it('installs Conda on first use', async () => {
    const { file } = await planOf(resolversStep, await makeContext())
    expect(file?.after).toBe(
      '<dependency_resolvers>\n  <conda auto_install="True" auto_init="True" />\n</dependency_resolvers>\n',
    )
  })

  it('names the module command and its path, which a service does not know', async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'lmod'), '#!/bin/sh\n')
    await chmod(join(directory, 'lmod'), 0o755)
    const saved = { ...process.env }
    onTestFinished(() => {
      process.env = saved
    })
    Object.assign(process.env, { LMOD_CMD: join(directory, 'lmod'), MODULEPATH: '/a&b' })
    const { file, notes } = await planOf(
      resolversStep,
      await makeContext({ answers: { dependencies: 'modules' } }),
    )
    expect(notes).toEqual([])
    expect(file?.after).toContain(`  <lmod lmodexec="${directory}/lmod" modulepath="/a&amp;b" />\n`)
  })

  it('stays when a later run is from a shell that knows less of modules', async () => {
    const saved = { ...process.env }
    onTestFinished(() => {
      process.env = saved
    })
    const directory = await tempDirectory()
    await writeFile(join(directory, 'lmod'), '#!/bin/sh\n')
    await chmod(join(directory, 'lmod'), 0o755)
    Object.assign(process.env, { LMOD_CMD: join(directory, 'lmod'), MODULEPATH: '/apps' })
    const context = await makeContext({ answers: { dependencies: 'modules' } })
    const plan = await setUp(context, steps)
    delete process.env.LMOD_CMD
    delete process.env.MODULEPATH
    const next = await makePlan(again(context, plan), steps)
    expect({ changes: next.changes, notes: next.notes, manifest: next.manifest }).toEqual({
      changes: [],
      notes: [],
      manifest: plan.manifest,
    })
  })

  it('goes when nothing is resolved any more, unless somebody edited it', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    const without = again(context, plan, { answers: { dependencies: 'none' }, explicit: ['dependencies'] })
    expect((await planOf(resolversStep, without)).changes).toMatchObject([
      { kind: 'remove', path: context.paths.resolvers },
    ])
    await edit(context.paths.resolvers, '<conda', '<galaxy_packages />\n  <conda')
    const edited = await planOf(resolversStep, without)
    expect(edited.changes).toEqual([])
    expect(edited.notes).toHaveLength(1)
  })

  it('stays as edited also when Conda is asked for again', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    await edit(context.paths.resolvers, '<conda', '<galaxy_packages />\n  <conda')
    const asked = again(context, plan, { explicit: ['dependencies'] })
    const { changes, conflicts, notes } = await planOf(resolversStep, asked)
    expect({ changes, conflicts }).toEqual({ changes: [], conflicts: [] })
    expect(notes).toEqual([`kept: ${context.paths.resolvers} (edited by hand)`])
  })
})

describe('supervisor.conf', () => {
  it('is the program section that the exercise ends up with', async () => {
    const context = await makeContext({ answers: { service: 'supervisor' } })
    await setUp(context, steps)
    const { prefix } = context.paths
    expect((await readFile(context.paths.supervisorConf, 'utf8')).replaceAll(/ +=/g, ' =')).toBe(
      `[program:pulsar]
user = ${context.answers.user}
directory = ${prefix}/etc
command = ${prefix}/bin/pulsar --mode 'uwsgi' --config '${prefix}/etc'
redirect_stderr = true
autorestart = true
environment = VIRTUAL_ENV="${prefix}",PATH="${prefix}/bin:%(ENV_PATH)s"
stopsignal = INT
`,
    )
  })

  it('keeps what an admin added and changed', async () => {
    const context = await makeContext({ answers: { service: 'supervisor', instance: 'two' } })
    const plan = await setUp(context, steps)
    const { supervisorConf } = context.paths
    await edit(supervisorConf, 'autorestart     = true', 'autorestart     = unexpected')
    await edit(supervisorConf, /$/, 'stopwaitsecs    = 30\n')
    const next = await makePlan(again(context, plan), steps)
    expect(next.changes).toEqual([])
    expect(next.notes).toEqual([
      'kept: autorestart = unexpected in supervisor.conf (edited by hand; setup would write true)',
    ])
    expect(await readFile(supervisorConf, 'utf8')).toContain('[program:pulsar-two]')
  })

  it('is not written for another service manager', async () => {
    const context = await makeContext({ answers: { service: 'systemd' } })
    expect((await planOf(supervisorConfStep, context)).changes).toEqual([])
  })
})

describe('a directory of the node', () => {
  it('is made with what is missing above it', async () => {
    const top = join(await tempDirectory(), 'a', 'b')
    const context = contextFor({ root: false, prefix: join(top, 'pulsar') })
    const { changes } = await directoriesStep.plan(context, [])
    expect(changes.slice(0, 3)).toMatchObject([
      { path: dirname(top), mode: 0o755 },
      { path: top, mode: 0o755 },
      // Without root a node is closed to others as a home is.
      { path: context.paths.prefix, mode: 0o700 },
    ])
    expect(changes.slice(3).every((change) => change.kind === 'directory' && change.mode === 0o755)).toBe(
      true,
    )
  })

  it('may be a link to a directory elsewhere', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    const scratch = await tempDirectory()
    await rm(context.paths.jobs, { recursive: true })
    await symlink(scratch, context.paths.jobs)
    const next = await makePlan(again(context, plan), steps)
    expect({ changes: next.changes, conflicts: next.conflicts }).toEqual({ changes: [], conflicts: [] })
    expect(next.notes).toEqual([expect.stringContaining(`kept: ${context.paths.jobs} is a symbolic link`)])
  })

  it('is a conflict where something else stands', async () => {
    const context = await makeContext()
    await put(context.paths.var, 'a file\n')
    const { conflicts } = await directoriesStep.plan(context, [])
    expect(conflicts).toMatchObject([
      { path: context.paths.var, message: expect.stringContaining('is no directory') },
    ])
  })

  it('keeps a tighter mode, with a note, and gets back what the server needs', async () => {
    const context = await makeContext()
    const plan = await setUp(context, steps)
    await chmod(context.paths.var, 0o750)
    await chmod(context.paths.jobs, 0o300)
    const { changes, notes } = await directoriesStep.plan(again(context, plan), [])
    expect(changes).toMatchObject([{ path: context.paths.jobs, mode: 0o755 }])
    expect(notes).toEqual([`kept: ${context.paths.var} has mode 0750 (setup would give it 0755)`])
  })

  it('goes with the node when it holds nothing of somebody else', async () => {
    const context = await makeContext()
    await setUp(context, steps)
    const { paths, facts, signal } = context
    const remove = async (purge: boolean): Promise<string[]> => {
      const changes =
        (await directoriesStep.remove?.({ paths, facts, signal, purge, manifest: undefined })) ?? []
      return changes.map((change) => (change.kind === 'remove' ? change.path : change.kind))
    }
    expect(await remove(false)).toEqual([paths.bin, paths.lib])
    expect(await remove(true)).toEqual([paths.bin, paths.lib, paths.etc, paths.var, paths.prefix])
    await writeFile(join(paths.bin, 'samtools'), '')
    expect(await remove(true)).toEqual([paths.lib, paths.etc, paths.var])
  })
})
