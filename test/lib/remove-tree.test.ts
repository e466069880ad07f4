import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { removeTree as removeTreeNow } from '../../src/lib/remove-tree.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const removeTree = async (directory: string): Promise<boolean> => removeTreeNow(directory)

describe('removeTree', () => {
  it('stops when its time is up, and goes on with the next call', async () => {
    const job = path.join(await tempDirectory(), 'job')
    for (const name of ['a', 'b', 'c']) await mkdir(path.join(job, name), { recursive: true })
    let calls = 1
    while (!removeTreeNow(job, 0.001)) calls++
    expect(existsSync(job)).toBe(false)
    expect(calls).toBeGreaterThan(1)
  })

  it('removes a job directory with everything a tool may leave in it', async () => {
    const root = await tempDirectory()
    const job = path.join(root, 'job')
    for (const name of ['inputs', 'outputs/a/b', 'working', 'empty'])
      await mkdir(path.join(job, name), { recursive: true })
    for (const name of ['inputs/f', 'outputs/a/b/f', 'working/with\nnewline', '.hidden'])
      await writeFile(path.join(job, name), 'x')
    execFileSync('mkfifo', [path.join(job, 'pipe')])
    execFileSync('bash', [
      '-c',
      `touch $'${job}/working/invalid-\\xff-utf8'; mkdir $'${job}/working/d-\\xff'; touch $'${job}/working/d-\\xff/f'`,
    ])
    await removeTree(job)
    expect(await readdir(root)).toEqual([])
  })

  it('removes links and leaves what they lead to', async () => {
    const root = await tempDirectory()
    const kept = path.join(root, 'kept')
    await mkdir(path.join(root, 'job', 'd'), { recursive: true })
    await mkdir(kept)
    await writeFile(path.join(kept, 'f'), 'x')
    await symlink(kept, path.join(root, 'job', 'link'))
    await symlink(kept, path.join(root, 'job', 'd', 'link'))
    await symlink(path.join(kept, 'f'), path.join(root, 'job', 'file-link'))
    await removeTree(path.join(root, 'job'))
    await symlink(kept, path.join(root, 'top-link'))
    await removeTree(path.join(root, 'top-link'))
    expect(await readdir(root)).toEqual(['kept'])
    expect(await readdir(kept)).toEqual(['f'])
  })

  it('has nothing to do where there is nothing', async () => {
    await removeTree(path.join(await tempDirectory(), 'absent'))
  })

  it('removes a tree thousands of levels deep with few descriptors', async () => {
    const root = await tempDirectory()
    // Deeper than a path can be long, so made by going down; the directories side by side go the parallel way.
    const script = `const fs = require('fs')
      for (const name of ['job', 'job/side']) fs.mkdirSync(name)
      process.chdir('job')
      for (let i = 0; i < 3000; i++) { fs.mkdirSync('d'); process.chdir('d'); fs.writeFileSync('f', '') }`
    execFileSync(process.execPath, ['-e', script], { cwd: root })
    const before = readdirSync('/proc/self/fd').length
    let most = 0
    const timer = setInterval(() => {
      most = Math.max(most, readdirSync('/proc/self/fd').length - before)
    }, 1)
    await removeTree(path.join(root, 'job'))
    clearInterval(timer)
    expect(await readdir(root)).toEqual([])
    expect(most).toBeLessThan(100)
    expect(readdirSync('/proc/self/fd').length).toBe(before)
  })

  it('goes on with a deep tree that an earlier call had no time for', async () => {
    const root = await tempDirectory()
    const script = `const fs = require('fs')
      fs.mkdirSync('job')
      for (let branch = 0; branch < 20; branch++) {
        process.chdir('${root}/job')
        for (let i = 0; i < 120; i++) { const d = i ? 'd' : 's' + branch; fs.mkdirSync(d); process.chdir(d) }
      }`
    execFileSync(process.execPath, ['-e', script], { cwd: root })
    let calls = 1
    while (!removeTreeNow(path.join(root, 'job'), 1)) calls++
    expect(calls).toBeGreaterThan(1)
    expect(await readdir(root)).toEqual([])
  })

  it('removes a directory of very many files, batch by batch', async () => {
    const root = await tempDirectory()
    mkdirSync(path.join(root, 'job'))
    // Long names make the directory itself large on every file system.
    for (let i = 0; i < 6000; i++) writeFileSync(path.join(root, 'job', `${i}-${'n'.repeat(150)}`), '')
    await removeTree(path.join(root, 'job'))
    expect(await readdir(root)).toEqual([])
  })

  const notRoot =
    process.getuid?.() === 0 ? undefined : 'becoming another user and making files immovable needs root'

  it('goes on past what it cannot remove and rejects with the reason', needs(notRoot), async () => {
    const root = await tempDirectory()
    for (const name of ['a', 'busy', 'z']) await mkdir(path.join(root, 'job', name), { recursive: true })
    await writeFile(path.join(root, 'job', 'z', 'f'), 'x')
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', path.join(root, 'job', 'busy')])
    try {
      await expect(removeTree(path.join(root, 'job'))).rejects.toMatchObject({ code: 'EBUSY' })
      expect(await readdir(path.join(root, 'job'))).toEqual(['busy'])
    } finally {
      execFileSync('umount', [path.join(root, 'job', 'busy')])
    }
    await removeTree(path.join(root, 'job'))
  })

  it('opens up directories without permissions', needs(notRoot), async () => {
    // In a process of its own, as root is never refused anything.
    const root = await tempDirectory()
    chmodSync(root, 0o755)
    const nobody = 65534
    for (const name of ['remove-tree', 'confined-file-walk', 'errors']) {
      const source = readFileSync(new URL(`../../src/lib/${name}.ts`, import.meta.url), 'utf8')
      const { outputText } = ts.transpileModule(source, {
        compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
      })
      writeFileSync(path.join(root, `${name}.js`), outputText)
    }
    writeFileSync(path.join(root, 'package.json'), '{"type":"module"}')
    mkdirSync(path.join(root, 'home'))
    chownSync(path.join(root, 'home'), nobody, nobody)
    const script = `import { removeTree } from './remove-tree.js'
      import fs from 'node:fs'
      fs.mkdirSync('home/job/none/below', { recursive: true })
      fs.mkdirSync('home/job/unwritable')
      fs.mkdirSync('home/job/unsearchable/below', { recursive: true })
      for (const d of ['none/below', 'unwritable', 'unsearchable', 'unsearchable/below']) fs.writeFileSync('home/job/' + d + '/f', '')
      fs.chmodSync('home/job/none/below', 0)
      fs.chmodSync('home/job/none', 0)
      fs.chmodSync('home/job/unwritable', 0o500)
      fs.chmodSync('home/job/unsearchable', 0o600)
      fs.chmodSync('home/job', 0o500)
      await removeTree('home/job')`
    writeFileSync(path.join(root, 'main.js'), script)
    execFileSync(process.execPath, ['main.js'], { cwd: root, uid: nobody, gid: nobody })
    expect(existsSync(path.join(root, 'home', 'job'))).toBe(false)
    expect(readdirSync(path.join(root, 'home'))).toEqual([])
  })
})
