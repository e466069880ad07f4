import { describe, expect, it } from 'vitest'
import { AnswersError, draftAnswers, resolveAnswers } from '../../src/setup/answers/answers.js'
import { readEnvironment } from '../../src/setup/answers/environment.js'
import type { AnswerProblem } from '../../src/setup/answers/given.js'
import { type OptionName, VARIABLE_PREFIX, variableOf } from '../../src/setup/answers/option.js'
import { SETUP_OPTIONS } from '../../src/setup/answers/options/index.js'
import { type Case, problemsOf, resolveCase, resolveInput, rootFacts, userFacts } from './answer-fixtures.js'

describe('answers nobody gave', () => {
  it('are those of the exercise for root, with what the machine has', async () => {
    const { answers, sources, reasons } = await resolveCase({})
    expect(answers).toEqual({
      instance: undefined,
      prefix: '/srv/pulsar',
      user: 'pulsar',
      group: 'pulsar',
      uid: undefined,
      gid: undefined,
      home: '/home/pulsar',
      shell: '/bin/bash',
      separatePrivileges: false,
      manager: 'slurm',
      partition: undefined,
      nativeSpecification: undefined,
      concurrentJobs: '*',
      drmaaLibrary: undefined,
      dependencies: 'conda',
      host: 'localhost',
      port: 8913,
      token: undefined,
      tlsCert: undefined,
      tlsKey: undefined,
      service: 'supervisor',
      start: true,
      verify: true,
      node: 'download',
      runtimeTarball: undefined,
    })
    expect(sources).toMatchObject({ prefix: 'default', manager: 'found', service: 'found', token: 'default' })
    expect(reasons.manager).toBe('sinfo answers: partitions debug (1 node), big (20 nodes)')
  })

  it('stay below the home directory, as the current user and without a service, without root', async () => {
    const { answers } = await resolveCase({ facts: userFacts })
    expect(answers).toMatchObject({
      prefix: '/home/pulsar/ann/pulsar',
      user: 'ann',
      group: 'users',
      home: '/home/pulsar/ann',
      manager: 'local',
      service: 'none',
    })
  })

  it('give an instance its own prefix and the next free port', async () => {
    const machine = { nextFreePort: async (_host: string, from: number) => from + 2 }
    const { answers } = await resolveCase({ flags: { instance: 'two' }, machine })
    expect(answers).toMatchObject({ prefix: '/srv/pulsar-two', port: 8916, user: 'pulsar' })
  })

  it('follow a user that exists', async () => {
    const known = { name: 'galaxy', group: 'gx', home: '/data/galaxy', shell: '/bin/dash' }
    const lookUpUser = async (name: string) => (name === 'galaxy' ? known : undefined)
    const { answers } = await resolveCase({ flags: { user: 'galaxy' }, machine: { lookUpUser } })
    expect(answers).toMatchObject({ user: 'galaxy', group: 'gx', home: '/data/galaxy', shell: '/bin/dash' })
    expect((await resolveCase({ flags: { user: 'eve' } })).answers).toMatchObject({
      group: 'eve',
      home: '/home/eve',
      shell: '/bin/bash',
    })
  })

  it('are the prefix that the running program is installed in, but not for another instance', async () => {
    const machine = { ownPrefix: '/opt/node' }
    expect((await resolveCase({ machine })).answers.prefix).toBe('/opt/node')
    expect((await resolveCase({ machine, flags: { instance: 'b' } })).answers.prefix).toBe('/srv/pulsar-b')
  })

  it('prefer systemd where no Supervisor runs, and nothing where neither does', async () => {
    const systemd = { version: '252', running: true }
    const facts = { ...rootFacts, supervisor: undefined }
    expect((await resolveCase({ facts: { ...facts, systemd } })).answers.service).toBe('systemd')
    expect((await resolveCase({ facts })).answers.service).toBe('none')
  })
})

async function resolveInputProblems(given: Case, name: OptionName): Promise<AnswerProblem> {
  const { problems } = await draftAnswers(resolveInput(given))
  const own = problems.filter((problem) => problem.name === name)
  expect(own, name).toHaveLength(1)
  return own[0] as AnswerProblem
}

