// Uses more and more memory.
#define _GNU_SOURCE
#include <sys/mman.h>

int main(void) {
  unsigned long size = 1UL << 33;
  char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    return 1;
  for (unsigned long i = 0; i < size; i += 4096)
    p[i] = 1;
  return 0;
}
