/*
 * A DRMAA 1.0 library of the tests' own: the calls that a job server uses, jobs as local processes. All state is in files below
 * TEST_DRMAA_DIR, so that a process that loads the library later knows the jobs of those before it:
 *
 *   next        the last id given
 *   jobs/ID     lines: name, working directory, script, stdout, stderr, native specification
 *   pids/ID     the process group that runs the script
 *   ends/ID     its wait status, in decimal; "-1": ended while it waited
 *   calls       one line per call: function, job id
 *
 * What the tests want it to do wrong stands in files of the same directory, read at each call:
 *
 *   hang-CALL   the call (init, run_job, job_ps, control) does not return while the file is there
 *   crash-CALL  the call ends the process with SIGSEGV; with "after" in the file, after its work is done; with a number, the
 *               file is made one smaller and goes at 0
 *   fail-CALL   the call answers with the error number and the text in the file
 *   say-ID      job_ps answers with the number in the file
 *   crash-job_ps-ID   as crash-job_ps, for one job
 *   late        jobs do not start while it is there
 *   forget      job_ps does not know jobs that have ended
 *
 * A job with --hold in its native specification waits for ever.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OK = 0, COMMUNICATION = 2, NO_SESSION = 5, ALREADY = 11, BAD_VALUE = 14, DENIED = 17, INVALID_JOB = 18 };
enum { QUEUED = 0x10, RUNNING = 0x20, DONE = 0x30, FAILED = 0x40, TERMINATE = 4 };

typedef struct { char *name, *wd, *script, *out, *err, *native; } drmaa_job_template_t;

static int open_session = 0;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static const char *path_of(char *buffer, const char *format, ...) {
  const char *directory = getenv("TEST_DRMAA_DIR");
  int at = snprintf(buffer, 4096, "%s/", directory ? directory : "/nonexistent");
  va_list args;
  va_start(args, format);
  vsnprintf(buffer + at, 4096 - at, format, args);
  va_end(args);
  return buffer;
}

static int read_file(char *text, size_t length, const char *format, const char *argument) {
  char path[4096];
  FILE *file = fopen(path_of(path, format, argument), "r");
  if (!file) return 0;
  size_t got = fread(text, 1, length - 1, file);
  text[got] = 0;
  fclose(file);
  return 1;
}

/* Whole or not at all. */
static void write_file(const char *format, const char *argument, const char *text) {
  char path[4096], part[4110];
  path_of(path, format, argument);
  snprintf(part, sizeof part, "%s.%d", path, getpid());
  FILE *file = fopen(part, "w");
  if (!file) return;
  fputs(text, file);
  fclose(file);
  rename(part, path);
}

static int answer(int code, char *error, size_t length, const char *text) {
  if (error && length) snprintf(error, length, "%s", text);
  return code;
}