describe('the order of precedence', () => {
  const all = {
    flags: { port: '1111' },
    environment: { port: '2222' },
    answersFile: { port: '3333' },
    wizard: { port: '4444' },
    last: { port: 5555 },
  }
  it.each([
    [all, 1111, 'flag'],
    [{ ...all, flags: {} }, 2222, 'environment'],
    [{ ...all, flags: {}, environment: {} }, 3333, 'answers file'],
    [{ wizard: all.wizard, last: all.last }, 4444, 'wizard'],
    [{ last: all.last }, 5555, 'found'],
    [{}, 8913, 'default'],
  ] as const)('case %#: %3$s', async (given, port, source) => {
    const resolved = await resolveCase(given)
    expect([resolved.answers.port, resolved.sources.port]).toEqual([port, source])
  })

  it('is the same for every option', async () => {
    for (const { name } of SETUP_OPTIONS) {
      // Nothing takes a control character, so the strongest of the three complains.
      const wrong = { [name]: '\u0001' }
      const layers = { answersFile: wrong, environment: wrong, flags: wrong }
      expect((await resolveInputProblems(layers, name)).spelled, name).toMatch(/^--/)
      expect((await resolveInputProblems({ ...layers, flags: {} }, name)).spelled, name).toMatch(/^MAGNETAR/)
      expect((await resolveInputProblems({ answersFile: wrong }, name)).spelled, name).toMatch(/^node.yml/)
    }
  })
})

describe('the last setup', () => {
  const last = {
    user: 'galaxy',
    group: 'gx',
    home: '/data/gx',
    shell: '/bin/dash',
    manager: 'slurm',
    partition: 'big',
  }

  it('is taken over where nothing else is said', async () => {
    const { answers, reasons } = await resolveCase({ last })
    expect(answers).toMatchObject(last)
    expect(reasons.partition).toBe('the last setup')
  })

  it('does not say what belongs to an answer that is another now', async () => {
    const { answers } = await resolveCase({ last, flags: { user: 'eve', manager: 'local' } })
    expect(answers).toMatchObject({ user: 'eve', group: 'eve', home: '/home/eve', partition: undefined })
  })

  it('can be taken back with an empty value', async () => {
    expect((await resolveCase({ last, flags: { partition: '' } })).answers.partition).toBeUndefined()
  })

  it('does not decide whether this run starts and verifies', async () => {
    const { answers } = await resolveCase({ last: { start: false, verify: false } })
    expect(answers).toMatchObject({ start: true, verify: true })
  })

  it('says which instance lives at a prefix, and another one is refused there', async () => {
    const there = { last: { instance: 'two' }, flags: { prefix: '/srv/pulsar-two' } }
    expect((await resolveCase(there)).answers.instance).toBe('two')
    expect(await problemsOf({ ...there, flags: { ...there.flags, instance: 'three' } })).toEqual([
      '--instance: /srv/pulsar-two holds the instance two; name another --prefix, or leave --instance out',
    ])
  })

  it('that cannot be read as an answer is ignored', async () => {
    expect((await resolveCase({ last: { port: 'many', manager: null } })).answers).toMatchObject({
      port: 8913,
      manager: 'slurm',
    })
  })
})

