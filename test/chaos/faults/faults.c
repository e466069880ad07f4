/*
 * Sits between a program and the C library (LD_PRELOAD) and lets file operations below one directory go wrong when it is told to, in
 * all processes of a server and its jobs. Two files steer it, both named in the environment and both seen by all processes:
 *   MAGNETAR_FAULTS  (with .boot at its end: what the kernel's boot_id is from now on)
 *                    the words of struct state below, mapped: what to do at which call, and what was met
 *   MAGNETAR_LOG     (a directory, with a slash at its end) what changed the disk, in order: log, and contents as they were when
 *                    they were synced: 0, 1, 2, …
 *   MAGNETAR_LIFE    which server of several, one after the other, the process belongs to: the script of a job which an earlier one has
 *                    started may begin after the words were set for the next
 * MAGNETAR_ROOT is the directory, without links, without a slash at its end. faults.ts is the other side.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPEN, CREATE, WRITE, SYNC, RENAME, UNLINK, MKDIR, RMDIR, LINK, SYMLINK, TRUNCATE, FORK, CLASSES };
/* Who asks again later and later would need minutes to meet all calls of a series. */
enum { OFTEN_SECONDS = 10 };
enum { COUNT, FAIL, SHORT, DELAY, KILL_BEFORE, KILL_AFTER };
static const char *const names[CLASSES] = {"open", "create", "write", "sync", "rename", "unlink",
                                           "mkdir", "rmdir", "link", "symlink", "truncate", "fork"};

struct state {
  _Atomic int server;     /* 0: the server; set by the first process of its life */
  _Atomic int armed;      /* 1 */
  _Atomic unsigned mask;  /* 2: of classes */
  _Atomic int at;         /* 3: the number of the call, from 1 */
  _Atomic int action;     /* 4 */
  _Atomic int value;      /* 5: errno, or milliseconds */
  _Atomic int times;      /* 6: so many calls from there on, for OFTEN_SECONDS at most */
  _Atomic int scope;      /* 7: 1 the server, 2 others, 3 both */
  _Atomic int counter;    /* 8 */
  _Atomic int met;        /* 9 */
  _Atomic int logs;       /* 10 */
  _Atomic int lock;       /* 11 */
  _Atomic int over;       /* 12: the power is gone */
  _Atomic int blobs;      /* 13 */
  _Atomic int power;      /* 14: a kill is a loss of power */
  _Atomic int until;      /* 15: the first call was met OFTEN_SECONDS before this */
  _Atomic int counts[15]; /* 16 */
  _Atomic int life;       /* 31 */
  char what[512];         /* at byte 128: the first call that was met */
};

static struct state *state;
static char root[PATH_MAX], log_directory[PATH_MAX], preload[PATH_MAX], faults_file[PATH_MAX];
static size_t root_length;
static int log_fd = -1;

#define REAL(name) ({ static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("MAGNETAR_FAULTS"), *below = getenv("MAGNETAR_ROOT"), *logs = getenv("MAGNETAR_LOG");
  const char *self = getenv("LD_PRELOAD"), *life = getenv("MAGNETAR_LIFE");
  if (!file || !below || !self) return;
  int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) return;
  void *found = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (found == MAP_FAILED) return;
  snprintf(root, sizeof root, "%s", below);
  root_length = strlen(root);
  snprintf(log_directory, sizeof log_directory, "%s", logs ? logs : "");
  snprintf(preload, sizeof preload, "%s", self);
  snprintf(faults_file, sizeof faults_file, "%s", file);
  state = found;
  int none = 0;
  if (life && atoi(life) == atomic_load(&state->life)) atomic_compare_exchange_strong(&state->server, &none, getpid());
}

