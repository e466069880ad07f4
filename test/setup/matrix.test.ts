import { execFileSync } from 'node:child_process'
import { chmod, chown, lstat, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { lookUpGroup, lookUpUser } from '../../src/lib/accounts.js'
import { nodePaths } from '../../src/setup/paths.js'
import { makePlan } from '../../src/setup/plan.js'
import { appYmlStep } from '../../src/setup/steps/app-yml.js'
import { directoriesStep } from '../../src/setup/steps/directories.js'
import { steps } from '../../src/setup/steps/index.js'
import { localEnvStep } from '../../src/setup/steps/local-env.js'
import { resolversStep } from '../../src/setup/steps/resolvers.js'
import { serverIniStep } from '../../src/setup/steps/server-ini.js'
import { supervisorConfStep } from '../../src/setup/steps/supervisor-conf.js'
import { tlsPemStep } from '../../src/setup/steps/tls-pem.js'
import { userStep } from '../../src/setup/steps/user.js'
import type { Answers, SetupContext } from '../../src/setup/types.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { contextFor, nodeUser, setUp } from './context-fixture.js'

const axes = {
  manager: ['slurm', 'local', 'drmaa'],
  dependencies: ['conda', 'modules', 'none'],
  service: ['supervisor', 'systemd', 'none'],
  tls: [true, false],
  separatePrivileges: [true, false],
  instance: ['two', undefined],
  host: ['localhost', '0.0.0.0', '::1'],
  partition: ['big', undefined],
} as const

type Axes = typeof axes
type Choice = { readonly [K in keyof Axes]: Axes[K][number] }

/** Few choices in which every two values of two axes meet. */
function pairs(): Choice[] {
  const names = Object.keys(axes) as (keyof Axes)[]
  const all = names.reduce<Choice[]>(
    (found, name) => found.flatMap((choice) => axes[name].map((value) => ({ ...choice, [name]: value }))),
    [{} as Choice],
  )
  const pairsOf = (choice: Choice): string[] =>
    names.flatMap((one, at) =>
      names.slice(at + 1).map((two) => `${one} ${choice[one]}, ${two} ${choice[two]}`),
    )
  const open = new Set(all.flatMap(pairsOf))
  const chosen: Choice[] = []
  while (open.size > 0) {
    const gain = (choice: Choice): number => pairsOf(choice).filter((pair) => open.has(pair)).length
    const best = all.reduce((one, other) => (gain(other) > gain(one) ? other : one))
    for (const pair of pairsOf(best)) open.delete(pair)
    chosen.push(best)
  }
  return chosen
}

const filesAndDirectories = [
  directoriesStep,
  appYmlStep,
  serverIniStep,
  localEnvStep,
  resolversStep,
  supervisorConfStep,
  tlsPemStep,
]

const isRoot = process.geteuid?.() === 0

function opensslMissing(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'openssl makes the certificates; install it'
  }
}

function titleOf(choice: Choice): string {
  return Object.entries(choice)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}

const cases = pairs().map((choice) => [titleOf(choice), choice] as const)

describe.each([
  {
    account: 'root',
    root: true,
    missing: isRoot ? opensslMissing() : 'not root: files cannot be given away',
  },
  { account: 'a user', root: false, missing: opensslMissing() },
])('a node set up by $account', ({ root, missing }) => {
  let certificates = ''

  beforeAll(async () => {
    if (missing !== undefined) return
    certificates = await tempDirectory()
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30']
    const output = ['-keyout', join(certificates, 'key'), '-out', join(certificates, 'crt')]
    execFileSync('openssl', ['req', '-x509', '-subj', '/CN=a', ...kind, ...output], { stdio: 'ignore' })
  })

  async function makeContext({ tls, ...choice }: Choice): Promise<SetupContext> {
    const prefix = join(await tempDirectory(), 'pulsar')
    const files = tls ? { tlsCert: join(certificates, 'crt'), tlsKey: join(certificates, 'key') } : {}
    const answers: Partial<Answers> = { ...choice, ...files, concurrentJobs: 3, port: 9001 }
    return contextFor({ prefix, root, answers, token: 'a: b' })
  }

  it.each(cases)(
    'is as its answers say, and nothing is left to do: %s',
    needs(missing),
    async (_title, choice) => {
      const context = await makeContext(choice)
      const plan = await setUp(context, filesAndDirectories)
      expect(plan.conflicts).toEqual([])
      expect(await listTree(context)).toEqual(await expectedTree(context))
      await expectConfig(context, choice)
      const again = await makePlan({ ...context, manifest: plan.manifest }, filesAndDirectories)
      expect(again).toEqual({ ...plan, changes: [], notes: again.notes })
      // Whoever has lost the manifest loses nothing else.
      const lost = await makePlan({ ...context, manifest: undefined }, filesAndDirectories)
      expect({ changes: lost.changes, conflicts: lost.conflicts }).toEqual({ changes: [], conflicts: [] })
    },
  )
})

