/* A mount that hangs: what looks at a path that begins with $HANGING_MOUNT, or opens one where
   $HANGING_MOUNT_ON is "open", never comes back, as with a network drive whose server is gone. For
   LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void hang(const char *path, const char *on) {
  const char *below = getenv("HANGING_MOUNT"), *calls = getenv("HANGING_MOUNT_ON");
  if (path && below && calls && strcmp(calls, on) == 0 && strncmp(path, below, strlen(below)) == 0)
    for (;;)
      pause();
}

#define LOOKS(name, status)                                                                       \
  int name(const char *path, struct status *found) {                                              \
    static int (*real)(const char *, struct status *);                                            \
    if (!real)                                                                                    \
      real = (int (*)(const char *, struct status *))dlsym(RTLD_NEXT, #name);                     \
    hang(path, "stat");                                                                           \
    return real(path, found);                                                                     \
  }

LOOKS(stat, stat)
LOOKS(stat64, stat64)
LOOKS(lstat, stat)
LOOKS(lstat64, stat64)

#define LOOKS_AT(name, status)                                                                    \
  int name(int folder, const char *path, struct status *found, int flags) {                       \
    static int (*real)(int, const char *, struct status *, int);                                  \
    if (!real)                                                                                    \
      real = (int (*)(int, const char *, struct status *, int))dlsym(RTLD_NEXT, #name);           \
    hang(path, "stat");                                                                           \
    return real(folder, path, found, flags);                                                      \
  }

LOOKS_AT(fstatat, stat)
LOOKS_AT(fstatat64, stat64)

#define OPENS(name)                                                                               \
  int name(const char *path, int flags, ...) {                                                    \
    static int (*real)(const char *, int, mode_t);                                                \
    va_list more;                                                                                 \
    va_start(more, flags);                                                                        \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;                       \
    va_end(more);                                                                                 \
    if (!real)                                                                                    \
      real = (int (*)(const char *, int, mode_t))dlsym(RTLD_NEXT, #name);                         \
    hang(path, "open");                                                                           \
    return real(path, flags, mode);                                                               \
  }

OPENS(open)
OPENS(open64)
