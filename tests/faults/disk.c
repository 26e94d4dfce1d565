/* A disk that fails: write() to the files whose path begins with $FAILING_DISK_BELOW gives the errno
   $FAILING_DISK_ERROR (122 is EDQUOT). For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t write(int descriptor, const void *data, size_t size) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real)
    real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  const char *below = getenv("FAILING_DISK_BELOW"), *code = getenv("FAILING_DISK_ERROR");
  if (below && code) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    if (readlink(link, path, sizeof path - 1) > 0 && strncmp(path, below, strlen(below)) == 0) {
      errno = atoi(code);
      return -1;
    }
  }
  return real(descriptor, data, size);
}
