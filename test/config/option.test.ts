import { describe, expect, it } from 'vitest'
import { editDistance, findNearest } from '../../src/config/nearest.js'
import { findOption } from '../../src/config/option.js'
import { appOptions, managerOptions, OPTION_GROUPS } from '../../src/config/options/index.js'

describe('the option tables', () => {
  it('give families of keys to every key with their beginning, and exact names first', () => {
    expect(findOption(managerOptions, 'job_time')).toBe(managerOptions['job_*'])
    expect(findOption(managerOptions, 'job_plugin')).toBe(managerOptions.job_plugin)
    expect(findOption(managerOptions, 'ENV_X')).toBe(managerOptions['env_*'])
    expect(findOption(managerOptions, 'Job_time')).toBeUndefined()
    expect(findOption(appOptions, 'toString')).toBeUndefined()
  })

  it('have a default that their own schema accepts', () => {
    for (const { options } of OPTION_GROUPS) {
      for (const [name, { type, default: value }] of Object.entries(options)) {
        if (value === undefined) continue
        expect(type.schema().safeParse(value), name).toEqual({ success: true, data: value })
      }
    }
  })

  it('mark as secret whatever can hold a password', () => {
    const secrets = Object.entries({ ...appOptions, ...managerOptions }).filter(
      ([, option]) => 'secret' in option,
    )
    expect(secrets.map(([name]) => name).sort()).toEqual([
      'amqp_connect_ssl_*',
      'message_queue_password',
      'message_queue_url',
      'private_token',
      'private_token_next',
      'sentry_dsn',
      'shell_*',
    ])
  })
})

describe('typing errors', () => {
  it.each([
    ['port', 'port', 0],
    ['prot', 'port', 1],
    ['prt', 'port', 1],
    ['poort', 'port', 1],
    ['part', 'port', 1],
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
  ])('%s and %s differ by %i', (a, b, distance) => {
    expect(editDistance(a, b, 10)).toBe(distance)
    expect(editDistance(b, a, 10)).toBe(distance)
  })

  it('stop counting at the limit', () => {
    expect(editDistance('abcdef', 'uvwxyz', 3)).toBe(3)
    expect(editDistance('a', 'abcdefghij', 3)).toBe(3)
  })

  it('find the nearest name, and none when all are far', () => {
    expect(findNearest('private_tokn', ['private_token', 'port'])).toBe('private_token')
    expect(findNearest('xyz', ['private_token', 'port'])).toBeUndefined()
  })
})