static void note(const char *call, const char *id) {
  char path[4096], line[256];
  int file = open(path_of(path, "calls"), O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (file < 0) return;
  int length = snprintf(line, sizeof line, "%s %s\n", call, id);
  if (write(file, line, length) < 0) {}
  close(file);
}

static void crash(const char *call, int after) {
  char text[64], path[4096];
  if (!read_file(text, sizeof text, "crash-%s", call)) return;
  if ((strstr(text, "after") != NULL) != after) return;
  int times = atoi(text);
  path_of(path, "crash-%s", call);
  if (times == 1) unlink(path);
  if (times > 1) {
    snprintf(text, sizeof text, "%d%s", times - 1, after ? " after" : "");
    write_file("crash-%s", call, text);
  }
  fprintf(stderr, "libdrmaa of the tests: crash in %s\n", call);
  signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
}

/* What is to go wrong before the work of a call; 0: nothing. */
static int misbehave(const char *call, const char *id, char *error, size_t length) {
  char text[1024], path[4096];
  note(call, id);
  path_of(path, "hang-%s", call);
  while (access(path, F_OK) == 0) usleep(20000);
  crash(call, 0);
  if (!read_file(text, sizeof text, "fail-%s", call)) return 0;
  char *words = strchr(text, ' ');
  answer(atoi(text), error, length, words ? words + 1 : "");
  return atoi(text);
}

int drmaa_version(unsigned int *major, unsigned int *minor, char *error, size_t length) {
  char text[32];
  (void)error, (void)length;
  *major = read_file(text, sizeof text, "%s", "version") ? (unsigned)atoi(text) : 1;
  *minor = 0;
  return OK;
}

int drmaa_get_DRM_system(char *system, size_t size, char *error, size_t length) {
  (void)error, (void)length;
  if (!read_file(system, size, "%s", "system")) snprintf(system, size, "TESTS 1.0");
  return OK;
}

const char *drmaa_strerror(int code) { return code == OK ? "Success" : "Error"; }

int drmaa_init(const char *contact, char *error, size_t length) {
  char path[4096];
  (void)contact;
  if (open_session) return answer(ALREADY, error, length, "Initialization failed due to existing DRMAA session.");
  int wrong = misbehave("init", "-", error, length);
  if (wrong) return wrong;
  mkdir(path_of(path, "jobs"), 0755);
  mkdir(path_of(path, "pids"), 0755);
  mkdir(path_of(path, "ends"), 0755);
  open_session = 1;
  return OK;
}

int drmaa_exit(char *error, size_t length) {
  if (!open_session) return answer(NO_SESSION, error, length, "No active session.");
  note("exit", "-");
  open_session = 0;
  return OK;
}

int drmaa_allocate_job_template(drmaa_job_template_t **jt, char *error, size_t length) {
  if (!open_session) return answer(NO_SESSION, error, length, "No active session.");
  *jt = calloc(1, sizeof **jt);
  return OK;
}

int drmaa_delete_job_template(drmaa_job_template_t *jt, char *error, size_t length) {
  (void)error, (void)length;
  free(jt->name), free(jt->wd), free(jt->script), free(jt->out), free(jt->err), free(jt->native), free(jt);
  return OK;
}

int drmaa_set_attribute(drmaa_job_template_t *jt, const char *name, const char *value, char *error, size_t length) {
  char **place = !strcmp(name, "drmaa_remote_command")         ? &jt->script
                 : !strcmp(name, "drmaa_job_name")             ? &jt->name
                 : !strcmp(name, "drmaa_output_path")          ? &jt->out
                 : !strcmp(name, "drmaa_error_path")           ? &jt->err
                 : !strcmp(name, "drmaa_wd")                   ? &jt->wd
                 : !strcmp(name, "drmaa_native_specification") ? &jt->native
                                                               : NULL;
  if (!place) return answer(4, error, length, "Argument value is invalid.");
  if ((place == &jt->out || place == &jt->err) && !strchr(value, ':'))
    return answer(13, error, length, "Attribute format is invalid.");
  free(*place);
  *place = strdup(value);
  return OK;
}

static void start(const char *id) {
  char text[16384], *line[6], path[4096];
  if (!read_file(text, sizeof text, "jobs/%s", id)) return;
  char *rest = text;
  for (int i = 0; i < 6; i++) line[i] = strsep(&rest, "\n");
  pid_t child = fork();
  if (child != 0) {
    if (child > 0) waitpid(child, NULL, 0);
    return;
  }
  /* Whoever waits for the script is nobody's child, and has nothing of the server's open. */
  setsid();
  if (fork() != 0) _exit(0);
  for (int fd = 3; fd < 256; fd++) close(fd);
  int null = open("/dev/null", O_RDWR);
  dup2(null, 0), dup2(null, 1), dup2(null, 2);
  pid_t job = fork();
  if (job == 0) {
    path_of(path, "late");
    while (access(path, F_OK) == 0) usleep(20000);
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < 32; s++) signal(s, SIG_DFL);
    int out = open(strchr(line[3], ':') + 1, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    int err = open(strchr(line[4], ':') + 1, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (out < 0 || err < 0 || chdir(line[1]) != 0) _exit(126);
    dup2(out, 1), dup2(err, 2);
    /* As Grid Engine does. */
    setenv("JOB_ID", id, 1);
    setenv("SGE_TASK_ID", "undefined", 1);
    execl(line[2], line[2], NULL);
    _exit(127);
  }
  setpgid(job, job);
  snprintf(text, sizeof text, "%d", job);
  write_file("pids/%s", id, text);
  int status = 0;
  waitpid(job, &status, 0);
  snprintf(text, sizeof text, "%d", status);
  write_file("ends/%s", id, text);
  _exit(0);
}

int drmaa_run_job(char *id, size_t size, const drmaa_job_template_t *jt, char *error, size_t length) {
  char text[16384], path[4096];
  if (!open_session) return answer(NO_SESSION, error, length, "No active session.");
  int wrong = misbehave("run_job", jt->name ? jt->name : "-", error, length);
  if (wrong) return wrong;
  if (jt->native && strstr(jt->native, "--bogus"))
    return answer(BAD_VALUE, error, length, "Invalid native specification: --bogus (Unsupported option: --bogus)");
  if (jt->native && strstr(jt->native, "nosuch"))
    return answer(DENIED, error, length, "slurm_submit_batch_job error: Invalid partition name specified");
  pthread_mutex_lock(&mutex);
  int lock = open(path_of(path, "lock"), O_RDWR | O_CREAT, 0644);
  flock(lock, LOCK_EX);
  int next = read_file(text, sizeof text, "%s", "next") ? atoi(text) + 1 : 1;
  snprintf(id, size, "%d", next);
  write_file("%s", "next", id);
  close(lock);
  snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%s\n%s\n", jt->name ? jt->name : "", jt->wd, jt->script, jt->out, jt->err,
           jt->native ? jt->native : "");
  write_file("jobs/%s", id, text);
  if (!jt->native || !strstr(jt->native, "--hold")) start(id);
  pthread_mutex_unlock(&mutex);
  crash("run_job", 1);
  return OK;
}

int drmaa_job_ps(const char *id, int *state, char *error, size_t length) {
  char text[64], path[4096];
  if (!open_session) return answer(NO_SESSION, error, length, "No active session.");
  int wrong = misbehave("job_ps", id, error, length);
  if (wrong) return wrong;
  snprintf(text, sizeof text, "job_ps-%.20s", id);
  crash(text, 0);
  if (read_file(text, sizeof text, "say-%s", id)) {
    if (!strncmp(text, "gone", 4)) return answer(INVALID_JOB, error, length, "The job specified by the 'jobid' does not exist.");
    *state = strtol(text, NULL, 0);
    return OK;
  }
  if (strchr(id, '/') || access(path_of(path, "jobs/%s", id), F_OK) != 0)
    return answer(INVALID_JOB, error, length, "The job specified by the 'jobid' does not exist.");
  if (read_file(text, sizeof text, "ends/%s", id)) {
    if (access(path_of(path, "forget"), F_OK) == 0)
      return answer(INVALID_JOB, error, length, "The job specified by the 'jobid' does not exist.");
    *state = atoi(text) == 0 ? DONE : FAILED;
  } else
    *state = access(path_of(path, "pids/%s", id), F_OK) == 0 ? RUNNING : QUEUED;
  return OK;
}

int drmaa_control(const char *id, int action, char *error, size_t length) {
  char text[64], path[4096];
  if (!open_session) return answer(NO_SESSION, error, length, "No active session.");
  int wrong = misbehave("control", id, error, length);
  if (wrong) return wrong;
  if (action != TERMINATE) return answer(4, error, length, "Argument value is invalid.");
  if (strchr(id, '/') || access(path_of(path, "jobs/%s", id), F_OK) != 0)
    return answer(INVALID_JOB, error, length, "The job specified by the 'jobid' does not exist.");
  if (access(path_of(path, "ends/%s", id), F_OK) == 0)
    return answer(1, error, length, "slurm_terminate_job error: Job/step already completing or completed,job_id: 1");
  if (read_file(text, sizeof text, "pids/%s", id))
    kill(-atoi(text), SIGKILL);
  else
    write_file("ends/%s", id, "-1");
  return OK;
}
