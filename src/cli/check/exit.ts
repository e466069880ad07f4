import type { CheckRun } from '../../check/run-checks.js'
import type { ProblemKind } from '../../check/types.js'
import { EXIT } from '../exit-codes.js'

const CODES: Readonly<Record<ProblemKind, number>> = {
  reach: EXIT.checkReach,
  tls: EXIT.checkTls,
  protocol: EXIT.checkProtocol,
  token: EXIT.checkToken,
  clock: EXIT.checkClock,
  files: EXIT.checkFiles,
  job: EXIT.checkJob,
  cancel: EXIT.checkCancel,
  pull: EXIT.checkPull,
}

/** That of the first failure; the clock's only when nothing else failed. */
export function checkExitCode({ results, interrupted }: CheckRun): number {
  if (interrupted) return EXIT.interrupted
  const kinds = results.flatMap(({ kind }) => (kind === undefined ? [] : [kind]))
  const first = kinds.find((kind) => kind !== 'clock') ?? kinds[0]
  return first === undefined ? EXIT.ok : CODES[first]
}
