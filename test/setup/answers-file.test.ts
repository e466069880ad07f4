import { describe, expect, it } from 'vitest'
import { resolveAnswers } from '../../src/setup/answers/answers.js'
import { readAnswersFile, renderAnswersFile } from '../../src/setup/answers/answers-file.js'
import { fileKeyOf } from '../../src/setup/answers/option.js'
import { SETUP_OPTIONS } from '../../src/setup/answers/options/index.js'
import { type Case, resolveCase, resolveInput, rootFacts, userFacts } from './answer-fixtures.js'

const read = (text: string) => readAnswersFile(text, 'node.yml', '/srv/answers')

describe('reading an answers file', () => {
  it('takes every key, and texts as they are written', () => {
    const { given, problems } = read(
      'prefix: node\nport: 8913\ninstance: 007\nstart: no\npartition: ~\nuser: "null"\nnative_specification: --mem=4G # limit\n',
    )
    expect(problems).toEqual([])
    expect(Object.fromEntries([...given].map(([name, { text }]) => [name, text]))).toEqual({
      prefix: 'node',
      port: '8913',
      instance: '007',
      start: 'no',
      partition: '',
      user: 'null',
      nativeSpecification: '--mem=4G',
    })
    expect(given.get('port')).toMatchObject({ spelled: 'node.yml:2: port', directory: '/srv/answers' })
  })

  it('relative paths are taken from its own directory', async () => {
    const { given } = read('prefix: node\n')
    const input = resolveInput({})
    const { answers } = await resolveAnswers({ ...input, given: { ...input.given, answersFile: given } })
    expect(answers.prefix).toBe('/srv/answers/node')
  })

  it('names unknown keys with the nearest one, and takes no token', () => {
    const { problems } = read('prfix: /x\ntoken: secret\nport: [1, 2]\nwhatever: 1\n')
    expect(problems.map(({ spelled, message }) => `${spelled}: ${message}`)).toEqual([
      'node.yml:1: prfix: there is no such key; is prefix meant?',
      'node.yml:2: token: an answers file holds no token; put it into a file of its own and name that in token_file',
      'node.yml:3: port: expected one value',
      'node.yml:4: whatever: there is no such key',
    ])
    expect(JSON.stringify(problems)).not.toContain('secret')
  })

  it('takes no tags and no keys but words', () => {
    const { given, problems } = read(
      'prefix: !!js/function x\n? [a, b]\n: 1\nuser: !secret\n: 2\nport: !!str 80\n',
    )
    expect(problems.map(({ spelled, message }) => `${spelled}: ${message}`)).toEqual([
      expect.stringMatching(/^node\.yml:1: prefix: tags \(!…\) have no meaning here/),
      'node.yml:2: expected the name of an option before the colon',
      expect.stringMatching(/^node\.yml:4: user: tags \(!…\) have no meaning here/),
      // An empty key begins where the line before it ends.
      'node.yml:4: expected the name of an option before the colon',
    ])
    expect([...given.keys()]).toEqual(['port'])
    expect(JSON.stringify(problems)).not.toContain('secret')
  })

  it.each([
    ['a: b: c\n', /^node\.yml:1: this is no YAML/],
    ['port: 1\nport: 2\n', /^node\.yml:2: this is no YAML/],
    ['port: 1\n---\nport: 2\n', /^node\.yml:[23]: a second document begins here$/],
    ['!x\nport: 1\n', /^node\.yml:[12]: tags \(!…\) have no meaning here/],
    ['- prefix\n', /^node\.yml: expected a mapping/],
    ['/srv/pulsar\n', /^node\.yml: expected a mapping/],
  ])('refuses %j', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })

  it.each(['', '# nothing\n', '---\n'])('takes %j as no answers', (text) => {
    expect(read(text)).toEqual({ given: new Map(), problems: [] })
  })
})

describe('saving answers', () => {
  const cases: [string, Case][] = [
    ['nothing given', {}],
    ['without root', { facts: userFacts }],
    ['an instance', { flags: { instance: '007', prefix: '/srv/x' } }],
    ['words that YAML would misread', { flags: { user: 'yes', group: 'null', partition: 'debug' } }],
    ['a specification with signs', { flags: { nativeSpecification: '--constraint="a:b" #c' } }],
    ['local jobs', { flags: { manager: 'local', concurrentJobs: '*' } }],
    ['three local jobs', { flags: { manager: 'local', concurrentJobs: '3' } }],
    ['TLS', { flags: { host: '0.0.0.0', tlsCert: '/etc/c: d.pem', tlsKey: '/etc/k.pem', tokenFile: '/t' } }],
    ['a proxy', { flags: { host: '::', noTls: 'yes' } }],
    [
      'all the rest',
      { flags: { dependencies: 'none', service: 'none', separatePrivileges: 'yes', node: '/n', uid: '900' } },
    ],
  ]

  it.each(cases)('gives the same answers again: %s', async (_what, given) => {
    const first = await resolveCase(given)
    const saved = read(renderAnswersFile(first))
    expect(saved.problems).toEqual([])
    const input = resolveInput(given.facts ? { facts: given.facts } : {})
    const again = await resolveAnswers({ ...input, given: { ...input.given, answersFile: saved.given } })
    expect(again.answers).toEqual(first.answers)
    expect(again.tokenFile).toBe(first.tokenFile)
  })

  it('gives the same answers on a machine that has other things', async () => {
    const first = await resolveCase({})
    const { given } = read(renderAnswersFile(first))
    const facts = { ...rootFacts, supervisor: undefined, slurm: { found: false, why: 'it is down' } as const }
    const input = resolveInput({ facts, flags: { verify: 'no', service: 'none' } })
    const again = await resolveAnswers({ ...input, given: { ...input.given, answersFile: given } })
    expect(again.answers).toEqual({ ...first.answers, verify: false, service: 'none' })
  })

  it('has a line for every option with its description, but never the token', async () => {
    const resolved = await resolveCase({ flags: { tokenFile: '-' } })
    const text = renderAnswersFile({ ...resolved, answers: { ...resolved.answers, token: 'secret-token' } })
    for (const { name, description } of SETUP_OPTIONS) {
      expect(text).toContain(`# ${description}`)
      expect(text).toMatch(new RegExp(`^(# )?${fileKeyOf(name)}:`, 'm'))
    }
    expect(text).toMatch(/^# token_file:$/m)
    expect(text).not.toContain('secret-token')
    // What is about one run only would surprise in the next one.
    expect(text).toMatch(/^# start:$/m)
  })
})