/* The path without links in what leads to it, as far as the server's own ways need that: /proc/self/fd/N/name and relative ones. */
static int resolve(int at, const char *path, char *out) {
  if (!path) return 0;
  char link[64];
  const char *rest = path;
  if (!strncmp(path, "/proc/self/fd/", 14)) {
    char *end;
    long fd = strtol(path + 14, &end, 10);
    snprintf(link, sizeof link, "/proc/self/fd/%ld", fd);
    rest = end;
  } else if (path[0] == '/') {
    if (snprintf(out, PATH_MAX, "%s", path) >= PATH_MAX) return 0;
    link[0] = 0;
  } else {
    if (at == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
    else snprintf(link, sizeof link, "/proc/self/fd/%d", at);
  }
  if (link[0]) {
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    if (length <= 0) return 0;
    out[length] = 0;
    while (*rest == '/') rest++;
    if (!strncmp(rest, "./", 2)) rest += 2;
    if (*rest && strcmp(rest, ".")) {
      if ((size_t)length + strlen(rest) + 2 > PATH_MAX) return 0;
      out[length] = '/';
      strcpy(out + length + 1, rest);
    }
  }
  size_t length = strlen(out);
  while (length > 1 && out[length - 1] == '/') out[--length] = 0;
  return !strncmp(out, root, root_length) && (out[root_length] == '/' || out[root_length] == 0);
}

static int active(void) {
  if (!state) return 0;
  if (atomic_load(&state->over)) syscall(SYS_kill, getpid(), SIGKILL);
  return atomic_load(&state->armed) || atomic_load(&state->logs);
}

static int below_path(int at, const char *path, char *out) { return active() && resolve(at, path, out); }

static int below_fd(int fd, char *out) {
  char link[64];
  if (fd < 0 || !active()) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  return resolve(AT_FDCWD, link, out);
}

static void end_server(void) {
  if (atomic_load(&state->power)) atomic_store(&state->over, 1);
  int server = atomic_load(&state->server);
  syscall(SYS_kill, -server, SIGKILL);
  syscall(SYS_kill, server, SIGKILL);
  if (getpid() == server || atomic_load(&state->power)) syscall(SYS_kill, getpid(), SIGKILL);
}

/* COUNT: go on. Delays and kills before the call happen here. */
static int meet(int class, const char *path) {
  int saved = errno;
  if (!atomic_load(&state->armed) || !(atomic_load(&state->mask) & (1u << class))) return COUNT;
  int ours = getpid() == atomic_load(&state->server) || getpgrp() == atomic_load(&state->server);
  if (!(atomic_load(&state->scope) & (ours ? 1 : 2))) return COUNT;
  atomic_fetch_add(&state->counts[class], 1);
  int serial = atomic_fetch_add(&state->counter, 1) + 1, at = atomic_load(&state->at);
  if (at == 0 || serial < at || serial >= at + atomic_load(&state->times)) return COUNT;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  int none = 0;
  atomic_compare_exchange_strong(&state->until, &none, (int)now.tv_sec + OFTEN_SECONDS);
  if (now.tv_sec >= atomic_load(&state->until)) return COUNT;
  if (atomic_fetch_add(&state->met, 1) == 0)
    snprintf(state->what, sizeof state->what, "%s %s", names[class], path[root_length] ? path + root_length + 1 : path);
  int action = atomic_load(&state->action);
  if (action == DELAY) usleep((useconds_t)atomic_load(&state->value) * 1000);
  if (action == KILL_BEFORE) end_server();
  errno = saved;
  return action;
}

static void passed(int action) {
  if (action == KILL_AFTER) end_server();
}

static void lock(void) {
  int me = getpid();
  for (int tries = 0;; tries++) {
    int none = 0;
    if (atomic_compare_exchange_strong(&state->lock, &none, me)) return;
    /* Its owner was killed. Threads of one process wait for each other. */
    if (tries % 1000 == 999 && none && none != me && syscall(SYS_kill, none, 0) != 0)
      atomic_compare_exchange_strong(&state->lock, &none, 0);
    sched_yield();
  }
}

static int begin_logged(void) {
  if (!atomic_load(&state->logs)) return 0;
  lock();
  return 1;
}

static void end_logged(int held) {
  if (held) atomic_store(&state->lock, 0);
}

static void note(const char *format, ...) {
  int saved = errno;
  char line[2 * PATH_MAX + 64];
  if (log_fd < 0) {
    snprintf(line, sizeof line, "%slog", log_directory);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, line, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    /* Out of the way of what the program numbers itself. */
    log_fd = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 700);
    syscall(SYS_close, fd);
  }
  va_list values;
  va_start(values, format);
  int length = vsnprintf(line, sizeof line, format, values);
  va_end(values);
  /* A program may close what it does not know. */
  if (syscall(SYS_write, log_fd, line, (size_t)length) < 0) log_fd = -1;
  errno = saved;
}

