import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { locateInstallation } from '../../../src/setup/adopt/locate-installation.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { writeFiles } from '../install-fixture.js'

describe('the directory that adopt is given', () => {
  let root: string
  const at = (path: string): string => join(root, path)
  const runs = (...configs: string[]) => configs.map((path) => ({ configDirectory: at(path) }))
  const located = async (path: string, pulsars = runs('site/pulsar/config')): Promise<string> =>
    (await locateInstallation(path, pulsars, at('home'))).directory

  beforeEach(async () => {
    root = await tempDirectory()
    for (const path of ['home', 'empty', 'site/pulsar/var/jobs/7']) mkdirSync(at(path), { recursive: true })
    writeFiles(root, {
      'site/pulsar/config/app.yml': '---\n',
      'site/pulsar/venv/bin/pulsar-main': '',
      'site/pulsar/venv/lib/python3.11/site-packages/pulsar_app-0.16.0.dist-info/METADATA': '',
      'site/notes/todo': '',
    })
  })

  it.each([
    '/',
    '/home',
    '/etc',
    '/srv',
    '/usr/local',
    '/proc',
  ])('is no installation when it is %s; the one that a service runs is named', async (path) => {
    const tried = located(path)
    await expect(tried).rejects.toMatchObject({
      code: 'ADOPT_NOT_FOUND',
      fix: expect.stringContaining(`magnetar adopt ${at('site/pulsar')}`),
    })
    await expect(tried).rejects.toThrow(`${path} is no directory of a Pulsar's own`)
  })

  it('is no installation when it is a home directory without one, or is not there', async () => {
    await expect(located(at('home'))).rejects.toThrow(/is a home directory/)
    await expect(located(at('nowhere'))).rejects.toThrow(/there is no .*nowhere/)
    writeFiles(root, { 'home/etc/app.yml': '---\n' })
    expect(await located(at('home'))).toBe(at('home'))
  })

  it.each([
    'site/pulsar',
    'site/pulsar/venv',
    'site/pulsar/venv/bin',
    'site/pulsar/venv/bin/pulsar-main',
    'site/pulsar/var/jobs/7',
  ])('is in the installation: %s', async (path) => {
    expect(await located(at(path))).toBe(at('site/pulsar'))
  })

  it('is above the only one that a service runs; of several each is named', async () => {
    expect(await located(at('site'))).toBe(at('site/pulsar'))
    const tried = located(at('site'), runs('site/pulsar/config', 'site/other/etc'))
    await expect(tried).rejects.toMatchObject({
      message: expect.stringContaining('several'),
      fix: expect.stringMatching(/site\/other\n {2}magnetar adopt .*site\/pulsar$/),
    })
  })

  it('is another name of it: then the names of the service count', async () => {
    symlinkSync(at('site/pulsar'), at('link'))
    expect(await located(at('link'))).toBe(at('site/pulsar'))
    expect(await located(at('link/config'))).toBe(at('site/pulsar'))
    expect(await located(at('site/pulsar'), runs('link/config'))).toBe(at('link'))
  })

  it('is itself when there is nothing in it, below or above', async () => {
    expect(await locateInstallation(at('empty'), runs('site/pulsar/config'), at('home'))).toMatchObject({
      directory: at('empty'),
      configDirectories: [],
      virtualenv: undefined,
    })
  })
})
