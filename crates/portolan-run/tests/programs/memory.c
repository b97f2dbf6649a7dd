// Uses memory in all ways, and checks what is in it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(what)                                                                                                              \
  do {                                                                                                                           \
    if (!(what)) {                                                                                                               \
      printf("%s:%d: %s\n", __func__, __LINE__, #what);                                                                          \
      exit(1);                                                                                                                   \
    }                                                                                                                            \
  } while (0)

enum { PAGE = 4096 };

static char *pages(int count, int rights, int flags) {
  char *p = mmap(0, count * PAGE, rights, flags | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

static void anonymous(void) {
  char *p = pages(8, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (int i = 0; i < 8 * PAGE; i++)
    CHECK(p[i] == 0);
  memset(p, 1, 8 * PAGE);
  CHECK(munmap(p + 2 * PAGE, 2 * PAGE) == 0);
  CHECK(p[PAGE] == 1 && p[4 * PAGE] == 1);
  char *q = mmap(p + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK(q == p + 2 * PAGE && q[5] == 0);
  CHECK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
  CHECK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p && p[0] == 0);
  CHECK(munmap(p, 8 * PAGE) == 0);
  CHECK(munmap(p + 1, PAGE) == -1 && errno == EINVAL);
  CHECK(munmap(p, 0) == -1 && errno == EINVAL);
  CHECK(mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
  CHECK(mmap(0, 1UL << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
  CHECK(mmap(0, -1UL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
}

static void rights(void) {
  char *p = pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  memset(p, 7, 4 * PAGE);
  CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0);
  CHECK(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
  CHECK(p[PAGE] == 7);
  p[PAGE] = 8;
  static const char code[] = {(char)0xb8, 42, 0, 0, 0, (char)0xc3};
  memcpy(p, code, sizeof code);
  CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
  CHECK(((int (*)(void))p)() == 42);
  munmap(p + 2 * PAGE, PAGE);
  CHECK(mprotect(p, 4 * PAGE, PROT_READ) == -1 && errno == ENOMEM);
  munmap(p, 4 * PAGE);
}

static void moved(void) {
  char *p = pages(5, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (int i = 0; i < 4; i++)
    p[i * PAGE] = 'a' + i;
  char *wall = mmap(p + 4 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(wall == p + 4 * PAGE);
  CHECK(mremap(p, 4 * PAGE, 8 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
  char *q = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
  CHECK(q != MAP_FAILED && q != p);
  for (int i = 0; i < 4; i++)
    CHECK(q[i * PAGE] == 'a' + i);
  CHECK(q[7 * PAGE] == 0);
  q[7 * PAGE] = 'z';
  CHECK(mremap(q, 8 * PAGE, 2 * PAGE, 0) == q);
  CHECK(q[PAGE] == 'b');
  munmap(q, 2 * PAGE);
}

static void heap(void) {
  char *start = sbrk(0);
  CHECK(sbrk(100 * PAGE) == start);
  memset(start, 3, 100 * PAGE);
  CHECK(sbrk(-50 * PAGE) != (void *)-1);
  CHECK(sbrk(50 * PAGE) != (void *)-1);
  CHECK(start[49 * PAGE] == 3 && start[50 * PAGE] == 0);
  char *big = malloc(32 << 20);
  CHECK(big);
  memset(big, 9, 32 << 20);
  big = realloc(big, 64 << 20);
  CHECK(big && big[(32 << 20) - 1] == 9);
  free(big);
}

static int shared_value;

static void copies(void) {
  char *private = pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  int *shared = (int *)pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
  private[0] = 1;
  shared_value = 1;
  int status, ends[2];
  CHECK(pipe(ends) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char go;
    CHECK(read(ends[0], &go, 1) == 1);
    CHECK(private[0] == 1 && private[PAGE] == 0 && shared_value == 1);
    private[0] = 3;
    private[PAGE] = 3;
    shared_value = 3;
    shared[1] = 5;
    pid_t grandchild = fork();
    if (grandchild == 0) {
      CHECK(private[0] == 3);
      private[0] = 4;
      shared[2] = 6;
      _exit(private[0]);
    }
    CHECK(waitpid(grandchild, &status, 0) == grandchild && WEXITSTATUS(status) == 4);
    _exit(private[0]);
  }
  private[0] = 2;
  private[PAGE] = 2;
  shared_value = 2;
  CHECK(write(ends[1], "g", 1) == 1);
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3);
  CHECK(private[0] == 2 && private[PAGE] == 2 && shared_value == 2);
  CHECK(shared[0] == 0 && shared[1] == 5 && shared[2] == 6);
  private[0] = 5;
  CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
}

static void file(void) {
  int self = open("/proc/self/exe", O_RDONLY);
  CHECK(self >= 0);
  char start[16];
  CHECK(pread(self, start, 16, PAGE) == 16);
  char *p = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, self, 0);
  CHECK(p != MAP_FAILED && memcmp(p, "\177ELF", 4) == 0 && memcmp(p + PAGE, start, 16) == 0);
  p[0] = 'x';
  char again[4];
  CHECK(pread(self, again, 4, 0) == 4 && memcmp(again, "\177ELF", 4) == 0);
  CHECK(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 77, 0) == MAP_FAILED && errno == EBADF);
  CHECK(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, self, 1) == MAP_FAILED && errno == EINVAL);
  munmap(p, 2 * PAGE);
  close(self);
}

static sigjmp_buf back;
static volatile void *where;

static void caught(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  where = info->si_addr;
  siglongjmp(back, 1);
}

static void handler(void) {
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGSEGV, &action, 0) == 0);
  volatile char *p = (char *)0x123456789000;
  for (int i = 0; i < 3; i++)
    if (sigsetjmp(back, 1) == 0) {
      *(p + i) = 1;
      CHECK(!"reached");
    } else {
      CHECK(where == p + i);
    }
  signal(SIGSEGV, SIG_DFL);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int sum;

static void *work(void *n) {
  for (int i = 0; i < 1000; i++) {
    pthread_mutex_lock(&lock);
    sum += (int)(long)n;
    pthread_mutex_unlock(&lock);
    if (i % 100 == 0)
      sched_yield();
  }
  return n;
}

static void threads(void) {
  pthread_t all[4];
  for (long n = 0; n < 4; n++)
    CHECK(pthread_create(&all[n], 0, work, (void *)n) == 0);
  for (long n = 0; n < 4; n++) {
    void *answer;
    CHECK(pthread_join(all[n], &answer) == 0 && answer == (void *)n);
  }
  CHECK(sum == 6000);
}

static double dance(int n) {
  double x = n;
  for (int i = 0; i < 1000; i++) {
    x = x * 1.000001 + 0.5;
    if (i % 100 == 0)
      sched_yield();
  }
  return x;
}

// Vector registers are each process's own.
static void numbers(void) {
  double expected = dance(1);
  pid_t children[3];
  for (int n = 0; n < 3; n++)
    if ((children[n] = fork()) == 0) {
      dance(n + 10);
      _exit(0);
    }
  CHECK(dance(1) == expected);
  for (int n = 0; n < 3; n++)
    CHECK(waitpid(children[n], 0, 0) == children[n]);
}

int main(void) {
  anonymous();
  rights();
  moved();
  heap();
  copies();
  file();
  handler();
  threads();
  numbers();
  printf("all is as it should be: %s, %.3f\n", getenv("NOTHING") ? "?" : "no environment", 1.5);
  return 0;
}
