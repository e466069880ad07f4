#!/bin/bash
@@HEADERS@@

_galaxy_setup_environment() {
    local _use_framework_galaxy="$1"
    _GALAXY_JOB_DIR=@@WORKING@@
    _GALAXY_JOB_HOME_DIR=@@JOB@@/home
@@TMP_DIR@@
@@ENVIRONMENT@@
    if [ "$GALAXY_LIB" != "None" ] && [ "$_use_framework_galaxy" = "True" ]; then
        PYTHONPATH="$GALAXY_LIB${PYTHONPATH:+:$PYTHONPATH}"
        export PYTHONPATH
    fi
    # Not with -p: a job that was cleaned while this script began must not have its directory again.
    [ -z "$_GALAXY_JOB_TMP_DIR" ] || [ -d "$_GALAXY_JOB_TMP_DIR" ] || mkdir -- "$_GALAXY_JOB_TMP_DIR" 2>/dev/null ||
        { [ -d @@JOB@@ ] && mkdir -p -- "$_GALAXY_JOB_TMP_DIR"; }
    [ -d "$_GALAXY_JOB_HOME_DIR" ] || mkdir -- "$_GALAXY_JOB_HOME_DIR"
    if [ "$GALAXY_VIRTUAL_ENV" != "None" ] && [ -f "$GALAXY_VIRTUAL_ENV/bin/activate" ] &&
        [ "$(command -v python)" != "$GALAXY_VIRTUAL_ENV/bin/python" ]; then
        . "$GALAXY_VIRTUAL_ENV/bin/activate"
    fi
}

# Lets whoever installed this script see that it can be executed, without running the job.
if [ -n "$ABC_TEST_JOB_SCRIPT_INTEGRITY_XYZ" ]; then
    exit 42
fi

# Never twice, whatever a crash between submit and its record led to.
@@STARTED@@

# The server watches one directory for all jobs; what it misses there it learns from the scheduler, a little later.
{ : > @@STARTED_EVENT@@; } 2>/dev/null
# The trap leaves no return code: after a signal $? is that of the last command, so whoever waits for this process knows better.
# Only when what the tool requires could not be provided is it the tool's that never ran.
_magnetar_providing=
# Slurm may run a job anew, whose node it took for dead, while the script of the first run goes on there: what that comes to is not the job's end.
_magnetar_counts() {
    local _magnetar_now=
    { IFS= read -r _magnetar_now < @@JOB@@/started; } 2>/dev/null
    [ -z "${SLURM_JOB_ID:-}" ] || [ "${_magnetar_now%%:*}" != "$SLURM_JOB_ID" ] || [ "$_magnetar_now" = "${_started_line:-}" ]
}
_magnetar_end() {
    local _magnetar_status=$?
    _magnetar_counts || return
    [ -z "$_magnetar_providing" ] || [ "$_magnetar_status" -eq 0 ] || echo "$_magnetar_status" > @@RETURN_CODE@@
    { : > @@ENDED_EVENT@@; } 2>/dev/null
}
trap _magnetar_end EXIT

export GALAXY_SLOTS_CONFIGURED="1"
if [ -n "$SLURM_CPUS_ON_NODE" ]; then
    GALAXY_SLOTS="$SLURM_CPUS_ON_NODE"
elif [ -n "$SLURM_NTASKS" ] || [ -n "$SLURM_CPUS_PER_TASK" ]; then
    GALAXY_SLOTS=$((${SLURM_NTASKS:-1} * ${SLURM_CPUS_PER_TASK:-1}))
elif [ -n "$NSLOTS" ]; then
    GALAXY_SLOTS="$NSLOTS"
elif [ -n "$NCPUS" ]; then
    GALAXY_SLOTS="$NCPUS"
elif [ -n "$PBS_NCPUS" ]; then
    GALAXY_SLOTS="$PBS_NCPUS"
elif [ -f "$PBS_NODEFILE" ]; then
    mapfile -t _magnetar_nodes < "$PBS_NODEFILE"
    GALAXY_SLOTS="${#_magnetar_nodes[@]}"
elif [ -n "$LSB_DJOB_NUMPROC" ]; then
    GALAXY_SLOTS="$LSB_DJOB_NUMPROC"
elif [ -n "$GALAXY_SLOTS" ]; then
    GALAXY_SLOTS="$GALAXY_SLOTS"
elif [ -n "$PYTHON_CPU_COUNT" ]; then
    GALAXY_SLOTS="$PYTHON_CPU_COUNT"
else
    GALAXY_SLOTS="1"
    unset GALAXY_SLOTS_CONFIGURED
fi
export GALAXY_SLOTS