static void note_synced(int fd, const char *path) {
  struct stat stats;
  if (fstat(fd, &stats) != 0) return;
  if (S_ISDIR(stats.st_mode)) {
    note("syncdir\t%s\n", path);
    return;
  }
  if (stats.st_nlink == 0) return;
  int saved = errno, serial = atomic_fetch_add(&state->blobs, 1);
  char link[64], blob[PATH_MAX + 32], buffer[65536];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  snprintf(blob, sizeof blob, "%s%d", log_directory, serial);
  int from = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
  int to = (int)syscall(SYS_openat, AT_FDCWD, blob, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  ssize_t got;
  while ((got = syscall(SYS_read, from, buffer, sizeof buffer)) > 0) syscall(SYS_write, to, buffer, (size_t)got);
  syscall(SYS_close, from);
  syscall(SYS_close, to);
  note("sync\t%s\t%d\n", path, serial);
  errno = saved;
}

#define FAILED(action) ((action) == FAIL ? (errno = atomic_load(&state->value), 1) : 0)

static int opened(int at, const char *path, int flags, mode_t mode) {
  static int (*real)(int, const char *, int, ...);
  if (!real) real = dlsym(RTLD_NEXT, "openat64");
  char full[PATH_MAX];
  /* After a loss of power the machine was started anew, for those who ask the kernel. */
  if (state && path && !strcmp(path, "/proc/sys/kernel/random/boot_id")) {
    snprintf(full, sizeof full, "%s.boot", faults_file);
    int fd = real(AT_FDCWD, full, flags, mode);
    return fd >= 0 ? fd : real(at, path, flags, mode);
  }
  if ((flags & O_PATH) || !below_path(at, path, full)) return real(at, path, flags, mode);
  int creates = (flags & O_CREAT) != 0;
  int action = meet(creates ? CREATE : OPEN, full);
  if (FAILED(action)) return -1;
  int held = creates || (flags & O_TRUNC) ? begin_logged() : 0, is_new = 0;
  if (held && creates) is_new = syscall(SYS_faccessat, AT_FDCWD, full, F_OK) != 0;
  int fd = real(at, path, flags, mode);
  if (fd >= 0 && held && is_new) note("create\t%s\n", full);
  else if (fd >= 0 && held && (flags & O_TRUNC)) note("truncate\t%s\n", full);
  end_logged(held);
  passed(action);
  return fd;
}

#define OPENS(name) int name(const char *path, int flags, ...) { \
  va_list values; va_start(values, flags); mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(values, mode_t) : 0; \
  va_end(values); return opened(AT_FDCWD, path, flags, mode); }
#define OPENS_AT(name) int name(int at, const char *path, int flags, ...) { \
  va_list values; va_start(values, flags); mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(values, mode_t) : 0; \
  va_end(values); return opened(at, path, flags, mode); }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __openat_2(int at, const char *path, int flags) { return opened(at, path, flags, 0); }
