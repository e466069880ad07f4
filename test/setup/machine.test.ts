import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createMachine } from '../../src/setup/answers/machine.js'
import { clearUnproved, isUnproved, markUnproved } from '../../src/setup/verify/unproved.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const machine = createMachine({ MAGNETAR_PREFIX: '/opt/node' }, AbortSignal.timeout(20_000))
const self = userInfo()

describe('what answers ask the machine', () => {
  it('an account with its group, home and shell; nothing for a name that nobody has', async () => {
    const user = await machine.lookUpUser(self.username)
    expect(user).toMatchObject({ name: self.username, home: self.homedir, shell: self.shell })
    expect(user?.group).not.toBe('')
    expect(await machine.lookUpUser('nobody-has-this-name')).toBeUndefined()
  })

  it('whether a port is free, and which is next', async () => {
    const server = createServer()
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    const { port } = server.address() as { port: number }
    expect(await machine.isPortFree('127.0.0.1', port)).toBe(false)
    expect(await machine.nextFreePort('127.0.0.1', port)).toBeGreaterThan(port)
    server.close()
  })

  it('why a file cannot be read, without ever waiting for one', async () => {
    const directory = await tempDirectory()
    writeFileSync(join(directory, 'file'), '')
    execFileSync('mkfifo', [join(directory, 'pipe')])
    expect(await machine.whyUnreadable(join(directory, 'file'))).toBeUndefined()
    expect(await machine.whyUnreadable(join(directory, 'pipe'))).toBeUndefined()
    expect(await machine.whyUnreadable(directory)).toBe('it is a directory')
    expect(await machine.whyUnreadable(join(directory, 'none'))).toBe('there is no such file')
    expect(await machine.whyUnreadable(join(directory, 'file', 'x'))).toBe('there is no such file')
  })

  it('what else a prefix holds; a configuration alone is taken over', async () => {
    const prefix = await tempDirectory()
    expect(await machine.whyOccupied(prefix)).toBeUndefined()
    expect(await machine.whyOccupied(join(prefix, 'none'))).toBeUndefined()
    writeFileSync(join(prefix, 'thesis.txt'), '')
    expect(await machine.whyOccupied(prefix)).toBe(`${prefix} holds other files`)
    expect(await machine.whyNoDirectory(join(prefix, 'thesis.txt'))).toBe(
      `${prefix}/thesis.txt is no directory`,
    )
    expect(await machine.whyNoDirectory(prefix)).toBeUndefined()
    mkdirSync(join(prefix, 'etc'))
    writeFileSync(join(prefix, 'etc/app.yml'), '')
    expect(await machine.whyOccupied(prefix)).toBeUndefined()
    mkdirSync(join(prefix, 'bin'))
    writeFileSync(join(prefix, 'bin/pulsar-check'), '')
    expect(await machine.whyOccupied(prefix)).toBe(
      `a Python Pulsar is installed in ${prefix}, which "magnetar adopt" runs with Magnetar`,
    )
  })

  it(
    'whether a directory can be made',
    needs(self.uid === 0 ? 'root may write everywhere' : undefined),
    async () => {
      const directory = await tempDirectory()
      expect(await machine.mayCreate(join(directory, 'a/b/c'))).toBe(true)
      expect(await machine.mayCreate('/usr/a/b')).toBe(false)
    },
  )

  it('the port that a node has in its configuration, if it has one', async () => {
    const prefix = await tempDirectory()
    expect(await machine.configuredPort(prefix)).toBeUndefined()
    mkdirSync(join(prefix, 'etc'))
    writeFileSync(
      join(prefix, 'etc/server.ini'),
      '[server:main]\nport = 9001\n[uwsgi]\nhttp = localhost:9002\n',
    )
    expect(await machine.configuredPort(prefix)).toBe(9002)
    writeFileSync(join(prefix, 'etc/app.yml'), '[broken')
    expect(await machine.configuredPort(prefix)).toBe('unreadable')
  })

  it('where the running program is installed', () => {
    expect(machine.ownPrefix).toBe('/opt/node')
    expect(createMachine({ MAGNETAR_PREFIX: '' }, AbortSignal.timeout(1000)).ownPrefix).toBeUndefined()
  })
})

describe('the mark of a node whose job has not gone through', () => {
  it('is set, seen, set again and cleared, twice', async () => {
    const directory = await tempDirectory()
    expect(await isUnproved({ var: directory })).toBe(false)
    await markUnproved({ var: directory })
    await markUnproved({ var: directory })
    expect(await isUnproved({ var: directory })).toBe(true)
    await clearUnproved({ var: directory })
    await clearUnproved({ var: directory })
    expect(await isUnproved({ var: directory })).toBe(false)
  })

  it('is not made through links that the user of the node could have put there, nor without var', async () => {
    const directory = await tempDirectory()
    const [elsewhere, link] = [join(directory, 'elsewhere'), join(directory, 'var')]
    mkdirSync(elsewhere)
    symlinkSync(elsewhere, link)
    await markUnproved({ var: link })
    expect(await isUnproved({ var: elsewhere })).toBe(false)
    await markUnproved({ var: join(directory, 'none') })
    await clearUnproved({ var: join(directory, 'none') })
    symlinkSync(join(directory, 'target'), join(elsewhere, '.magnetar-unproved'))
    await markUnproved({ var: elsewhere })
    expect(await isUnproved({ var: join(directory) })).toBe(false)
  })
})
