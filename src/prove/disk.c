/*
 * A disk that fails, for the server under test. disk.ts builds this file and loads it into the server with LD_PRELOAD.
 *
 * The first byte of the file `control` in the folder ONEPORT_DISK_STATE is the fault that the databases in the folder
 * ONEPORT_DISK_DATA have. The library sets the second byte when it is loaded, and the third when a sync of the write-ahead
 * log stalls.
 *
 * Before each write, the replaced bytes are appended to a file in the folder of the state, one for each database file. A
 * sync of the database file empties it. After a kill it holds what undoes all writes since the last sync, as a power cut
 * may. It records neither the -shm files, which SQLite rebuilds, nor the entries of directories.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* As in disk.ts. */
enum fault { SYNC_FAILS = 1, WRITE_FAILS = 2, SYNC_STALLS = 3 };
enum kind { WRITE = 0, TRUNCATE = 1 };

/* Precedes the replaced bytes, of which there are fewer than `length` at the end of the file. */
struct record {
  uint64_t kind;
  uint64_t offset;
  uint64_t length;
  /* Size of the file before the call. */
  uint64_t size;
};

static const long stall_poll_us = 500;

static const char *data_folder, *state_folder;
static volatile unsigned char *control;

/* Ends the server, because a record that is missing would hide a loss. */
static void fail(const char *what) {
  fprintf(stderr, "disk.c: %s: %s\n", what, strerror(errno));
  abort();
}

__attribute__((constructor)) static void load(void) {
  char path[PATH_MAX];
  data_folder = getenv("ONEPORT_DISK_DATA");
  state_folder = getenv("ONEPORT_DISK_STATE");
  if (!data_folder || !state_folder) return;
  snprintf(path, sizeof path, "%s/control", state_folder);
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) fail("open control");
  void *mapped = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) fail("map control");
  close(file);
  control = mapped;
  control[1] = 1;
}

static int ends_with(const char *text, const char *end) {
  size_t length = strlen(text), tail = strlen(end);
  return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Returns the name of a database file of the folder, or NULL for every other path. */
static const char *database_name(const char *path) {
  size_t length = control ? strlen(data_folder) : 0;
  if (length == 0 || strncmp(path, data_folder, length) != 0 || path[length] != '/') return NULL;
  return ends_with(path, ".db") || ends_with(path, ".db-wal") ? path + length + 1 : NULL;
}

/* The same for an open file; `path` holds the result. */
static const char *database_of(int file, char path[PATH_MAX]) {
  char link[32];
  if (!control) return NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return NULL;
  path[length] = 0;
  return database_name(path);
}

static void record_path(const char *name, char path[PATH_MAX]) {
  snprintf(path, PATH_MAX, "%s/%s", state_folder, name);
}

static void record(int file, const char *name, enum kind kind, off_t offset, size_t length) {
  struct stat info;
  char path[PATH_MAX];
  if (fstat(file, &info) != 0) fail("fstat");
  size_t rest = info.st_size > offset ? (size_t)(info.st_size - offset) : 0;
  size_t count = rest < length ? rest : length;
  char *bytes = malloc(count + 1);
  if (!bytes || pread(file, bytes, count, offset) != (ssize_t)count) fail("read replaced bytes");
  struct record head = {kind, (uint64_t)offset, length, (uint64_t)info.st_size};
  struct iovec parts[] = {{&head, sizeof head}, {bytes, count}};
  record_path(name, path);
  int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0 || writev(log, parts, 2) != (ssize_t)(sizeof head + count)) fail("write record");
  close(log);
  free(bytes);
}

static void forget(const char *name) {
  char path[PATH_MAX];
  record_path(name, path);
  if (syscall(SYS_truncate, path, 0) != 0 && errno != ENOENT) fail("empty records");
}

static int fails(enum fault fault, int error) {
  if (*control != fault) return 0;
  errno = error;
  return 1;
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset) {
  char path[PATH_MAX];
  const char *name = database_of(file, path);
  if (name && fails(WRITE_FAILS, ENOSPC)) return -1;
  if (name) record(file, name, WRITE, offset, length);
  return syscall(SYS_pwrite64, file, bytes, length, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset) {
  return pwrite64(file, bytes, length, offset);
}

ssize_t write(int file, const void *bytes, size_t length) {
  char path[PATH_MAX];
  const char *name = database_of(file, path);
  if (name && fails(WRITE_FAILS, ENOSPC)) return -1;
  if (name) record(file, name, WRITE, lseek(file, 0, SEEK_CUR), length);
  return syscall(SYS_write, file, bytes, length);
}

int ftruncate64(int file, off64_t size) {
  char path[PATH_MAX];
  struct stat info;
  const char *name = database_of(file, path);
  if (name && fails(WRITE_FAILS, EIO)) return -1;
  if (name && fstat(file, &info) == 0 && info.st_size != size) {
    off_t start = size < info.st_size ? size : info.st_size;
    record(file, name, TRUNCATE, start, (size_t)(size + info.st_size - 2 * start));
  }
  return (int)syscall(SYS_ftruncate, file, size);
}

int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

static int sync_file(long call, int file) {
  char path[PATH_MAX];
  const char *name = database_of(file, path);
  if (name && fails(SYNC_FAILS, EIO)) return -1;
  while (name && *control == SYNC_STALLS) {
    if (ends_with(name, "oneport.db-wal")) control[2] = 1;
    usleep(stall_poll_us);
  }
  int result = (int)syscall(call, file);
  if (name && result == 0) forget(name);
  return result;
}

int fsync(int file) { return sync_file(SYS_fsync, file); }

int fdatasync(int file) { return sync_file(SYS_fdatasync, file); }

/* A file that is made anew has nothing to do with the removed one. */
static void forget_path(const char *path) {
  const char *name = database_name(path);
  if (name) forget(name);
}

int unlink(const char *path) {
  forget_path(path);
  return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int folder, const char *path, int flags) {
  forget_path(path);
  return (int)syscall(SYS_unlinkat, folder, path, flags);
}

int remove(const char *path) {
  int result = unlink(path);
  return result != 0 && errno == EISDIR ? rmdir(path) : result;
}
