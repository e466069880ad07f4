import { describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { startPythonPulsar } from './python-pulsar.js'

const found = findPulsarVenv()

describe('a Python Pulsar', needs(found.missing), () => {
  it('starts from a configuration in which the token is being changed, and knows the old one', async () => {
    if (!found.venv) throw new Error(found.missing)
    const directory = await tempDirectory()
    const server = await startPythonPulsar(found.venv, {
      directory,
      app: { private_token: 'old', private_token_next: 'new', expire_jobs_after: '7d' },
    })
    const setUp = async (token: string): Promise<number> => {
      const query = new URLSearchParams({ job_id: token, private_token: token })
      return (await fetch(new URL(`jobs?${query}`, server.url), { method: 'POST' })).status
    }
    expect(await setUp('old')).toBe(200)
    expect(await setUp('new')).toBeGreaterThanOrEqual(400)
  })
})
