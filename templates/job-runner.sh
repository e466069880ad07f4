#!/bin/bash
# Starts the scripts of local jobs on behalf of the server: a process of 3 MB forks in a fraction of a millisecond, the
# server itself blocks for many (docs/decisions/0005). One of these runs beside each server; at the end of its standard
# input it ends, and the jobs go on. For bash 4.2 and newer; builtins only, but for the end of a
# job that outlives its server.
#
# Requests, on standard input, each field ended by NUL; relative paths are below the job directory:
#   NUMBER DIRECTORY SCRIPT WORKING_DIRECTORY STDOUT STDERR     start this job
#   NUMBER ""                                                   who looks after it?
# Reports, on standard output, a line each:
#   started NUMBER SCRIPT_PID LEADER_PID
#   ended NUMBER EXIT_CODE|-SIGNAL|none own|other|unmarked      whose run J/started names; "none other": not started again
#   failed NUMBER fork|script|directory|streams                 nothing was started
#   leader NUMBER LEADER_PID                                    the answer to the question
# Each job has a leader, a subshell that waits for the script, leaves its exit status in J/.magnetar-exit for whoever is
# there later, and reports it.

# Bytes are bytes, whatever the locale of the jobs is: not exported.
LC_ALL=C
# The server's open files are none of its jobs': its database opens them so that they are inherited.
for fd in /proc/self/fd/*; do
    # This script itself is open too.
    [ "${fd##*/}" -le 2 ] || [ "$fd" -ef "${BASH_SOURCE[0]}" ] || eval "exec ${fd##*/}>&-"
done 2>/dev/null
unset -v fd
# Not exported any more: the script's own shell makes them anew.
unset -v SHLVL OLDPWD PWD

lead() {
    local code=none opened='' pid='' run=unmarked started=''
    # What bash itself would say of a killed script is in the report; and the server's log is not to be held open.
    exec 2>/dev/null
    # The leader outlives whatever ends its job, and a server that is gone. Handlers until the script is forked, as that
    # would inherit what is ignored.
    trap : HUP INT QUIT TERM PIPE
    # A fork that fails for good ends the subshell.
    trap 'fail fork' EXIT
    # A script runs once; looked at here, before the output of its first run would be emptied.
    [ ! -e "$dir/started" ] || { trap - EXIT; printf 'ended %s none other\n' "$number"; return; }
    case $script in /*) ;; *) script=$dir/$script ;; esac
    case $work in /*) ;; *) work=$dir/$work ;; esac
    case $out in /*) ;; *) out=$dir/$out ;; esac
    case $err in /*) ;; *) err=$dir/$err ;; esac
    [ -r "$script" ] || { fail script; return; }
    cd -P -- "$work" || { fail directory; return; }
    # Marks every process of the job.
    export _GALAXY_JOB_DIR="$work"
    # The script in a process group of its own, with SIGINT and SIGQUIT as they were.
    set -m
    {
        opened=yes
        # Named, not executed: that needs no permission to execute, and cannot be "text file busy".
        /bin/bash "$script" &
        pid=$!
    } > "$out" 2> "$err"
    set +m
    # Ignored from here: a handler that interrupts `wait` just when the script ends loses its exit status, in any bash.
    trap '' HUP INT QUIT TERM PIPE
    [ -n "$opened" ] || { fail streams; return; }
    trap - EXIT
    printf '"%s"' "$pid" > "$dir/pid"
    printf 'started %s %s %s\n' "$number" "$pid" "$BASHPID"
    wait "$pid"
    code=$?
    if [ "$code" -gt 128 ] && [ "$code" -le 192 ]; then code=$((128 - code)); fi
    if [ -e "$dir/started" ]; then
        run=own
        IFS=: read -r _ started _ < "$dir/started"
        # Empty on a full disk.
        [ -z "$started" ] || [ "$started" = "$pid" ] || run=other
    fi
    # Not of a script that left at once because another run of it had begun.
    [ "$run" = other ] || [ -s "$dir/return_code" ] || printf '%s\n' "$code" > "$dir/.magnetar-exit"
    [ ! -e "$dir/.magnetar-left" ] || [ "$run" = other ] || tell_python
    printf 'ended %s %s %s\n' "$number" "$code" "$run" && return
    # No server reads that, and none puts on the disk what the job made: should the machine go down before there is one, the results
    # count all the same.
    [ "$run" = other ] || [ ! -s "$dir/return_code" ] || ! sync -f -- "$dir" || : > "$dir/.magnetar-synced"
}

# The job was left to a Python server, which takes it for running as long as these are there, and then reads its streams at once. They are
# copied: what waits for the job there (wait-for-job.sh) puts them back by itself, when its turn comes, and before that they are emptied.
tell_python() {
    local name
    for name in job_stdout job_stderr; do
        [ -f "$dir/.magnetar-$name" ] && [ ! -L "$dir/.magnetar-$name" ] || continue
        cp -f -- "$dir/.magnetar-$name" "$dir/.magnetar-copy" && mv -f -- "$dir/.magnetar-copy" "$dir/metadata/$name" || return
    done
    rm -f "$dir/pid" "$dir/submitted"
}

fail() {
    trap - EXIT
    printf 'failed %s %s\n' "$number" "$1"
}

serve() {
    while IFS= read -r -d '' number && IFS= read -r -d '' dir; do
        if [ -z "$dir" ]; then
            printf 'leader %s %s\n' "$number" "${leaders[number % 1024]:-0}"
            continue
        fi
        IFS= read -r -d '' script && IFS= read -r -d '' work &&
            IFS= read -r -d '' out && IFS= read -r -d '' err || break
        forking=yes
        lead </dev/null &
        forking=
        leaders[number % 1024]=$!
        # Out of the job table, which would grow; bash still takes note of its end, so no zombie stays. One that has
        # ended already is not in it.
        disown 2>/dev/null
    done
}

# A service manager that signals the whole service means the server, which then lets go of this process.
trap '' HUP INT QUIT TERM PIPE
# Without job control, what runs in the background ignores SIGINT and SIGQUIT, for good.
set -m
leaders=()
forking=
# bash tries for 15 s to fork, then ends: it begins anew as the same process, with the requests still to be read. Signals
# ignored at the begin of a shell would stay so in all that it starts.
trap '[ -z "$forking" ] || { fail fork; trap - HUP INT QUIT TERM PIPE; exec /bin/bash "$0"; }' EXIT
serve
trap - EXIT
exit 0