describe('wrong answers', () => {
  it('are all named at once, each as it was given and with what was expected', async () => {
    const error = await resolveCase({
      flags: { port: '99999', tokenFile: 'no such' },
      environment: { uid: '-3' },
      answersFile: { dependencies: 'pip' },
      machine: { whyUnreadable: async () => 'there is no such file' },
    }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(AnswersError)
    expect(error).toMatchObject({ code: 'ANSWER_INVALID' })
    expect((error as AnswersError).message.split('\n  ')).toEqual([
      'these answers are missing or cannot be used:',
      'MAGNETAR_SETUP_UID: expected a number from 1 to 4294967294, or nothing, found "-3"',
      'node.yml: dependencies: expected one of conda, modules, none, found "pip"',
      '--port: expected a port number from 1 to 65535, found "99999"',
      '--token-file: /work/no such cannot be read: there is no such file',
    ])
  })

  it.each([
    [
      { flags: { user: 'root' } },
      '--user: jobs are programs of other people and never run as root; name another user',
    ],
    [
      { flags: { manager: 'drmaa' } },
      "--manager: drmaa needs --drmaa-library FILE; --manager slurm uses Slurm's own commands and needs none",
    ],
    [
      { flags: { prefix: '/usr' } },
      '--prefix: expected a directory of its own, of letters, digits and . _ - + / only, found "/usr"',
    ],
    [
      { flags: { prefix: '/srv/my node' } },
      '--prefix: expected a directory of its own, of letters, digits and . _ - + / only, found "/srv/my node"',
    ],
    [{ flags: { partition: 'bgi' } }, '--partition: Slurm has no partition bgi; is big meant?'],
    [{ flags: { partition: 'gpu' } }, '--partition: Slurm has no partition gpu; it has debug, big'],
    [
      { flags: { concurrentJobs: '4' } },
      '--concurrent-jobs: only has a meaning with --manager local, and jobs are run by slurm here',
    ],
    [{ flags: { port: '80' } }, '--port: ports below 1024 belong to root, and the node runs as pulsar'],
    [
      { flags: { host: '198.51.100.9', noTls: 'yes' } },
      '--host: 198.51.100.9 is no address of this machine; it has 192.0.2.7',
    ],
    [
      { flags: { host: '198.51.100.9', noTls: 'yes' }, machine: { addresses: [] } },
      '--host: 198.51.100.9 is no address of this machine; it has none but loopback: 127.0.0.1',
    ],
    [{ flags: { home: '/' } }, '--home: expected an absolute path, not /'],
    [{ flags: { home: 'rel' } }, '--home: expected an absolute path, not /, found "rel"'],
    [
      { flags: { host: '300.1.1.1' } },
      '--host: expected an address of this machine, a host name, or 0.0.0.0 for all addresses, found "300.1.1.1"',
    ],
    [{ flags: { service: 'systemd' } }, '--service: there is no systemd here'],
    [{ flags: { noTls: 'yes', tlsCert: '/c', tlsKey: '/k' } }, '--tls-cert: contradicts --no-tls'],
    [{ flags: { node: '/n', runtimeTarball: '/t' } }, '--runtime-tarball: contradicts --node'],
  ])('%j', async (given, line) => {
    expect((await problemsOf(given))[0]).toBe(line)
  })

  it('a home / is taken of a user that has it', async () => {
    const lookUpUser = async (name: string) => ({ name, group: name, home: '/', shell: '/bin/sh' })
    expect((await resolveCase({ flags: { home: '/' }, machine: { lookUpUser } })).answers.home).toBe('/')
  })

  it('are refused for Slurm where there is none, unless nothing is to be verified', async () => {
    const given = { facts: userFacts, flags: { manager: 'slurm' } }
    expect(await problemsOf(given)).toEqual([
      '--manager: no Slurm answers here: there is no sinfo on the PATH. With --no-verify it is set up all the same',
    ])
    expect((await resolveCase({ ...given, flags: { manager: 'slurm', verify: 'no' } })).answers.manager).toBe(
      'slurm',
    )
  })
})

describe('an address that others reach', () => {
  it('needs certificate and key, or the word that a proxy does TLS; what is missing is named', async () => {
    const error = await resolveCase({ flags: { host: '0.0.0.0' } }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ANSWERS_MISSING' })
    expect((error as Error).message).toMatch(
      /^--tls-cert and --tls-key: other machines can reach 0\.0\.0\.0, .* --no-tls/,
    )
    expect((await resolveCase({ flags: { host: '0.0.0.0', noTls: 'yes' } })).answers.tlsCert).toBeUndefined()
    const tls = { host: '::', tlsCert: 'c.pem', tlsKey: '~/k.pem' }
    expect((await resolveCase({ flags: tls })).answers).toMatchObject({
      tlsCert: '/work/c.pem',
      tlsKey: `${rootFacts.account.home}/k.pem`,
    })
  })

  it('names the half of the pair that is missing', async () => {
    expect(await problemsOf({ flags: { tlsCert: '/c.pem' } })).toEqual([
      '--tls-key: the certificate needs its private key',
    ])
    expect(await problemsOf({ flags: { tlsKey: '/k.pem' } })).toEqual([
      '--tls-cert: the private key needs its certificate',
    ])
  })

  it('stays as it was allowed the last time, and --no-tls ends the TLS of the last time', async () => {
    expect((await resolveCase({ last: { host: '0.0.0.0' } })).answers.host).toBe('0.0.0.0')
    const last = { host: '0.0.0.0', tlsCert: '/c.pem', tlsKey: '/k.pem' }
    expect((await resolveCase({ last })).answers.tlsCert).toBe('/c.pem')
    expect((await resolveCase({ last, flags: { noTls: 'yes' } })).answers).toMatchObject({
      tlsCert: undefined,
      tlsKey: undefined,
    })
  })
})

describe('a port in use', () => {
  const taken = { isPortFree: async () => false, nextFreePort: async () => 8920 }

  it('is named before anything is changed, with one that is free', async () => {
    expect(await problemsOf({ machine: taken })).toEqual([
      '--port: port 8913 is in use by another program; 8920 is free',
    ])
  })

  it('is fine when it is the node itself, or when the node has another one by hand', async () => {
    const own = { ...taken, configuredPort: async () => 8913 }
    expect(await problemsOf({ machine: own })).toEqual([])
    const byHand = { ...taken, configuredPort: async () => 9000 }
    expect(await problemsOf({ machine: byHand })).toEqual([])
    expect(await problemsOf({ machine: byHand, flags: { port: '8913' } })).toHaveLength(1)
  })

  it('is its own when its configuration cannot be read and the last setup had that port', async () => {
    const broken = { ...taken, configuredPort: async () => 'unreadable' as const }
    expect(await problemsOf({ machine: broken, last: { port: 8913 } })).toEqual([])
    expect(await problemsOf({ machine: broken, last: { port: 8913 }, flags: { port: '8914' } })).toHaveLength(
      1,
    )
    expect(await problemsOf({ machine: broken })).toHaveLength(1)
  })

  it('does not matter for an image that is not started here', async () => {
    expect(await problemsOf({ machine: taken, flags: { start: 'no', verify: 'no' } })).toEqual([])
  })
})

describe('without root', () => {
  it('what only root can do is NOT_PERMITTED', async () => {
    const given = { facts: userFacts, flags: { user: 'pulsar' } }
    const error = await resolveCase(given).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'NOT_PERMITTED' })
    expect((error as Error).message).toBe(
      '--user: only root can set up a node that runs as somebody else than ann',
    )
  })

  it('a prefix that may not be written to is named', async () => {
    const given = {
      facts: userFacts,
      flags: { prefix: '/srv/pulsar' },
      machine: { mayCreate: async () => false },
    }
    expect(await problemsOf(given)).toEqual([
      '--prefix: ann may not write to /srv/pulsar; run this as root, or name another --prefix',
    ])
  })
})

