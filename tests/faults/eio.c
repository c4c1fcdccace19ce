/* Calls that fail as a disk or a network may: for files whose path ends as FAULT_PATH says.
   FAULT_ERRNO is what they fail with; FAULT_CALLS which calls (o: open, r: read, s: stat), and
   FAULT_UNTIL names a file: while it is there, calls fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int ends(const char *path, char call) {
    const char *want = getenv("FAULT_PATH"), *calls = getenv("FAULT_CALLS");
    const char *until = getenv("FAULT_UNTIL");
    if (!want || !path || !calls || !strchr(calls, call)) return 0;
    size_t n = strlen(want), m = strlen(path);
    if (m < n || strcmp(path + m - n, want)) return 0;
    if (until) {
        int (*there)(const char *, int) = dlsym(RTLD_NEXT, "access");
        if (there(until, F_OK)) return 0;
    }
    errno = atoi(getenv("FAULT_ERRNO"));
    return 1;
}

static int held(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return ends(path, 'r');
}

#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                          \
        va_list more;                                                     \
        va_start(more, flags);                                            \
        mode_t mode = va_arg(more, mode_t);                               \
        va_end(more);                                                     \
        if (ends(path, 'o')) return -1;                                   \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);    \
        return real(path, flags, mode);                                   \
    }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                       \
    FILE *name(const char *path, const char *how) {                       \
        if (ends(path, 'o')) return NULL;                                 \
        FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, #name); \
        return real(path, how);                                           \
    }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t read(int fd, void *to, size_t n) {
    if (held(fd)) return -1;
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    return real(fd, to, n);
}

ssize_t readv(int fd, const struct iovec *to, int n) {
    if (held(fd)) return -1;
    ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "readv");
    return real(fd, to, n);
}

#define STAT(name, type)                                                  \
    int name(const char *path, struct type *to) {                         \
        if (ends(path, 's')) return -1;                                   \
        int (*real)(const char *, struct type *) = dlsym(RTLD_NEXT, #name); \
        return real(path, to);                                            \
    }
STAT(stat, stat)
STAT(stat64, stat64)
