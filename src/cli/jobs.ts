import { type Command, Option } from 'commander'
import { processTerminal, type Terminal } from './config/terminal.js'
import type { JobsLine, JobsTask } from './jobs/run-jobs.js'
import type { Finish } from './program.js'

const EXAMPLES = `Examples:
  magnetar jobs                         what is under way, and the last 20 that ended
  magnetar jobs --state failed,lost     all of these states
  magnetar jobs --watch                 follow them until Ctrl-C
  magnetar jobs show 4711               timeline, files, last lines of output
  magnetar jobs cancel 4711 4712
  magnetar jobs retry-stage-out 4711    deliver the outputs of a failed job again
  magnetar jobs expire --older-than 30d --plan
`

const NOTES = `
Which node: --config, else $PULSAR_CONFIG_DIR, else the installation that this
program is part of. Only the user of the node and root may ask its server. When
it does not run, "jobs" and "show" read its records; the others need it. AGE is
the time since the submit. In a terminal reasons are cut to its width, through a
pipe they are whole.

Exit codes: 0 done or nothing to do, 1 failed, no such job or not wanted,
2 usage, 4 not permitted, 78 the configuration is wrong, 130 interrupted.`

/** Registers `magnetar jobs …`; what it does is loaded when it is called. */
export function addJobsCommand(
  program: Command,
  finish: Finish,
  terminal: Terminal = processTerminal(),
): void {
  const jobs = program
    .command('jobs')
    .description('list, watch, cancel and clean the jobs of a node')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .option('--state <STATES>', 'only these states, with commas between them; all')
    .option('--limit <N>', 'at most so many that are over')
    .option('-w, --watch', 'follow them until Ctrl-C')
    .helpCommand(false)
  shared(jobs).action(run('list'))
  add('show', 'all that is known of a job').argument('<ID>', 'id of the job').action(run('show'))
  add('cancel', 'stop jobs').argument('<ID...>', 'ids of the jobs').action(run('cancel'))
  add('retry-stage-out', 'deliver the outputs of failed jobs to Galaxy again')
    .argument('<ID...>', 'ids of the jobs')
    .action(run('retry-stage-out'))
  add('clean', 'remove jobs with their directories; what still runs is stopped')
    .argument('<ID...>', 'ids of the jobs')
    .option('-y, --yes', 'do not ask')
    .action(run('clean'))
  add('expire', 'remove jobs that are over and that nobody collected')
    .requiredOption('--older-than <TIME>', 'over for at least so long: 12h, 7d, 4w')
    .option('--plan', 'show what would go, and change nothing')
    .option('-y, --yes', 'do not ask')
    .action(run('expire'))

  function add(name: string, description: string): Command {
    return sharedOfPart(jobs.command(name).description(description))
  }

  function run(task: JobsTask): (...args: unknown[]) => Promise<void> {
    return async (...args) => {
      const command = args.at(-1) as Command
      const line = command.optsWithGlobals<Omit<JobsLine, 'task' | 'ids'>>()
      const [words = []] = args.slice(0, -2) as (readonly string[] | string | undefined)[]
      const { runJobs } = await import('./jobs/run-jobs.js')
      finish(await runJobs({ ...line, task, ids: [words].flat() }, terminal))
    }
  }
}

function shared(command: Command): Command {
  return command
    .option('-c, --config <DIR>', 'directory with app.yml and server.ini')
    .option('--manager <NAME>', 'only this manager')
    .option('--json', 'one JSON document on standard output')
}

function sharedOfPart(command: Command): Command {
  return command
    .addOption(new Option('-c, --config <DIR>', 'directory with app.yml and server.ini'))
    .option('--manager <NAME>', 'the manager, where several have a job of that id')
    .option('--json', 'one JSON document on standard output')
}
