// Does one thing that it must not do.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char constant[4096] = "constant";
static volatile int zero;

static int deeper(volatile int n) {
  volatile char frame[512];
  frame[n % 512] = (char)n;
  return n == -1 ? frame[0] : deeper(n + 1) + frame[n % 512];
}

static void *pages(int rights) { return mmap(0, 8192, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

int main(int count, char **arguments) {
  const char *what = count > 1 ? arguments[1] : "";
  volatile char *p = 0;
  if (!strcmp(what, "null")) {
    return *p;
  } else if (!strcmp(what, "store to a constant")) {
    *(volatile char *)constant = 1;
  } else if (!strcmp(what, "store to code")) {
    *(volatile char *)main = 1;
  } else if (!strcmp(what, "load without rights")) {
    p = pages(PROT_NONE);
    return *p;
  } else if (!strcmp(what, "store after mprotect")) {
    p = pages(PROT_READ | PROT_WRITE);
    *p = 1;
    mprotect((void *)p, 4096, PROT_READ);
    *p = 2;
  } else if (!strcmp(what, "load after munmap")) {
    p = pages(PROT_READ | PROT_WRITE);
    *p = 1;
    munmap((void *)p, 4096);
    return *p;
  } else if (!strcmp(what, "jump to data")) {
    p = pages(PROT_READ | PROT_WRITE);
    *p = (char)0xc3;
    ((void (*)(void))p)();
  } else if (!strcmp(what, "jump to the stack")) {
    char code[] = {(char)0xc3};
    ((void (*)(void))code)();
  } else if (!strcmp(what, "jump to nothing")) {
    ((void (*)(void))0x1234567000)();
  } else if (!strcmp(what, "jump to no address")) {
    ((void (*)(void))0x8000000000000000)();
  } else if (!strcmp(what, "jump to the kernel")) {
    ((void (*)(void))0xffff960000000000)();
  } else if (!strcmp(what, "load from the kernel")) {
    return *(volatile char *)0xffff960000001000;
  } else if (!strcmp(what, "store to the kernel")) {
    *(volatile char *)0xffff960040200000 = 1;
  } else if (!strcmp(what, "stack overflow")) {
    return deeper(0);
  } else if (!strcmp(what, "invalid opcode")) {
    __asm__ volatile("ud2");
  } else if (!strcmp(what, "privileged instruction")) {
    __asm__ volatile("hlt");
  } else if (!strcmp(what, "port")) {
    __asm__ volatile("outb %al, $0xe0");
  } else if (!strcmp(what, "control register")) {
    __asm__ volatile("mov %%cr3, %%rax" ::: "rax");
  } else if (!strcmp(what, "division by zero")) {
    __asm__ volatile("xor %%edx, %%edx\n mov $1, %%eax\n divl %0" ::"m"(zero) : "eax", "edx");
  } else if (!strcmp(what, "breakpoint")) {
    __asm__ volatile("int3");
  } else if (!strcmp(what, "no address")) {
    return *(volatile char *)0x8000000000000000;
  } else if (!strcmp(what, "past the end of a file")) {
    int self = open("/proc/self/exe", O_RDONLY);
    p = mmap(0, 64 << 20, PROT_READ, MAP_PRIVATE, self, 0);
    return p[(64 << 20) - 1];
  } else if (!strcmp(what, "no handler")) {
    signal(SIGUSR1, (void (*)(int))0x8000000000000000);
    raise(SIGUSR1);
  } else if (!strcmp(what, "no handler of faults")) {
    signal(SIGSEGV, (void (*)(int))0xffff960000000000);
    return *p;
  } else if (!strcmp(what, "no stack for a handler")) {
    signal(SIGSEGV, (void (*)(int))main);
    __asm__ volatile("mov $0x1000, %rsp\n push %rax");
  } else if (!strcmp(what, "no stack")) {
    __asm__ volatile("mov $0x8000000000000000, %rsp\n mov $39, %eax\n syscall\n mov $39, %eax\n syscall\n push %rax");
  } else if (!strcmp(what, "single step")) {
    __asm__ volatile("pushf\n orl $0x100, (%rsp)\n popf\n nop\n nop");
  } else if (!strcmp(what, "single step of a system call")) {
    __asm__ volatile("mov $39, %eax\n pushf\n orl $0x100, (%rsp)\n popf\n syscall\n nop");
  } else if (!strcmp(what, "register of the model")) {
    __asm__ volatile("mov $0xc0000082, %ecx\n wrmsr");
  } else if (!strcmp(what, "abort")) {
    abort();
  } else if (!strcmp(what, "exit")) {
    return 42;
  }
  return 0;
}
