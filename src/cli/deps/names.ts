import { MagnetarError } from '../../lib/errors.js'

/** @throws MagnetarError ANSWER_INVALID when one of the words is not the name of an environment */
export function refuseUnknown(
  words: readonly string[],
  environments: readonly { readonly name: string }[],
): void {
  const unknown = words.filter((word) => !environments.some(({ name }) => name === word))
  if (unknown.length === 0) return
  throw new MagnetarError('ANSWER_INVALID', `there is no environment ${unknown.join(', ')}`, {
    fix: '"magnetar deps list" shows the names.',
  })
}

/** What there is to say when there is nothing to show. */
export function nothingThere(prefix: string): string {
  return `There are no environments of tools in ${prefix}/envs.`
}