int __openat64_2(int at, const char *path, int flags) { return opened(at, path, flags, 0); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* LevelDB's files are streams of the C library, which opens and writes them past the calls above. */
static FILE *opened_stream(const char *path, const char *mode) {
  static FILE *(*real)(const char *, const char *);
  if (!real) real = dlsym(RTLD_NEXT, "fopen64");
  char full[PATH_MAX];
  if (!below_path(AT_FDCWD, path, full)) return real(path, mode);
  int creates = mode[0] != 'r';
  int action = meet(creates ? CREATE : OPEN, full);
  if (FAILED(action)) return NULL;
  int held = creates ? begin_logged() : 0, is_new = held && syscall(SYS_faccessat, AT_FDCWD, full, F_OK) != 0;
  FILE *stream = real(path, mode);
  if (stream && held && is_new) note("create\t%s\n", full);
  end_logged(held);
  passed(action);
  return stream;
}
FILE *fopen(const char *path, const char *mode) { return opened_stream(path, mode); }
FILE *fopen64(const char *path, const char *mode) { return opened_stream(path, mode); }

#define FLUSHES(name) int name(FILE *stream) { \
  char full[PATH_MAX]; \
  if (!stream || !below_fd(fileno(stream), full)) return REAL(name)(stream); \
  int action = meet(WRITE, full); \
  if (FAILED(action)) return EOF; \
  int done = REAL(name)(stream); \
  passed(action); \
  return done; }
FLUSHES(fflush)
FLUSHES(fflush_unlocked)

/* `length` may be made shorter. */
static int before_write(int fd, size_t *length) {
  char full[PATH_MAX];
  if (!below_fd(fd, full)) return COUNT;
  int action = meet(WRITE, full);
  if (action == SHORT && *length > 1) *length = *length / 2;
  return action;
}

ssize_t write(int fd, const void *data, size_t length) {
  int action = before_write(fd, &length);
  if (FAILED(action)) return -1;
  ssize_t done = REAL(write)(fd, data, length);
  passed(action);
  return done;
}

#define PWRITES(name, offset_type) ssize_t name(int fd, const void *data, size_t length, offset_type offset) { \
  int action = before_write(fd, &length); \
  if (FAILED(action)) return -1; \
  ssize_t done = REAL(name)(fd, data, length, offset); \
  passed(action); \
  return done; }
PWRITES(pwrite, off_t)
PWRITES(pwrite64, off64_t)

#define VECTORS(name, more, pass) ssize_t name(int fd, const struct iovec *parts, int count more) { \
  size_t all = 2; \
  int action = before_write(fd, &all); \
  if (FAILED(action)) return -1; \
  if (action == SHORT && count > 1) count = count / 2; \
  ssize_t done = REAL(name)(fd, parts, count pass); \
  passed(action); \
  return done; }
#define COMMA ,
VECTORS(writev, , )
VECTORS(pwritev, COMMA off_t offset, COMMA offset)
VECTORS(pwritev64, COMMA off64_t offset, COMMA offset)

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length, unsigned flags) {
  int action = before_write(out, &length);
  if (FAILED(action)) return -1;
  ssize_t done = REAL(copy_file_range)(in, in_at, out, out_at, length, flags);
  passed(action);
  return done;
}

#define SENDS(name, offset_type) ssize_t name(int out, int in, offset_type *offset, size_t length) { \
  int action = before_write(out, &length); \
  if (FAILED(action)) return -1; \
  ssize_t done = REAL(name)(out, in, offset, length); \
  passed(action); \
  return done; }
SENDS(sendfile, off_t)
SENDS(sendfile64, off64_t)

#define SYNCS(name) int name(int fd) { \
  char full[PATH_MAX]; \
  if (!below_fd(fd, full)) return REAL(name)(fd); \
  int action = meet(SYNC, full); \
  if (FAILED(action)) return -1; \
  int held = begin_logged(); \
  /* Where the log is kept, no disk needs to be waited for. */ \
  int done = held ? 0 : REAL(name)(fd); \
  if (held) note_synced(fd, full); \
  end_logged(held); \
  passed(action); \
  return done; }
SYNCS(fsync)
SYNCS(fdatasync)

/* One path, and what is logged when it went well. */
#define CHANGE(class, at, path, call, word) \
  char full[PATH_MAX]; \
  if (!below_path(at, path, full)) return call; \
  int action = meet(class, full); \
  if (FAILED(action)) return -1; \
  int held = begin_logged(); \
  int done = call; \
  if (done == 0 && held) note(word "\t%s\n", full); \
  end_logged(held); \
  passed(action); \
  return done;

