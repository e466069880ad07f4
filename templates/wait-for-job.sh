# Stands in for a job in a Python Pulsar that finds it running when it starts: that would call it lost, but runs what J/command_line
# says. POSIX sh, in the job directory J. Of the job's process: PID, START (clock ticks since boot), BOOT.
cd @@JOB@@ || exit 1
_pid=@@PID@@ _start=@@START@@ _boot=@@BOOT@@
_server=$PPID

_is_alive() {
    read -r _now < /proc/sys/kernel/random/boot_id && [ "$_now" = "$_boot" ] || return 1
    [ -r "/proc/$_pid/stat" ] && read -r _stat < "/proc/$_pid/stat" || return 1
    set -- ${_stat##*) }
    [ "$1" != Z ] && [ "$1" != X ] && [ "${20}" = "$_start" ]
}

_has_server() {
    read -r _self < "/proc/$$/stat" || return 1
    set -- ${_self##*) }
    [ "$2" = "$_server" ]
}

# For the next start of that server, until the job has ended.
[ ! -e .magnetar-left ] || cp .magnetar-left command_line
_rounds=0
while _is_alive 2>/dev/null; do
    # Its server is gone, or Magnetar has the job again.
    _has_server && [ -e .magnetar-left ] || exit 0
    # The process that a cancel is to end is the job's, not this one.
    read -r _named < pid 2>/dev/null
    [ "$_named" = "\"$_pid\"" ] || printf '"%s"' "$_pid" > pid
    _rounds=$((_rounds + 1))
    if [ "$_rounds" -le 50 ]; then sleep 0.1; else sleep 1; fi
done
_rounds=0
until [ -s return_code ] || [ -s .magnetar-exit ] || [ "$_rounds" -ge 20 ]; do
    sleep 0.1
    _rounds=$((_rounds + 1))
done
[ ! -e .magnetar-job_stdout ] || mv -f .magnetar-job_stdout metadata/job_stdout
[ ! -e .magnetar-job_stderr ] || mv -f .magnetar-job_stderr metadata/job_stderr
rm -f command_line
[ -s return_code ] || [ ! -s .magnetar-exit ] || cat .magnetar-exit > return_code
# Killed together with all that knew how: that is what the server is told, as its own waiting would have.
[ -s return_code ] || kill -9 $$
