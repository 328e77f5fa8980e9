/*
 * Loaded into a server before the C library (LD_PRELOAD): as long as the file that TICKLOG_FAIL_WHILE names exists,
 * what writes to files below the directory TICKLOG_FAIL_BELOW, or syncs them, fails with EIO.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int fd) {
  const char *control = getenv("TICKLOG_FAIL_WHILE");
  const char *below = getenv("TICKLOG_FAIL_BELOW");
  char link[64], path[4096];
  if (!control || !below || access(control, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (strncmp(path, below, strlen(below)) != 0) return 0;
  errno = EIO;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

size_t fwrite_unlocked(const void *data, size_t size, size_t count, FILE *file) {
  return fails(fileno(file)) ? 0 : REAL(fwrite_unlocked)(data, size, count, file);
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
  return fails(fileno(file)) ? 0 : REAL(fwrite)(data, size, count, file);
}

int fflush_unlocked(FILE *file) {
  return file && fails(fileno(file)) ? EOF : REAL(fflush_unlocked)(file);
}

int fflush(FILE *file) {
  return file && fails(fileno(file)) ? EOF : REAL(fflush)(file);
}

ssize_t write(int fd, const void *data, size_t count) {
  return fails(fd) ? -1 : REAL(write)(fd, data, count);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t at) {
  return fails(fd) ? -1 : REAL(pwrite)(fd, data, count, at);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t at) {
  return fails(fd) ? -1 : REAL(pwrite64)(fd, data, count, at);
}

int fdatasync(int fd) { return fails(fd) ? -1 : REAL(fdatasync)(fd); }

int fsync(int fd) { return fails(fd) ? -1 : REAL(fsync)(fd); }
