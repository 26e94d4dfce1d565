/* A host in trouble, for processes that load this with LD_PRELOAD: a clock that is set while they run,
 * and a disk that fails. The environment says how:
 *
 * STANDIN_CLOCK        a file that holds the seconds by which CLOCK_REALTIME is off; no file: 0.
 *                      CLOCK_MONOTONIC is as it was, as when NTP or a person sets the clock
 * STANDIN_WRITE_BELOW  how the path of files begins whose write() fails
 * STANDIN_WRITE_ERROR  with which errno (122 is EDQUOT)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    const char *name = getenv("STANDIN_CLOCK");
    FILE *file = result == 0 && clock == CLOCK_REALTIME && name ? fopen(name, "r") : NULL;
    if (file) {
        long off = 0;
        if (fscanf(file, "%ld", &off) == 1)
            now->tv_sec += off;
        fclose(file);
    }
    return result;
}

ssize_t write(int descriptor, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    const char *below = getenv("STANDIN_WRITE_BELOW"), *code = getenv("STANDIN_WRITE_ERROR");
    if (below && code) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length > 0 && strncmp(path, below, strlen(below)) == 0 && (size_t)length >= strlen(below)) {
            errno = atoi(code);
            return -1;
        }
    }
    return real(descriptor, data, size);
}