_magnetar_again=
[ "${SLURM_RESTART_COUNT:-0}" -eq 0 ] || _magnetar_again=1
export PYTHONWARNINGS="ignore"
GALAXY_VIRTUAL_ENV=@@GALAXY_VIRTUAL_ENV@@
_GALAXY_VIRTUAL_ENV=@@GALAXY_VIRTUAL_ENV@@
PRESERVE_GALAXY_ENVIRONMENT="@@PRESERVE@@"
GALAXY_LIB=@@GALAXY_LIB@@
_galaxy_setup_environment "$PRESERVE_GALAXY_ENVIRONMENT"
export _GALAXY_JOB_HOME_DIR
export _GALAXY_JOB_TMP_DIR

TEMP="${TEMP:-$TMP}"
TMPDIR="${TMPDIR:-$TMP}"
TMP="${TMP:-$TEMP}"
TMPDIR="${TMPDIR:-$TEMP}"
TMP="${TMP:-$TMPDIR}"
TEMP="${TEMP:-$TMPDIR}"
TMP="${TMP:-$_GALAXY_JOB_TMP_DIR}"
TEMP="${TEMP:-$_GALAXY_JOB_TMP_DIR}"
TMPDIR="${TMPDIR:-$_GALAXY_JOB_TMP_DIR}"

hash python 2>/dev/null
GALAXY_PYTHON="${BASH_CMDS[python]}"

# What the directories held before the tool ran, so that a requeued job begins as the first run did. Of an empty directory
# nothing needs to be kept.
for _magnetar_dir in @@WORKING@@ @@JOB@@/outputs @@JOB@@/configs; do
    if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then
        rm -rf "$_magnetar_dir"
        if [ -d "$_magnetar_dir.orig" ]; then cp -R "$_magnetar_dir.orig" "$_magnetar_dir"; else mkdir "$_magnetar_dir"; fi
    elif compgen -G "$_magnetar_dir/*" >/dev/null || compgen -G "$_magnetar_dir/.[!.]*" >/dev/null; then
        cp -R "$_magnetar_dir" "$_magnetar_dir.orig"
    fi
done

cd @@WORKING@@ || exit 1

# Slurm's own variables say what `scontrol show job` would, without asking the controller from every job.
: > @@JOB@@/metadata/memory_statement.log
if [ -n "$SLURM_JOB_ID" ]; then
    GALAXY_MEMORY_MB="$SLURM_MEM_PER_NODE"
    if [ -z "$GALAXY_MEMORY_MB" ] && [ -n "$SLURM_MEM_PER_CPU" ]; then
        GALAXY_MEMORY_MB=$((SLURM_MEM_PER_CPU * ${SLURM_CPUS_ON_NODE:-1}))
    fi
fi
if [ -n "$SGE_HGR_h_vmem" ]; then
    case "$SGE_HGR_h_vmem" in
    *.*G) # gigabytes with a fraction
        _magnetar_part="${SGE_HGR_h_vmem#*.}"
        _magnetar_part="${_magnetar_part%G}000"
        GALAXY_MEMORY_MB_PER_SLOT=$((${SGE_HGR_h_vmem%%.*} * 1024 + 10#${_magnetar_part:0:3} * 1024 / 1000)) ;;
    *G) GALAXY_MEMORY_MB_PER_SLOT=$((${SGE_HGR_h_vmem%G} * 1024)) ;;
    *) GALAXY_MEMORY_MB_PER_SLOT="${SGE_HGR_h_vmem%%.*}" ;;
    esac
fi 2>>@@JOB@@/metadata/memory_statement.log
if [ -z "$GALAXY_MEMORY_MB_PER_SLOT" ] && [ -n "$GALAXY_MEMORY_MB" ]; then
    GALAXY_MEMORY_MB_PER_SLOT=$((GALAXY_MEMORY_MB / GALAXY_SLOTS))
elif [ -z "$GALAXY_MEMORY_MB" ] && [ -n "$GALAXY_MEMORY_MB_PER_SLOT" ]; then
    GALAXY_MEMORY_MB=$((GALAXY_MEMORY_MB_PER_SLOT * GALAXY_SLOTS))
fi 2>>@@JOB@@/metadata/memory_statement.log
if [ "${GALAXY_MEMORY_MB:-0}" -gt 0 ]; then export GALAXY_MEMORY_MB; else unset GALAXY_MEMORY_MB; fi 2>>@@JOB@@/metadata/memory_statement.log
if [ "${GALAXY_MEMORY_MB_PER_SLOT:-0}" -gt 0 ]; then export GALAXY_MEMORY_MB_PER_SLOT; else unset GALAXY_MEMORY_MB_PER_SLOT; fi 2>>@@JOB@@/metadata/memory_statement.log

@@METRICS_BEFORE@@
@@PROVIDE@@
@@COMMAND@@; return_code=$?; _magnetar_counts || exit 0; echo $return_code > @@RETURN_CODE@@;
@@METRICS_AFTER@@