describe('a node of root', needs(isRoot ? undefined : 'not root: files cannot be given away'), () => {
  async function setUpFirst(): Promise<{ context: SetupContext; again: SetupContext }> {
    const prefix = join(await tempDirectory(), 'pulsar')
    const context = contextFor({ prefix, answers: { service: 'none' } })
    const plan = await setUp(context, filesAndDirectories)
    return { context, again: { ...context, manifest: plan.manifest } }
  }

  it('changes hands when privileges are separated later, and back', async () => {
    const { context, again } = await setUpFirst()
    const answers = { ...context.answers, separatePrivileges: true }
    const plan = await setUp({ ...again, answers }, filesAndDirectories)
    const separate = { ...context, answers, manifest: plan.manifest }
    // The token was closed to the group before, so it has to be opened.
    expect(await listTree(separate)).toEqual(await expectedTree(separate))
    await setUp({ ...context, manifest: plan.manifest }, filesAndDirectories)
    const tree = await listTree(context)
    const wanted = await expectedTree(context)
    expect(tree.map(({ owner }) => owner)).toEqual(wanted.map(({ owner }) => owner))
  })

  it('keeps the owner that an admin gave to something afterwards', async () => {
    const { context, again } = await setUpFirst()
    await chown(context.paths.etc, 0, 0)
    expect((await makePlan(again, filesAndDirectories)).changes).toEqual([])
    // What only root may enter is of no use to the server.
    await chmod(context.paths.etc, 0o700)
    expect((await makePlan(again, filesAndDirectories)).changes).toMatchObject([
      { kind: 'directory', path: context.paths.etc, owner: nodeUser },
    ])
  })

  it('tells of data that belongs to the user it was of before', async () => {
    const { context, again } = await setUpFirst()
    const answers = { ...context.answers, user: 'nobody' }
    const { notes } = await makePlan({ ...again, answers }, filesAndDirectories)
    expect(notes).toEqual([expect.stringContaining(`chown -R nobody:daemon ${context.paths.var}`)])
  })
})

async function expectConfig(context: SetupContext, choice: Choice): Promise<void> {
  const { paths } = context
  const options = { configDirectory: paths.etc, env: {}, cwd: '/' }
  const config = await loadConfig({ ...options, mode: 'uwsgi' })
  expect(config).toMatchObject({
    privateToken: 'a: b',
    server: { host: choice.host, port: 9001, sslPem: choice.tls ? paths.tlsPem : undefined },
    stagingDirectory: paths.jobs,
    persistenceDirectory: paths.active,
    logging: { file: paths.serverLog },
  })
  const types = { slurm: 'queued_cli', local: 'queued_python', drmaa: 'queued_drmaa' } as const
  expect(config.managers).toMatchObject([
    {
      name: '_default_',
      type: types[choice.manager],
      jobPlugin: choice.manager === 'slurm' ? 'Slurm' : undefined,
      jobParameters:
        choice.manager === 'slurm' && choice.partition !== undefined ? { partition: choice.partition } : {},
      numConcurrentJobs: choice.manager === 'local' ? 3 : Number.POSITIVE_INFINITY,
    },
  ])
  const unexpected = config.warnings.filter((warning) => !/this release/.test(warning))
  expect(unexpected).toEqual([])
}

interface Entry {
  readonly path: string
  readonly mode: string
  readonly owner: string
}

