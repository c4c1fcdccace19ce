/* Calls that fail as a disk or a network may: for files whose path ends as FAULT_PATH says.
   FAULT_ERRNO is what they fail with; FAULT_CALLS which calls (o: open, r: read, s: stat), and
   FAULT_UNTIL names a file: while it is there, calls fail.
   Calls that change the folder FAULT_UNDER, or what is in it, fail after FAULT_AFTER of them. */
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

static int named(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, size - 1);
    path[n > 0 ? n : 0] = 0;
    return n > 0;
}

static int held(int fd) {
    char path[4096];
    return getenv("FAULT_PATH") && named(fd, path, sizeof path) && ends(path, 'r');
}

static int gone(const char *path) {
    static long calls;
    const char *under = getenv("FAULT_UNDER"), *after = getenv("FAULT_AFTER");
    if (!under || !path || strncmp(path, under, strlen(under))) return 0;
    if (calls++ < (after ? atol(after) : 0)) return 0;
    errno = atoi(getenv("FAULT_ERRNO"));
    return 1;
}

static int gone_file(int fd) {
    char path[4096];
    return getenv("FAULT_UNDER") && named(fd, path, sizeof path) && gone(path);
}

#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                          \
        va_list more;                                                     \
        va_start(more, flags);                                            \
        mode_t mode = va_arg(more, mode_t);                               \
        va_end(more);                                                     \
        if (ends(path, 'o')) return -1;                                   \
        if (flags & (O_CREAT | O_WRONLY | O_RDWR) && gone(path)) return -1; \
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

#define CHANGE(type, name, given, passed, where)                          \
    type name given {                                                     \
        if (where) return -1;                                             \
        type (*real) given = dlsym(RTLD_NEXT, #name);                     \
        return real passed;                                               \
    }
CHANGE(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n), gone_file(fd))
CHANGE(ssize_t, pwrite64, (int fd, const void *from, size_t n, off64_t at), (fd, from, n, at), gone_file(fd))
CHANGE(int, fsync, (int fd), (fd), gone_file(fd))
CHANGE(int, ftruncate64, (int fd, off64_t n), (fd, n), gone_file(fd))
CHANGE(int, rename, (const char *from, const char *to), (from, to), gone(to))
CHANGE(int, mkdir, (const char *path, mode_t mode), (path, mode), gone(path))