int unlink(const char *path) { CHANGE(UNLINK, AT_FDCWD, path, REAL(unlink)(path), "unlink") }
int rmdir(const char *path) { CHANGE(RMDIR, AT_FDCWD, path, REAL(rmdir)(path), "rmdir") }
int mkdir(const char *path, mode_t mode) { CHANGE(MKDIR, AT_FDCWD, path, REAL(mkdir)(path, mode), "mkdir") }
int mkdirat(int at, const char *path, mode_t mode) { CHANGE(MKDIR, at, path, REAL(mkdirat)(at, path, mode), "mkdir") }
int unlinkat(int at, const char *path, int flags) {
  if (flags & AT_REMOVEDIR) { CHANGE(RMDIR, at, path, REAL(unlinkat)(at, path, flags), "rmdir") }
  else { CHANGE(UNLINK, at, path, REAL(unlinkat)(at, path, flags), "unlink") }
}
int remove(const char *path) {
  struct stat stats;
  if (lstat(path, &stats) == 0 && S_ISDIR(stats.st_mode)) return rmdir(path);
  return unlink(path);
}
int symlink(const char *to, const char *path) { CHANGE(SYMLINK, AT_FDCWD, path, REAL(symlink)(to, path), "symlink") }
int symlinkat(const char *to, int at, const char *path) { CHANGE(SYMLINK, at, path, REAL(symlinkat)(to, at, path), "symlink") }

/* Two paths. One that begins outside counts where it arrives. */
#define MOVE(class, from_at, from, to_at, to, call, word) \
  char source[PATH_MAX], target[PATH_MAX]; \
  if (!below_path(to_at, to, target)) return call; \
  if (!resolve(from_at, from, source)) snprintf(source, sizeof source, "-"); \
  int action = meet(class, target); \
  if (FAILED(action)) return -1; \
  int held = begin_logged(); \
  int done = call; \
  if (done == 0 && held) note(word "\t%s\t%s\n", source, target); \
  end_logged(held); \
  passed(action); \
  return done;

int rename(const char *from, const char *to) { MOVE(RENAME, AT_FDCWD, from, AT_FDCWD, to, REAL(rename)(from, to), "rename") }
int renameat(int a, const char *from, int b, const char *to) { MOVE(RENAME, a, from, b, to, REAL(renameat)(a, from, b, to), "rename") }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
  MOVE(RENAME, a, from, b, to, REAL(renameat2)(a, from, b, to, flags), "rename")
}
int link(const char *from, const char *to) { MOVE(LINK, AT_FDCWD, from, AT_FDCWD, to, REAL(link)(from, to), "link") }
int linkat(int a, const char *from, int b, const char *to, int flags) {
  MOVE(LINK, a, from, b, to, REAL(linkat)(a, from, b, to, flags), "link")
}

#define TRUNCATES(name, offset_type) int name(int fd, offset_type length) { \
  char full[PATH_MAX]; \
  if (!below_fd(fd, full)) return REAL(name)(fd, length); \
  int action = meet(TRUNCATE, full); \
  if (FAILED(action)) return -1; \
  int done = REAL(name)(fd, length); \
  passed(action); \
  return done; }
TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

pid_t fork(void) {
  if (active()) {
    int action = meet(FORK, root);
    if (FAILED(action)) return -1;
    pid_t pid = REAL(fork)();
    if (pid != 0) passed(action);
    return pid;
  }
  return REAL(fork)();
}

/* What the server starts in an environment of its own is watched too. */
static void watch_child(void) {
  if (!state) return;
  setenv("LD_PRELOAD", preload, 1);
  setenv("MAGNETAR_FAULTS", faults_file, 1);
  setenv("MAGNETAR_ROOT", root, 1);
  if (log_directory[0]) setenv("MAGNETAR_LOG", log_directory, 1);
}

int execvp(const char *file, char *const argv[]) {
  watch_child();
  return REAL(execvp)(file, argv);
}
