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
  /** Names it, types what it says, and finds nothing any more. */
  const mendByTyping = async (id: string, message: RegExp, ...then: string[]): Promise<void> => {
    const finding = only(await wrong('--no-job'), id)
    expect(finding.message).toMatch(message)
    await must(finding.command ?? '')
    for (const command of then) await must(command)
    // A server that was started again needs a moment to listen.
    await waitFor(async () => (await wrong('--no-job')).length === 0, {
      what: `node without ${id}`,
      timeoutMs: 60_000,
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

  it('a token that is not that of the running server', async () => {
    await must(`sed -i 's/^private_token:.*/private_token: bar/' /srv/pulsar/etc/app.yml`)
    await mendByTyping('token-refused', /localhost port 8913 refuses the token/)
  })

  it('a port that is closed: the service is stopped', async () => {
    await must('supervisorctl stop pulsar')
    await mendByTyping('service-stopped', /Supervisor: pulsar is stopped/)
  })

  it('a configuration that was changed since the server started', async () => {
    await must('touch /srv/pulsar/etc/app.yml')
    await mendByTyping('restart-needed', /app\.yml was changed after the server started/)
  })

  it('a full disk', async () => {
    await must(
      'mount -t tmpfs -o size=8m,mode=755,uid=$(id -u pulsar),gid=$(id -g pulsar) tmpfs /srv/pulsar/var/jobs',
    )
    await must(
      'dd if=/dev/zero of=/srv/pulsar/var/jobs/huge bs=1M 2>/dev/null || test -s /srv/pulsar/var/jobs/huge',
    )
    const finding = only(await wrong('--no-job'), 'disk-full')
    expect(finding.message).toMatch(/^0 MiB of 8 MiB free at \/srv\/pulsar\/var\/jobs$/)
    // The command shows what to remove.
    expect((await sh(finding.command ?? '')).stdout).toContain('/srv/pulsar/var/jobs/huge')
    await must('rm /srv/pulsar/var/jobs/huge')
    expect(await wrong('--no-job')).toEqual([])
  })

  it('inodes that are used up', async () => {
    await must(
      'mount -t tmpfs -o size=8m,nr_inodes=100,mode=755,uid=$(id -u pulsar) tmpfs /srv/pulsar/var/jobs',
    )
    await must(
      'mkdir /srv/pulsar/var/jobs/many; cd /srv/pulsar/var/jobs/many; for i in $(seq 97); do : > $i; done',
    )
    await must('chown pulsar /srv/pulsar/var/jobs/many')
    const finding = only(await wrong('--no-job'), 'inodes-full')
    expect((await sh(finding.command ?? '')).stdout).toContain('/srv/pulsar/var/jobs/many')
    await must('rm -r /srv/pulsar/var/jobs/many')
    expect(await wrong('--no-job')).toEqual([])
    await must('umount /srv/pulsar/var/jobs; umount /srv/pulsar/var/jobs')
  })

  it('Slurm down', async () => {
    await host.slurm?.signalController('TERM')
    await mendByTyping('slurm-down', /controller does not answer: Slurmctld\(primary\) at \S+ is DOWN/)
  })

  it('munge down', async () => {
    const pid = Number(readFileSync(file('/opt/slurm/munge/pid'), 'utf8'))
    process.kill(pid, 'SIGTERM')
    await waitFor(() => readProcess(pid) === undefined, { what: 'end of munged' })
    await mendByTyping('munge-down', /munge does not work here: Failed to access "\/opt\/slurm\/munge\/s"/)
  })

  it('a partition that Slurm does not have', async () => {
    await must(`/srv/pulsar/bin/magnetar config set manager.job_partition nosuch && ${restart}`)
    await mendByTyping(
      'partition-unknown',
      /partition nosuch, which Slurm does not have \(it has debug\)/,
      restart,
    )
    expect(readFileSync(file('/srv/pulsar/etc/app.yml'), 'utf8')).toContain('job_partition: debug')
  })

  it('a partition that is down', async () => {
    await host.slurm?.run('scontrol', 'update', 'partitionname=debug', 'state=down')
    await mendByTyping('partition-down', /partition debug is down/)
  })

  it('nodes that are drained', async () => {
    const node = host.slurm?.nodeName
    await host.slurm?.run('scontrol', 'update', `nodename=${node}`, 'state=drain', 'reason=test')
    await mendByTyping('partition-empty', /none of the 1 node of partition debug takes jobs/)
  })

  it('options that Slurm refuses', async () => {
    await must(
      `/srv/pulsar/bin/magnetar config set manager.native_specification -- '--mem=9000G' && ${restart}`,
    )
    expect(only(await wrong(), 'job-refused').message).toMatch(/memory|Requested node configuration/i)
    await must(`/srv/pulsar/bin/magnetar config unset manager.native_specification && ${restart}`)
    await waitFor(async () => (await wrong()).length === 0, {
      what: 'node whose jobs run',
      timeoutMs: 60_000,
    })
  })

  it('a staging directory that the server cannot write to', async () => {
    await must('chown root /srv/pulsar/var/jobs')
    await mendByTyping(
      'directory-foreign',
      /\/srv\/pulsar\/var\/jobs belongs to user 0; pulsar cannot write to it/,
    )
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

  it('a job directory that belongs to another user', async () => {
    await must('mkdir /srv/pulsar/var/jobs/77 && touch /srv/pulsar/var/jobs/77/.magnetar-job')
    await mendByTyping('job-directory-foreign', /not pulsar's: \/srv\/pulsar\/var\/jobs\/77/)
    await must('rm -r /srv/pulsar/var/jobs/77')
  })

  it('Conda that is not there and may not be installed', async () => {
    const resolvers = '/srv/pulsar/etc/dependency_resolvers_conf.xml'
    const before = readFileSync(file(resolvers), 'utf8')
    expect(before).toMatch(/auto_init="[Tt]rue"/)
    writeFileSync(file(resolvers), before.replace(/auto_init="[Tt]rue"/, 'auto_init="false"'))
    await must(restart)
    await waitFor(async () => (await wrong()).every(({ id }) => id === 'conda-missing'), {
      what: 'server',
      timeoutMs: 60_000,
    })
    await mendByTyping(
      'conda-missing',
      /there is no .*_conda\/bin\/conda, and it may not be installed/,
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
    expect(asked.stdout).toContain('magnetar doctor --fix mends 4 of them.')
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

  it('what a job left running', async () => {
    await must('mkdir /srv/pulsar/var/jobs/81 && chown pulsar: /srv/pulsar/var/jobs/81')
    await must(
      'cd / && _GALAXY_JOB_DIR=/srv/pulsar/var/jobs/81/working setsid setpriv --reuid pulsar --regid pulsar --clear-groups sleep 300 >/dev/null 2>&1 &',
    )
    await waitFor(async () => (await doctor('--no-job')).stdout.includes('1 job on this machine'), {
      what: 'process',
    })
    await must('rmdir /srv/pulsar/var/jobs/81')
    await mendByTyping('process-orphaned', /1 process of jobs that are over \(81\)/)
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
