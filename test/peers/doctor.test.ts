import { readFileSync, writeFileSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CommandResult } from '../../src/lib/exec.js'
import { readProcess } from '../../src/schedulers/process-table.js'
import { needs } from '../helpers/needs.js'
import { waitFor } from '../helpers/wait-for.js'
import { type BareHost, startBareHost } from './bare-host.js'
import { findSlurm } from './find-slurm.js'
import { missingForPrivateRoot } from './private-root.js'
import { missingSupervisor } from './private-supervisor.js'

const missing = missingForPrivateRoot() ?? findSlurm().missing ?? (await missingSupervisor())

interface Finding {
  readonly id: string
  readonly state: string
  readonly message: string
  readonly command: string | null
}

const MUNGED = ['key-file=key', 'socket=s', 'pid-file=pid', 'log-file=log', 'seed-file=seed']
  .map((each) => `--${each.replace('=', '=/opt/slurm/munge/')}`)
  .join(' ')

/** Every defect is made on a node that setup made, named, mended by typing the command that doctor gives, and then gone. */
describe('magnetar doctor on a node of setup', needs(missing), () => {
  let host: BareHost
  const file = (path: string): string => host.file(path)
  const sh = (command: string): Promise<CommandResult> => host.root.run(['sh', '-c', command])
  const must = async (command: string): Promise<void> => {
    const { code, stdout, stderr } = await sh(command)
    expect(code, `${command}: ${stdout}${stderr}`).toBe(0)
  }
  const doctor = (...words: string[]): Promise<CommandResult> =>
    host.root.run(['/srv/pulsar/bin/magnetar', 'doctor', ...words])
  /** What is not as it should be. */
  const wrong = async (...words: string[]): Promise<Finding[]> => {
    const { stdout, stderr } = await doctor('--json', ...words)
    expect(stderr).toBe('')
    const { findings } = JSON.parse(stdout) as { findings: Finding[] }
    return findings.filter(({ state }) => state === 'fail' || state === 'warn')
  }
  const only = (found: readonly Finding[], id: string): Finding => {
    expect(found.map((each) => each.id)).toEqual([id])
    return found[0] as Finding
  }
  /** Names them all, types what it says for each, and finds nothing any more. */
  const mendByTyping = async (
    defects: Readonly<Record<string, RegExp>>,
    ...then: readonly string[]
  ): Promise<void> => {
    const found = await wrong('--no-job')
    expect(found.map(({ id }) => id).sort()).toEqual(Object.keys(defects).sort())
    for (const { id, message, command } of found) {
      expect(message).toMatch(defects[id] ?? /^$/)
      await must(command ?? '')
    }
    for (const command of then) await must(command)
    await untilWell()
  }
  /** A server that was started again needs a moment to listen. */
  const untilWell = (...words: string[]): Promise<unknown> => {
    let last: readonly Finding[] = []
    return waitFor(
      async () => {
        last = await wrong(...(words.length > 0 ? words : ['--no-job']))
        return last.length === 0
      },
      { what: 'node without defects', timeoutMs: 60_000 },
    ).catch((error: unknown) => {
      throw new Error(JSON.stringify(last), { cause: error })
    })
  }
  const restart = 'supervisorctl -c /etc/supervisor/supervisord.conf restart pulsar'

  beforeAll(async () => {
    host = await startBareHost({ slurm: true, supervisor: true })
    await must('printf foo > /etc/token; chmod 600 /etc/token')
    const setup = ['setup', '--yes', '--node', process.execPath, '--token-file', '/etc/token']
    const made = await host.root.run([process.execPath, resolve('bin', 'magnetar.js'), ...setup], {
      timeoutMs: 120_000,
    })
    expect(made.code, made.stderr).toBe(0)
    // The services of an ordinary host.
    await mkdir(file('/etc/init.d'), { recursive: true })
    for (const [name, command] of [
      ['munge', `munged ${MUNGED}`],
      ['slurmctld', 'slurmctld'],
    ] as const) {
      await writeFile(file(`/etc/init.d/${name}`), `#!/bin/sh\nexec ${command}\n`)
      await chmod(file(`/etc/init.d/${name}`), 0o755)
    }
  })
  afterAll(() => host?.stop())

  it('finds nothing wrong with a healthy one, and says what it looked at', async () => {
    const { code, stdout, stderr } = await doctor()
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).not.toMatch(/[✖!]|Fix:/)
    expect(stdout).toMatch(/tiny job +through Slurm in [\d.]+ s, on \S+\n/)
    expect(stdout).toMatch(/clock +as that of the Slurm controller\n/)
    expect(stdout).toMatch(/No problems\. \d+ examinations in .*s\.\n$/)
    expect(await doctor('--quiet')).toMatchObject({ code: 0, stdout: '' })
    expect(await host.slurm?.run('squeue', '-h')).toBe('')
  })

  it('a token that was rotated on the running server needs no restart', async () => {
    await must('/srv/pulsar/bin/magnetar token rotate')
    expect(await wrong('--no-job')).toEqual([])
    await must('/srv/pulsar/bin/magnetar token rotate --finish')
    expect(await wrong('--no-job')).toEqual([])
    const setup = await sh('/srv/pulsar/bin/magnetar setup --yes --prefix /srv/pulsar')
    expect(setup.stdout).toContain('Nothing to do')
  })

  it('a token that is not that of the running server', async () => {
    await must(`sed -i 's/^private_token:.*/private_token: bar/' /srv/pulsar/etc/app.yml`)
    await mendByTyping({ 'token-refused': /localhost port 8913 refuses the token/ })
  })

  it('a port that is closed: the service is stopped', async () => {
    await must('supervisorctl stop pulsar')
    await mendByTyping({ 'service-stopped': /Supervisor: pulsar is stopped/ })
  })

  it('a configuration that was changed since the server started', async () => {
    await must('touch /srv/pulsar/etc/app.yml')
    await mendByTyping({ 'restart-needed': /app\.yml was changed after the server started/ })
  })

  it('a full disk, and one whose inodes are used up', async () => {
    const [jobs, deps] = ['/srv/pulsar/var/jobs', '/srv/pulsar/var/deps']
    const owner = 'mode=755,uid=$(id -u pulsar),gid=$(id -g pulsar)'
    await must(`mount -t tmpfs -o size=8m,${owner} tmpfs ${jobs}`)
    await must(`mount -t tmpfs -o size=8m,nr_inodes=100,${owner} tmpfs ${deps}`)
    await must(`dd if=/dev/zero of=${jobs}/huge bs=1M 2>/dev/null || test -s ${jobs}/huge`)
    await must(`mkdir ${deps}/many; cd ${deps}/many; for i in $(seq 97); do : > $i; done`)
    const found = await wrong('--no-job')
    expect(found.map(({ id, message }) => [id, message])).toEqual([
      ['disk-full', '0 MiB of 8 MiB free at /srv/pulsar/var/jobs'],
      [
        'inodes-full',
        expect.stringMatching(/^\d of 100 files can still be made at \/srv\/pulsar\/var\/deps$/),
      ],
    ])
    // The commands show what to remove.
    expect((await sh(found[0]?.command ?? '')).stdout).toContain(`${jobs}/huge`)
    expect((await sh(found[1]?.command ?? '')).stdout).toContain(`${deps}/many`)
    await must(`rm -r ${jobs}/huge ${deps}/many`)
    expect(await wrong('--no-job')).toEqual([])
    await must(`umount ${jobs} && umount ${deps}`)
  })

  it('Slurm down', async () => {
    await host.slurm?.signalController('TERM')
    await mendByTyping({ 'slurm-down': /controller does not answer: Slurmctld\(primary\) at \S+ is DOWN/ })
  })

  it('munge down', async () => {
    const pid = Number(readFileSync(file('/opt/slurm/munge/pid'), 'utf8'))
    process.kill(pid, 'SIGTERM')
    await waitFor(() => readProcess(pid) === undefined, { what: 'end of munged' })
    await mendByTyping({
      'munge-down': /munge does not work here: Failed to access "\/opt\/slurm\/munge\/s"/,
    })
  })

  it('a partition that Slurm does not have', async () => {
    await must(`/srv/pulsar/bin/magnetar config set manager.job_partition nosuch && ${restart}`)
    await mendByTyping(
      { 'partition-unknown': /partition nosuch, which Slurm does not have \(it has debug\)/ },
      restart,
    )
    expect(readFileSync(file('/srv/pulsar/etc/app.yml'), 'utf8')).toContain('job_partition: debug')
  })

  it('nodes that are drained', async () => {
    const node = host.slurm?.nodeName
    await host.slurm?.run('scontrol', 'update', `nodename=${node}`, 'state=drain', 'reason=test')
    await mendByTyping({ 'partition-empty': /none of the 1 node of partition debug takes jobs/ })
  })

  it('options that Slurm refuses', async () => {
    await must(
      `/srv/pulsar/bin/magnetar config set manager.native_specification -- '--mem=9000G' && ${restart}`,
    )
    expect(only(await wrong(), 'job-refused').message).toMatch(/memory|Requested node configuration/i)
    await must(`/srv/pulsar/bin/magnetar config unset manager.native_specification && ${restart}`)
    await waitFor(async () => (await wrong('--no-job')).length === 0, { what: 'server', timeoutMs: 60_000 })
    expect(await wrong()).toEqual([])
  })

  it('a staging directory that the server cannot write to', async () => {
    await must('chown root /srv/pulsar/var/jobs')
    await mendByTyping({
      'directory-foreign': /\/srv\/pulsar\/var\/jobs belongs to user 0; pulsar cannot write to it/,
    })
  })

  it('a directory above it that is closed', async () => {
    await must('chmod 700 /srv')
    const found = await wrong('--no-job')
    expect(found.map(({ id }) => id)).toContain('directory-unusable')
    expect(found[0]?.command).toBe('chmod a+x /srv')
    await must(found[0]?.command ?? '')
    expect(await wrong('--no-job')).toEqual([])
    await must('chmod 755 /srv')
  })

  it('Conda that is not there and may not be installed', async () => {
    const resolvers = '/srv/pulsar/etc/dependency_resolvers_conf.xml'
    const before = readFileSync(file(resolvers), 'utf8')
    expect(before).toMatch(/auto_init="[Tt]rue"/)
    writeFileSync(file(resolvers), before.replace(/auto_init="[Tt]rue"/, 'auto_init="false"'))
    await must(restart)
    await waitFor(async () => (await wrong('--no-job')).every(({ id }) => id === 'conda-missing'), {
      what: 'server',
      timeoutMs: 60_000,
    })
    await mendByTyping(
      { 'conda-missing': /there is no .*_conda\/bin\/conda, and it may not be installed/ },
      restart,
    )
  })

  it('what --fix mends: it shows it, does it as the user, and nothing is left', async () => {
    await must(
      [
        'cd /srv/pulsar',
        'chmod 500 var/active && chmod 604 etc/app.yml',
        'mkdir var/jobs/78 && echo \\"999999999\\" > var/jobs/78/pid && touch var/jobs/78/.magnetar-job',
        'chown -R pulsar: var/jobs/78 && touch -d "5 minutes ago" var/jobs/78/pid',
        'touch etc/.app.yml.magnetar-new && chown pulsar: etc/.app.yml.magnetar-new',
      ].join(' && '),
    )
    const ids = ['secret-readable', 'directory-unusable', 'pid-stale', 'setup-leftover']
    expect((await wrong('--no-job')).map(({ id }) => id)).toEqual(ids)
    const asked = await doctor('--fix', '--no-job')
    expect(asked).toMatchObject({ code: 1 })
    expect(asked.stdout).toContain(' doctor --fix mends 4 of them.')
    expect(asked.stderr).toContain('add --yes')
    expect(await wrong('--no-job')).toHaveLength(4)
    const done = await doctor('--fix', '--yes')
    expect(done, done.stdout).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toMatch(/To do:\n(.*\n){4}( {2}✔ .*\n){4}/)
    expect(await wrong()).toEqual([])
    await must('rm -r /srv/pulsar/var/jobs/78')
  })

  it('removes nothing through a link that a job could have put there', async () => {
    await must(
      [
        'mkdir -p /srv/precious && echo \\"999999999\\" > /srv/precious/pid && chmod 755 /srv/precious',
        'cd /srv/pulsar/var/jobs && mkdir 79 && touch 79/.magnetar-job && ln -s /srv/precious/pid 79/pid',
        'chown -Rh pulsar: 79 && touch -h -d "5 minutes ago" 79/pid && ln -s /srv/precious 80',
      ].join(' && '),
    )
    await doctor('--fix', '--yes')
    await must('test -f /srv/precious/pid')
    await must('rm -rf /srv/pulsar/var/jobs/79 /srv/pulsar/var/jobs/80')
  })

  it('a partition that is down, and what jobs and a killed server left', async () => {
    await host.slurm?.run('scontrol', 'update', 'partitionname=debug', 'state=down')
    const jobs = '/srv/pulsar/var/jobs'
    await must(
      [
        `cd ${jobs} && mkdir 77 81 82 83 && touch 77/.magnetar-job 82/.magnetar-job 83/.magnetar-job`,
        `echo \\"999999999\\" > 82/pid && touch -d "5 minutes ago" 82/pid`,
        `echo 0 > 83/return_code && touch -d "40 days ago" 83/return_code && chown -R pulsar: 81 82 83`,
      ].join(' && '),
    )
    await must(
      `cd / && _GALAXY_JOB_DIR=${jobs}/81/working setsid setpriv --reuid pulsar --regid pulsar --clear-groups sleep 300 >/dev/null 2>&1 &`,
    )
    await waitFor(async () => (await doctor('--no-job')).stdout.includes('1 job on this machine'), {
      what: 'process',
    })
    await must(`rmdir ${jobs}/81`)
    await mendByTyping({
      'partition-down': /partition debug is down/,
      'job-directory-foreign': /not pulsar's: \/srv\/pulsar\/var\/jobs\/77/,
      'pid-stale': /names a process that is gone: \/srv\/pulsar\/var\/jobs\/82\/pid/,
      'job-directories-unknown': /the server knows nothing of them: \/srv\/pulsar\/var\/jobs\/83/,
      'process-orphaned': /1 process of jobs that are over \(81\)/,
    })
    await must(`test ! -e ${jobs}/82/pid && test ! -e ${jobs}/83 && rm -r ${jobs}/77 ${jobs}/82`)
    // What is printed for jobs that the server knows; none is that old.
    const expired = await sh('/srv/pulsar/bin/magnetar jobs expire --older-than 30d --config /srv/pulsar/etc')
    expect(expired).toMatchObject({ code: 0, stdout: 'Nothing to do: no job has been over for 30d.\n' })
  })

  it('the control socket of a server that was killed', async () => {
    await must('supervisorctl stop pulsar')
    const socket = '/srv/pulsar/var/active/magnetar-control/socket'
    const die = `require('net').createServer().listen('${socket}', () => process.kill(process.pid, 'SIGKILL'))`
    await sh(
      `setpriv --reuid pulsar --regid pulsar --clear-groups ${process.execPath} -e ${JSON.stringify(die)}`,
    )
    await must(`test -S ${socket}`)
    await waitFor(async () => (await wrong('--no-job')).length === 2, { what: 'socket that is old enough' })
    await mendByTyping({
      'service-stopped': /Supervisor: pulsar is stopped/,
      'socket-stale': /nothing listens on \/srv\/pulsar\/var\/active\/magnetar-control\/socket/,
    })
  })

  it('a configuration that is broken, while the rest is still examined', async () => {
    await must('cp -p /srv/pulsar/etc/app.yml /srv/app.yml && echo "manager: [" >> /srv/pulsar/etc/app.yml')
    const { code, stdout } = await doctor()
    expect(code).toBe(1)
    expect(stdout).toMatch(/✖ configuration +\/srv\/pulsar\/etc\/app\.yml:\d+: /)
    expect(stdout).toMatch(/✔ permissions .*\n/)
    expect(stdout).toMatch(/✔ Slurm .*\n/)
    await must('cp -p /srv/app.yml /srv/pulsar/etc/app.yml')
  })
})
