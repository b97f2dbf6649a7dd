// Maps and unmaps, forks and waits, again and again.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  for (long i = 0; i < 3000; i++) {
    // far apart, so that each takes tables of its own
    char *hint = (char *)(0x10000000000 + (i % 512 << 30));
    char *p = mmap(hint, 16 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
      return 1;
    for (int page = 0; page < 16; page++)
      p[page << 12] = (char)i;
    if (munmap(p, 16 << 12))
      return 2;
  }
  for (int i = 0; i < 20; i++) {
    pid_t child = fork();
    if (child == 0)
      _exit(7);
    int status;
    if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7)
      return 3;
  }
  return 0;
}
