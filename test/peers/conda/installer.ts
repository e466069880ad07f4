import { quoteForShell as quote } from '../../../src/lib/shell.js'

/** An installer as Miniforge's: `bash FILE -b -p PREFIX`, and it fails when PREFIX exists. */
export function installerText({
  conda,
  before = '',
  after = '',
}: {
  /** What becomes PREFIX/bin/conda; $PREFIX in it is not replaced. */
  readonly conda: string
  /** bash, before anything is made, and when all is there; PREFIX is "$3". */
  readonly before?: string
  readonly after?: string
}): string {
  return `#!/bin/bash
[ "$1" = -b ] && [ "$2" = -p ] || exit 2
if [ -e "$3" ]; then echo "ERROR: File or directory already exists: '$3'"; exit 1; fi
${before}
set -e
mkdir -p "$3/bin" "$3/conda-meta" "$3/envs"
printf %s ${quote(conda)} > "$3/bin/conda"
chmod 755 "$3/bin/conda"
${after}
`
}
