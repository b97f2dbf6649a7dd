// Without a library: its own system calls, and what it finds on its stack.
static long call(long number, long a, long b, long c) {
  long answer;
  __asm__ volatile("syscall" : "=a"(answer) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return answer;
}

static char zeros[8192];

__attribute__((used)) static void begin(long *stack) {
  long count = stack[0];
  char **arguments = (char **)(stack + 1);
  int status = ((long)stack % 16 != 0) | (arguments[count] != 0) << 1;
  for (unsigned i = 0; i < sizeof zeros; i++)
    status |= (zeros[i] != 0) << 2;
  char *last = arguments[count - 1];
  long length = 0;
  while (last[length])
    length++;
  call(1, 1, (long)last, length);
  call(231, status, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
