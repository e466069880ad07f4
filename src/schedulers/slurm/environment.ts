/** The environment of the Slurm commands. What sbatch has, the job gets as well (--export=ALL is Slurm's default). */

// Input environment variables of the commands act like options (SBATCH_REQUEUE, SBATCH_JOB_NAME, SQUEUE_FORMAT, SLURM_CLUSTERS):
// they would beat the headers of the script, and those of a Slurm job in which the server itself runs would reach its jobs.
const OPTION_VARIABLE = /^(SBATCH|SQUEUE|SCANCEL|SINFO|SACCT|SALLOC|SRUN|SLURM|SLURMD)_|^SLURM_?JOBID$/
/** Where the cluster is and who we are: needed. */
const KEPT = new Set(['SLURM_CONF', 'SLURM_CONF_SERVER', 'SLURM_JWT', 'SLURM_SACK_KEY', 'SLURM_SACK_JWKS'])
/** Settings of the server that hold secrets are none of the job's business. */
const SECRET = /^(PULSAR|MAGNETAR)_CONFIG_.*(TOKEN|SECRET|PASSWORD|KEY|URL)/i

export function slurmEnvironment(server: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(server).filter(
      ([name]) => KEPT.has(name) || !(OPTION_VARIABLE.test(name) || SECRET.test(name)),
    ),
  )
}
