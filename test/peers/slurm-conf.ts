export interface SlurmConfSettings {
  readonly directory: string
  readonly nodeName: string
  /** Runs the daemons and owns their files. */
  readonly user: string
  readonly cpus: number
  readonly controllerPort: number
  readonly nodePort: number
  /** Seconds that the controller remembers jobs that are over. */
  readonly minJobAge?: number
  /** Whether it keeps a log of jobs that are over, which sacct -c reads; true by default. */
  readonly keepsLog?: boolean
}

/** slurm.conf of a one-node cluster on loopback that schedules at once and notices what breaks within seconds. */
export function slurmConf(settings: SlurmConfSettings): string {
  const {
    directory,
    nodeName,
    user,
    cpus,
    controllerPort,
    nodePort,
    minJobAge = 300,
    keepsLog = true,
  } = settings
  return `ClusterName=private
SlurmctldHost=${nodeName}(127.0.0.1)
SlurmctldPort=${controllerPort}
SlurmdPort=${nodePort}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=${user}
SlurmdUser=${user}
AuthType=auth/munge
AuthInfo=socket=${directory}/munge/s
StateSaveLocation=${directory}/state
SlurmdSpoolDir=${directory}/spool
SlurmctldPidFile=${directory}/run/slurmctld.pid
SlurmdPidFile=${directory}/run/slurmd.pid
SlurmctldLogFile=${directory}/slurmctld.log
SlurmdLogFile=${directory}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
${keepsLog ? `JobCompType=jobcomp/filetxt\nJobCompLoc=${directory}/jobcomp.txt` : 'JobCompType=jobcomp/none'}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,defer
MpiDefault=none
KillWait=1
MessageTimeout=5
SlurmdTimeout=10
MinJobAge=${minJobAge}
ReturnToService=2
MailProg=/bin/true
NodeName=${nodeName} NodeAddr=127.0.0.1 Port=${nodePort} CPUs=${cpus} RealMemory=1000 State=UNKNOWN
PartitionName=debug Nodes=${nodeName} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:16
`
}