it('a prefix with something else in it needs --force', async () => {
  const machine = { whyOccupied: async () => 'a Python Pulsar is installed in /srv/pulsar' }
  expect(await problemsOf({ machine })).toEqual([
    '--prefix: a Python Pulsar is installed in /srv/pulsar; name another --prefix, or add --force to set it up there',
  ])
  expect(await problemsOf({ machine, force: true })).toEqual([])
})

describe('the environment', () => {
  it('has one variable for each option', () => {
    const env = Object.fromEntries(SETUP_OPTIONS.map(({ name }) => [variableOf(name), 'x']))
    const { given, problems } = readEnvironment(env, '/work')
    expect([...given.keys()]).toEqual(SETUP_OPTIONS.map(({ name }) => name))
    expect(problems).toEqual([])
  })

  it('tells of names that are not known, with the nearest one, and never takes a token', () => {
    const env = {
      MAGNETAR_SETUP_PREFX: '/x',
      MAGNETAR_SETUP_TOKEN: 'secret',
      MAGNETAR_SETUP_BANANA: '1',
      MAGNETAR_SETUP_HOST: '',
      MAGNETAR_PREFIX: '/y',
    }
    const { given, problems } = readEnvironment(env, '/work')
    expect(given.size).toBe(0)
    expect(problems.map(({ spelled, message }) => `${spelled}: ${message}`)).toEqual([
      'MAGNETAR_SETUP_PREFX: there is no such variable; is MAGNETAR_SETUP_PREFIX meant?',
      'MAGNETAR_SETUP_TOKEN: other programs can read the environment; put the token into a file and name that in MAGNETAR_SETUP_TOKEN_FILE',
      'MAGNETAR_SETUP_BANANA: there is no such variable',
    ])
    expect(JSON.stringify(problems)).not.toContain('secret')
  })
})

it('problems that were found before are told along with the others', async () => {
  const problem = { name: undefined, kind: 'invalid', spelled: 'MAGNETAR_SETUP_X', message: 'no' } as const
  const input = resolveInput({ flags: { port: 'x' } })
  await expect(resolveAnswers({ ...input, problems: [problem] })).rejects.toThrow(
    /cannot be used:\n {2}MAGNETAR_SETUP_X: no\n {2}--port: expected/,
  )
})

it('every option says all that help, docs and wizard need', () => {
  const flags = SETUP_OPTIONS.flatMap((option) => option.flags.map(({ flag }) => flag))
  expect(new Set(flags).size).toBe(flags.length)
  for (const { name, flags, description, why, defaultText, type } of SETUP_OPTIONS) {
    expect(flags.length, name).toBeGreaterThan(0)
    for (const { argument, value } of flags)
      expect((argument === undefined) !== (value === undefined), name).toBe(true)
    expect(description, name).toMatch(/^[a-zA-Z].*[^.]$/)
    expect(why, name).toMatch(/[.]$/)
    expect(why, name).not.toContain('\n')
    expect(defaultText, name).not.toBe('')
    expect(type.expected, name).not.toBe('')
    expect(variableOf(name).startsWith(VARIABLE_PREFIX)).toBe(true)
  }
})

describe('a file where the prefix is to be', () => {
  it.each([false, true])('is never said to be replaced (force: %s)', async (force) => {
    const machine = { whyNoDirectory: async () => '/srv/pulsar is no directory' }
    expect(await problemsOf({ machine, force })).toEqual([
      '--prefix: /srv/pulsar is no directory; move it away, or name another --prefix',
    ])
  })
})
