import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { openKeyFile } from '../../../src/staging/ssh/key-file.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

it('a key finds a place where TMPDIR names no directory', async () => {
  const directory = await tempDirectory()
  const file = openKeyFile('the key', [path.join(directory, 'gone'), directory])
  expect(readFileSync(file.path, 'utf8')).toBe('the key')
  expect(readdirSync(directory)).toEqual([])
  file.close()
})
