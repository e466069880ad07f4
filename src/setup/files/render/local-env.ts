import { quoteForShell } from '../../../lib/shell.js'

/**
 * local_env.sh as pulsar-config 0.16.0 writes it (pulsar/scripts/config.py LOCAL_ENV_TEMPLATE): a bash fragment that the launcher
 * `pulsar` reads. Without a library the line is there as an example. The path is quoted where a shell would split or expand it.
 */
export function renderLocalEnv({ drmaaLibrary }: { readonly drmaaLibrary?: string | undefined }): string {
  const drmaa = drmaaLibrary
    ? `export DRMAA_LIBRARY_PATH=${quoteForShell(drmaaLibrary)}`
    : '#export DRMAA_LIBRARY_PATH=/path/to/libdrmaa.so'
  return `## Environment of the server, read by "pulsar" with bash before it starts.

## The DRMAA library of the cluster, for managers of a drmaa type. What the library itself
## loads from unusual places needs LD_LIBRARY_PATH as well.
${drmaa}

## A copy of Galaxy, for tools that need Galaxy's own Python modules.
#export GALAXY_HOME=/path/to/galaxy-dist
`
}
