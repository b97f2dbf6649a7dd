// Calls the kernel with pointers that are none, and says what it answers.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *kind;
static char page[4096];
static int pipes[2], file;
// Its last bytes are half of what some calls take.
static char *area;

static void restore(void) { memset(area, 'x', 4096); }

static void show(const char *call, long result) {
  if (result == -1)
    printf("%s, %s: %s\n", call, kind, strerror(errno));
  else
    printf("%s, %s: done\n", call, kind);
  restore();
}

// With the count of bytes.
static void count(const char *call, long result) {
  if (result == -1)
    printf("%s, %s: %s\n", call, kind, strerror(errno));
  else
    printf("%s, %s: %ld\n", call, kind, result);
  restore();
}

static void fill(void) {
  char drain[256];
  fcntl(pipes[0], F_SETFL, O_NONBLOCK);
  while (read(pipes[0], drain, sizeof drain) > 0) {
  }
  fcntl(pipes[0], F_SETFL, 0);
  if (write(pipes[1], page, 64) != 64)
    abort();
}

static void streams(void *p) {
  struct iovec parts[2] = {{page, 8}, {p, 64}};
  fill();
  count("read from a pipe", syscall(SYS_read, pipes[0], p, 64));
  lseek(file, 0, SEEK_SET);
  count("read from a file", syscall(SYS_read, file, p, 64));
  count("where the file is", lseek(file, 0, SEEK_CUR));
  count("pread64", syscall(SYS_pread64, file, p, 64, 0));
  lseek(file, 0, SEEK_SET);
  count("readv with a part", syscall(SYS_readv, file, parts, 2));
  count("readv of parts", syscall(SYS_readv, file, p, 2));
  fill();
  count("write to a pipe", syscall(SYS_write, pipes[1], p, 64));
  count("writev of parts", syscall(SYS_writev, pipes[1], p, 2));
  show("poll", syscall(SYS_poll, p, 1, 0));
  show("ppoll's time", syscall(SYS_ppoll, 0, 0, p, 0, 8));
  show("pipe", syscall(SYS_pipe, p));
  show("pipe2", syscall(SYS_pipe2, p, O_CLOEXEC));
}

static void names(void *p) {
  show("open", syscall(SYS_open, p, O_RDONLY));
  show("openat", syscall(SYS_openat, AT_FDCWD, p, O_RDONLY));
  show("stat of a name", syscall(SYS_stat, p, page));
  show("lstat of a name", syscall(SYS_lstat, p, page));
  show("fstat", syscall(SYS_fstat, file, p));
  show("newfstatat", syscall(SYS_newfstatat, file, "", p, AT_EMPTY_PATH));
  show("statx", syscall(SYS_statx, file, "", AT_EMPTY_PATH, 0x7ff, p));
  show("access", syscall(SYS_access, p, R_OK));
  show("faccessat", syscall(SYS_faccessat, AT_FDCWD, p, R_OK));
  show("getcwd", syscall(SYS_getcwd, p, 4096));
  show("chdir", syscall(SYS_chdir, p));
  show("readlink of a name", syscall(SYS_readlink, p, page, 64));
  show("unlink", syscall(SYS_unlink, p));
  show("mkdir", syscall(SYS_mkdir, p, 0700));
  show("rename", syscall(SYS_rename, p, "x"));
  show("rename to", syscall(SYS_rename, "nowhere", p));
  show("execve", syscall(SYS_execve, p, 0, 0));
  char *arguments[] = {"name", p, 0};
  if (p) {
    show("execve's arguments", syscall(SYS_execve, "/proc/self/exe", p, 0));
    show("execve's strings", syscall(SYS_execve, "/proc/self/exe", arguments, 0));
  }
}

static void times(void *p) {
  int futex = 0;
  show("nanosleep", syscall(SYS_nanosleep, p, 0));
  show("clock_nanosleep", syscall(SYS_clock_nanosleep, 1, 0, p, 0));
  show("clock_gettime", syscall(SYS_clock_gettime, 1, p));
  show("futex", syscall(SYS_futex, p, 128, 1, 0));
  if (p) {
    show("gettimeofday", syscall(SYS_gettimeofday, p, 0));
    show("clock_getres", syscall(SYS_clock_getres, 1, p));
    show("time", syscall(SYS_time, p));
    show("futex's time", syscall(SYS_futex, &futex, 128, 0, p));
  }
}

