// Starts itself in all ways.
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int count, char **arguments) {
  if (count > 1) {
    printf("started with %s\n", arguments[1]);
    return 5;
  }
  pid_t child;
  int status;
  char *child_arguments[] = {"itself", "an argument", 0}, *environment[] = {"NAME=value", 0};
  fflush(stdout);
  int error = posix_spawn(&child, "/proc/self/exe", 0, 0, child_arguments, environment);
  waitpid(child, &status, 0);
  printf("posix_spawn: %s, %d\n", strerror(error), WEXITSTATUS(status));
  error = posix_spawn(&child, "/nowhere", 0, 0, child_arguments, environment);
  printf("posix_spawn of nothing: %s\n", strerror(error));
  volatile int shared = 1;
  child = vfork();
  if (child == 0) {
    shared = 2;
    _exit(3);
  }
  waitpid(child, &status, 0);
  printf("vfork: %d, %d\n", shared, WEXITSTATUS(status));
  fflush(stdout);
  child_arguments[1] = "another one";
  return execve("/proc/self/exe", child_arguments, environment);
}
