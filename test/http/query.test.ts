import { describe, expect, it } from 'vitest'
import { parseQuery } from '../../src/http/query.js'

describe('parseQuery', () => {
  it.each([
    ['a=1&b=2', 'a', '1'],
    ['a=1;b=2', 'b', '2'],
    ['a=1&a=2', 'a', '2'],
    ['a=x+y%20z%2B', 'a', 'x y z+'],
    ['a=%zz%4', 'a', '%zz%4'],
    ['a=%C3%A9%zz', 'a', 'é%zz'],
    ['a=%3B%26', 'a', ';&'],
    ['a', 'a', ''],
    ['a=', 'a', ''],
    ['a=b=c', 'a', 'b=c'],
    ['&&;a=1;&', 'a', '1'],
    ['job%5Fid=7', 'job_id', '7'],
    ['a=Ã©', 'a', 'é'],
  ])('reads %s', (raw, name, value) => {
    expect(parseQuery(raw).get(name)).toBe(value)
  })

  it('says which parameter is missing', () => {
    expect(() => parseQuery('').require('job_id')).toThrow('parameter job_id is missing')
    expect(parseQuery('b=1').get('a')).toBeUndefined()
  })

  it('refuses a value that is not UTF-8 when it is asked for, naming the parameter only', () => {
    const query = parseQuery('good=1&bad=%ff%fe')
    expect(query.get('good')).toBe('1')
    expect(() => query.get('bad')).toThrow('parameter bad is not valid UTF-8')
  })

  it('has no inherited parameters', () => {
    expect(parseQuery('').get('constructor')).toBeUndefined()
    expect(parseQuery('__proto__=x').get('__proto__')).toBe('x')
  })

  it('bounds the number of parameters', () => {
    expect(parseQuery('a&'.repeat(1000)).get('a')).toBe('')
    expect(() => parseQuery('a&'.repeat(1001))).toThrow('more than 1000')
  })
})
