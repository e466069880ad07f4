import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that take a minute and more: begun last, they would run on when all others are through. */
const LONG = [
  'test/peers/ssh-staging.test.ts',
  'test/peers/doctor.test.ts',
  'test/peers/adopt.test.ts',
  'test/peers/conda-jobs.test.ts',
  'test/cli/setup/setup.test.ts',
  'test/peers/wizard.test.ts',
  'test/peers/switch.test.ts',
  'test/peers/pulsar-config.test.ts',
  'test/check/run-checks.test.ts',
  'test/setup/apply-killed.test.ts',
  'test/cli/staging-killed.test.ts',
  'test/peers/slurm-away.test.ts',
  'test/peers/stop-killed.test.ts',
  'test/peers/supervisor.test.ts',
  'test/peers/pulsar-check.test.ts',
  'test/setup/adopt/switch.test.ts',
]

/** The order in which test files are begun. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONG.findIndex((name) => moduleId.endsWith(`/${name}`))
      return at < 0 ? LONG.length : at
    }
    const sorted = await super.sort(files)
    return sorted.sort((one, other) => rank(one) - rank(other))
  }
}
