/* A disk that fails: write() and pwrite() to the files whose path begins with $FAILING_DISK_BELOW
   give the errno $FAILING_DISK_ERROR (122 is EDQUOT). For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int descriptor) {
  const char *below = getenv("FAILING_DISK_BELOW"), *code = getenv("FAILING_DISK_ERROR");
  if (below && code) {
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    if (readlink(link, path, sizeof path - 1) > 0 && strncmp(path, below, strlen(below)) == 0) {
      errno = atoi(code);
      return 1;
    }
  }
  return 0;
}

ssize_t write(int descriptor, const void *data, size_t size) {
  static ssize_t (*real)(int, const void *, size_t);
  if (!real)
    real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
  return fails(descriptor) ? -1 : real(descriptor, data, size);
}

/* As SQLite writes. */
ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t offset) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  if (!real)
    real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  return fails(descriptor) ? -1 : real(descriptor, data, size, offset);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t offset) {
  return pwrite64(descriptor, data, size, offset);
}
