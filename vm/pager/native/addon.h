/*
 * What the files of the addon share. The addon does what JavaScript cannot: reserve the region, serve
 * its page faults, and the handful of system calls PID 1 needs. Every return value is checked; an
 * error becomes a JavaScript Error whose `code` is the errno's name and whose message says the action.
 * State is per process, not per thread: each worker loads the addon and sees the same region.
 */
#ifndef PALIMPSEST_ADDON_H
#define PALIMPSEST_ADDON_H

/* O_DIRECT, OFD locks, strerrorname_np: this header is the first that every file includes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u

/* The reserved region and what is kept for each of its pages; bases are 0 until reserved. */
struct region {
  uint8_t *base;
  size_t bytes, pages;
  uint64_t *map;    /* where the page lies in the journal: see pager.c */
  uint16_t *states; /* what replacement knows of it: vm/pager/residency.ts */
};
extern struct region the_region;

/* Bits of a page's state that the pager sets; the others are the vm thread's. */
enum { STATE_RESIDENT = 0x8000, STATE_FRESH = 0x4000 };

/* Throws {code, message: "action: reason"} from `error` (an errno value); answers NULL. */
napi_value throw_errno(napi_env env, int error, const char *action);
/* Throws when `status` is not napi_ok; true when it is. */
bool checked(napi_env env, napi_status status);
/* Reads the arguments of a call; throws and answers false when fewer than `wanted` came. */
bool arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *argv);
bool number_argument(napi_env env, napi_value value, double *result);
bool string_argument(napi_env env, napi_value value, char *buffer, size_t bytes);
napi_value number_result(napi_env env, double number);
napi_value boolean_result(napi_env env, bool flag);
void export_function(napi_env env, napi_value exports, const char *name, napi_callback callback);

/* zlib's, from the Node that has loaded us: the pager checks pages that the journal wrote with it. */
extern unsigned long crc32(unsigned long crc, const unsigned char *bytes, unsigned int count);

/* Aborts: for what leaves no way to go on. */
void must(bool condition);

/* uffd.c: a descriptor or a call is negative on failure, with errno. */
int uffd_open(void);
int uffd_register(int fd, uint64_t start, uint64_t bytes);
uint64_t uffd_copy(int fd, uint64_t page, uint64_t count, const uint8_t *bytes);
uint64_t uffd_zero(int fd, uint64_t page, uint64_t count);

/* read.c: pages of the journal (or of its scratch overlay) into memory. */
#define READ_PAGES_MAX 128u
struct read_job {
  uint64_t first, count; /* pages of the region */
  uint32_t place;        /* map entry's low half for the first; those after it follow */
  int error;             /* 0, or the errno of the read */
  uint8_t *bytes;
};
struct read_files {
  int journal_fd, scratch_fd;
  uint64_t journal_base; /* byte offset of the journal in both */
};
/* Answers 0 or an errno; a short read is EIO. */
int read_pages(const struct read_files *files, struct read_job *job);
/* The thread that reads ahead: one job at a time. */
int ahead_start(const struct read_files *files);
void ahead_submit(uint64_t first, uint64_t count, uint32_t place);
bool ahead_idle(void);
/* The finished job that begins with this page, waiting for it if need be; NULL when there is none. */
struct read_job *ahead_take(uint64_t page);
void ahead_stop(void);

/* pager.c: the thread, and what it is started with. */
enum page_kind { KIND_TABLE = 0, KIND_OBJECTS = 1, KIND_CHARACTERS = 2 };
struct paged_range {
  uint64_t first, end; /* page numbers */
  enum page_kind kind;
};
#define RANGES_MAX 8u
struct pager_start {
  int uffd, stop_fd, retry_fd;
  struct read_files files;
  struct paged_range ranges[RANGES_MAX];
  size_t range_count;
  uint32_t character_class_word, sentinel_class_word;
  void (*ask)(uint64_t page); /* asks for the map entry of this page */
};
struct pager_statistics {
  uint64_t served, read_pages, failed, asked;
  uint64_t resident, resident_max; /* pages; above the second the interrupt word is raised */
};
extern struct pager_statistics the_statistics;
/*
 * Held while what the map says of a page is compared and the page installed, and while pages are
 * dropped: between the two a page could be written, change its place and go, and an old copy of it
 * that was read ahead would take its place.
 */
void pages_lock(void);
void pages_unlock(void);
int pager_run(const struct pager_start *start);
int pager_join(void);

void register_region(napi_env env, napi_value exports);
void register_pager(napi_env env, napi_value exports);
void register_system(napi_env env, napi_value exports);
void register_disk(napi_env env, napi_value exports);
void register_crash(napi_env env, napi_value exports);
void register_crc32(napi_env env, napi_value exports);
void register_writer(napi_env env, napi_value exports);

#endif