async function listTree({ paths }: SetupContext): Promise<Entry[]> {
  const found = await readdir(paths.prefix, { recursive: true })
  const entries = ['', ...found].filter((name) => name !== relative(paths.prefix, paths.manifest))
  const tree = entries.map(async (name) => {
    const { mode, uid, gid } = await lstat(join(paths.prefix, name))
    return { path: name, mode: (mode & 0o7777).toString(8), owner: `${uid}:${gid}` }
  })
  return (await Promise.all(tree)).sort(byPath)
}

/** Written down apart from the steps: the exercise's rows 1.2, 2.1 to 2.8 and 3.5, and what the options change of them. */
async function expectedTree({ answers, facts }: SetupContext): Promise<Entry[]> {
  const signal = AbortSignal.timeout(20_000)
  const [user, group] = await Promise.all([
    lookUpUser(answers.user, signal),
    lookUpGroup(answers.group, signal),
  ])
  const self = `${process.geteuid?.()}:${process.getegid?.()}`
  const node = facts.account.isRoot ? `${user?.uid}:${group?.gid}` : self
  const isSeparate = facts.account.isRoot && answers.separatePrivileges
  const code = isSeparate ? '0:0' : node
  const config = isSeparate ? `0:${group?.gid}` : node
  const secret = isSeparate ? '640' : '600'
  const names: [string, string, string][] = [
    ['', facts.account.isRoot ? '755' : '700', code],
    ...['bin', 'lib', 'lib/node', 'lib/releases'].map((path): [string, string, string] => [
      path,
      '755',
      code,
    ]),
    ['etc', '755', config],
    ['etc/dependencies', '755', config],
    ['etc/app.yml', secret, config],
    ['etc/server.ini', '644', config],
    ['etc/local_env.sh', '644', config],
    ...['', '/active', '/deps', '/jobs', '/log'].map((path): [string, string, string] => [
      `var${path}`,
      '755',
      node,
    ]),
  ]
  if (answers.dependencies !== 'none') names.push(['etc/dependency_resolvers_conf.xml', '644', config])
  if (answers.service === 'supervisor') names.push(['etc/supervisor.conf', '644', config])
  if (answers.tlsCert !== undefined) names.push(['etc/server.pem', secret, config])
  return names.map(([path, mode, owner]) => ({ path, mode, owner })).sort(byPath)
}

function byPath(one: Entry, other: Entry): number {
  return one.path < other.path ? -1 : 1
}

describe('the steps', () => {
  it('come in an order in which each finds what it needs', () => {
    const ids = steps.map(({ id }) => id)
    // Services last: what they read has to be there.
    expect(ids.slice(11)).toEqual(expect.arrayContaining(['supervisor-program', 'systemd-unit']))
    expect(ids.slice(0, 11)).toEqual([
      'user',
      'directories',
      'runtime',
      'release',
      'launchers',
      'app-yml',
      'server-ini',
      'local-env',
      'resolvers',
      'supervisor-conf',
      'tls-pem',
    ])
  })

  it('give what is there to a user that is yet to be made', async () => {
    const prefix = await tempDirectory()
    const context = contextFor({ prefix, answers: { user: 'magnetar-none', group: 'magnetar-none' } })
    const { changes } = await makePlan(context, [userStep, ...filesAndDirectories])
    expect(changes[0]).toMatchObject({ kind: 'command', counts: 'user' })
    const owner = { user: 'magnetar-none', group: 'magnetar-none' }
    const given = changes.filter((change) => change.kind === 'directory' || change.kind === 'file')
    expect(given.every((change) => change.owner?.user === owner.user)).toBe(true)
    expect(given.map(({ path }) => path)).toContain(prefix)
  })

  it('leave the first node alone when there is a second one', async () => {
    const two = nodePaths('/srv/pulsar-two', 'two')
    const context = contextFor({ prefix: '/srv/pulsar-two', answers: { instance: 'two', ...nodeUser } })
    const { changes } = await makePlan(context, filesAndDirectories)
    const paths = changes.flatMap((change) => ('path' in change ? [change.path] : []))
    expect(paths.filter((path) => path !== '/srv' && !path.startsWith(two.prefix))).toEqual([])
  })
})
