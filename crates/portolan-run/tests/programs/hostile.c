// Makes system calls of all numbers with all kinds of arguments, and ends as it wants to.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long argument(void) {
  switch (rand() % 7) {
  case 0:
    return rand();
  case 1:
    return 0x7fff00000000 + rand();
  case 2:
    return -(unsigned long)rand();
  case 3:
    return rand() % 16;
  case 4:
    return 1UL << rand() % 64;
  case 5:
    return (1UL << rand() % 64) - 1;
  default:
    // its own code and data
    return 0x400000 + rand() % 0x100000;
  }
}

// What would end it, keep it waiting, or take its memory from under its feet.
static int is_left_out(int number) {
  switch (number) {
  case SYS_mmap:
  case SYS_mprotect:
  case SYS_munmap:
  case SYS_mremap:
  case SYS_madvise:
  case SYS_brk:
  case SYS_arch_prctl:
  case SYS_rt_sigaction:
  case SYS_rt_sigreturn:
  case SYS_rt_sigsuspend:
  case SYS_poll:
  case SYS_ppoll:
  case SYS_pause:
  case SYS_nanosleep:
  case SYS_clock_nanosleep:
  case SYS_futex:
  case SYS_clone:
  case SYS_fork:
  case SYS_vfork:
  case SYS_exit:
  case SYS_exit_group:
  case SYS_kill:
  case SYS_tkill:
  case SYS_tgkill:
  // what is read would go over its data, into what it goes on with
  case SYS_read:
  case SYS_readv:
  case SYS_pread64:
  case SYS_getrandom:
    return 1;
  }
  return 0;
}

int main(void) {
  for (int file = 0; file < 3; file++)
    close(file);
  srand(1);
  for (int i = 0; i < 20000; i++) {
    int number = rand() % 512;
    if (!is_left_out(number))
      syscall(number, argument(), argument(), argument(), argument(), argument(), argument());
  }
  // memory that nothing lies in, with what else there is
  for (int i = 0; i < 2000; i++) {
    unsigned long at = 0x10000000000 + (rand() % 64UL << 12), size = argument(), flags = argument() & ~0x10UL;
    syscall(SYS_mmap, at, rand() % 65536, rand() % 8, 0x22 | (rand() % 2 ? 0x10 : 0), -1, 0);
    syscall(SYS_mmap, at, size, argument(), flags, argument(), argument());
    syscall(SYS_mprotect, at, rand() % 65536, rand() % 8);
    syscall(SYS_mremap, at, rand() % 65536, rand() % 65536, 1, 0);
    syscall(SYS_madvise, at, rand() % 65536, rand() % 8);
    syscall(SYS_munmap, at, rand() % 65536);
  }
  return 7;
}
