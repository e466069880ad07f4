import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { storeSmall } from '../../../src/staging/http/store-small.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { openBelow } from '../../helpers/transfer-tools.js'

describe('storing small files', () => {
  it('stores those that come together, in whatever directories', async () => {
    const [one, two] = [await tempDirectory(), await tempDirectory()]
    const files = Array.from({ length: 100 }, (_, index) => ({
      base: index % 3 === 0 ? one : two,
      components: [`d${index % 5}`, `f${index}`],
      content: Buffer.from(`content ${index}`),
    }))
    await Promise.all(files.map((file) => storeSmall(file, file.content)))
    for (const { base, components, content } of files)
      expect(readFileSync(path.join(base, ...components)).equals(content)).toBe(true)
    const names = [one, two].flatMap((base) =>
      readdirSync(base, { recursive: true }).filter((name) => `${name}`.includes('f')),
    )
    expect(names).toHaveLength(100)
    expect([...openBelow(one), ...openBelow(two)]).toEqual([])
  })

  it('fails only those that are to blame', async () => {
    const [base, outside] = [await tempDirectory(), await tempDirectory()]
    mkdirSync(path.join(base, 'directory'))
    symlinkSync(outside, path.join(base, 'link'))
    const store = (...components: string[]) => storeSmall({ base, components }, Buffer.from('x'))
    const ends = await Promise.allSettled([
      store('first'),
      store('a'),
      store('directory'),
      store('b'),
      store('link', 'f'),
      store('first', 'below'),
      store('c'),
    ])
    expect(ends.map(({ status }) => status === 'fulfilled')).toEqual([
      true,
      true,
      false,
      true,
      false,
      false,
      true,
    ])
    for (const end of ends)
      if (end.status === 'rejected')
        expect(end.reason).toMatchObject({ name: 'TransferError', transient: false })
    expect(readdirSync(base).sort()).toEqual(['a', 'b', 'c', 'directory', 'first', 'link'])
    expect(readdirSync(outside)).toEqual([])
    expect([...openBelow(base), ...openBelow(outside)]).toEqual([])
  })
})