static void states(void *p) {
  show("uname", syscall(SYS_uname, p));
  show("sysinfo", syscall(SYS_sysinfo, p));
  count("getrandom", syscall(SYS_getrandom, p, 64, 0));
  show("getrusage", syscall(SYS_getrusage, 0, p));
  show("getrlimit", syscall(SYS_getrlimit, 3, p));
  show("arch_prctl", syscall(SYS_arch_prctl, 0x1003, p));
  show("sched_getaffinity", syscall(SYS_sched_getaffinity, 0, 128, p));
  if (p) {
    show("prlimit64", syscall(SYS_prlimit64, 0, 3, 0, p));
    show("rt_sigaction, old", syscall(SYS_rt_sigaction, 10, 0, p, 8));
    show("rt_sigprocmask, old", syscall(SYS_rt_sigprocmask, 0, 0, p, 8));
    show("sigaltstack, old", syscall(SYS_sigaltstack, 0, p));
    pid_t child = fork();
    if (child == 0)
      _exit(0);
    show("wait4", syscall(SYS_wait4, child, p, 0, 0));
    syscall(SYS_wait4, child, 0, 0, 0);
    child = fork();
    if (child == 0)
      _exit(0);
    show("wait4's usage", syscall(SYS_wait4, child, 0, 0, p));
    syscall(SYS_wait4, child, 0, 0, 0);
  }
  show("set_robust_list", syscall(SYS_set_robust_list, p, 24));
}

// What reads a value, which zeros would be right for.
static void readers(void *p) {
  show("rt_sigaction", syscall(SYS_rt_sigaction, 10, p, 0, 8));
  show("rt_sigprocmask", syscall(SYS_rt_sigprocmask, 0, p, 0, 8));
  show("rt_sigsuspend", syscall(SYS_rt_sigsuspend, p, 8));
}

int main(void) {
  area = mmap(0, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *gone = area + 4096, *read_only = area + 2 * 4096, *none = area + 4 * 4096;
  struct {
    const char *kind;
    void *p;
  } all[] = {
      {"null", 0},
      {"unmapped", gone},
      {"half mapped", area + 4096 - 4},
      {"no rights", none},
      {"behind the last page", (void *)0x7ffffffff000UL},
      {"not canonical", (void *)0x8000000000000000UL},
      {"the kernel's", (void *)0xffff800000000000UL},
      {"the monitor's", (void *)0xffff960000000000UL},
      {"wrapping", (void *)-8UL},
  };
  restore();
  if (munmap(gone, 4096) || mprotect(none, 4096, PROT_NONE) || pipe(pipes))
    return 1;
  file = open("/proc/self/exe", O_RDONLY);
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    kind = all[i].kind;
    if (all[i].p)
      streams(all[i].p);
    names(all[i].p);
    times(all[i].p);
    states(all[i].p);
    if (all[i].p)
      readers(all[i].p);
  }
  kind = "read-only";
  memset(read_only, 0, 4096);
  if (mprotect(read_only, 4096, PROT_READ))
    return 1;
  fill();
  count("read from a pipe", syscall(SYS_read, pipes[0], read_only, 64));
  count("write to a pipe", syscall(SYS_write, pipes[1], read_only, 64));
  count("pread64", syscall(SYS_pread64, file, read_only, 64, 0));
  show("fstat", syscall(SYS_fstat, file, read_only));
  show("open", syscall(SYS_open, read_only, O_RDONLY));
  show("nanosleep", syscall(SYS_nanosleep, read_only, 0));
  states(read_only);
  // a buffer over several pages, of which the last is gone
  kind = "several pages";
  char *pages = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(pages + 3 * 4096, 4096);
  lseek(file, 0, SEEK_SET);
  count("read from a file", syscall(SYS_read, file, pages + 100, 4 * 4096));
  return 0;
}
