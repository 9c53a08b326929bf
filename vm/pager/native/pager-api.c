/*
 * The pager as JavaScript sees it: start and stop, the line to the reader of the page tables, and
 * pages dropped. One pager per process; who may call what is said at each function.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct pager_start started;
static bool running;
static napi_threadsafe_function reader;

/* A page number as the pointer a threadsafe function carries; never NULL. */
static void ask_reader(uint64_t page) {
  must(napi_call_threadsafe_function(reader, (void *)(uintptr_t)(page + 1), napi_tsfn_nonblocking) ==
       napi_ok);
}

static void call_reader(napi_env env, napi_value callback, void *context, void *data) {
  (void)context;
  if (env == NULL) return; /* its thread is ending, and with it the process */
  napi_value undefined = NULL, page = number_result(env, (double)((uintptr_t)data - 1));
  if (page == NULL || !checked(env, napi_get_undefined(env, &undefined))) return;
  checked(env, napi_call_function(env, undefined, callback, 1, &page, NULL));
}

/*
 * answerAsks(callback): calls back in this thread with the number of each page whose map entry is
 * wanted. When the entry is there, retryFaults() is to be called.
 */
static napi_value answer_asks(napi_env env, napi_callback_info info) {
  napi_value argv[1], name = NULL;
  if (!arguments(env, info, 1, argv) ||
      !checked(env, napi_create_string_utf8(env, "page tables", NAPI_AUTO_LENGTH, &name)))
    return NULL;
  checked(env, napi_create_threadsafe_function(env, argv[0], NULL, name, 0, 1, NULL, NULL, NULL,
                                               call_reader, &reader));
  return NULL;
}

static napi_value retry_faults(napi_env env, napi_callback_info info) {
  (void)info;
  const uint64_t one = 1;
  if (write(started.retry_fd, &one, sizeof one) != (ssize_t)sizeof one)
    return throw_errno(env, errno, "Cannot wake the pager");
  return NULL;
}

/* The journal may be read through O_DIRECT, or (a file system without it) through the page cache. */
static int open_journal(const char *path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
  return fd >= 0 || errno != EINVAL ? fd : open(path, O_RDONLY | O_CLOEXEC);
}

static bool take_ranges(napi_env env, napi_value array) {
  double *numbers = NULL;
  size_t count = 0;
  napi_typedarray_type type;
  if (!checked(env, napi_get_typedarray_info(env, array, &type, &count, (void **)&numbers, NULL,
                                             NULL)))
    return false;
  if (type != napi_float64_array || count % 3 != 0 || count / 3 > RANGES_MAX) {
    throw_errno(env, EINVAL, "Bug: ranges of the pager");
    return false;
  }
  started.range_count = count / 3;
  for (size_t i = 0; i < started.range_count; i++)
    started.ranges[i] = (struct paged_range){.first = (uint64_t)numbers[3 * i],
                                             .end = (uint64_t)numbers[3 * i + 1],
                                             .kind = (enum page_kind)numbers[3 * i + 2]};
  return true;
}

/*
 * startPager(path, journalBase, scratchFd, characterClassWord, sentinelClassWord, ranges)
 * ranges: Float64Array of triples (first page, end page, kind as in addon.h); scratchFd: -1 for none.
 */
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value argv[6];
  char path[4096];
  double base = 0, scratch_fd = 0, character = 0, sentinel = 0;
  if (!arguments(env, info, 6, argv) || !string_argument(env, argv[0], path, sizeof path) ||
      !number_argument(env, argv[1], &base) || !number_argument(env, argv[2], &scratch_fd) ||
      !number_argument(env, argv[3], &character) || !number_argument(env, argv[4], &sentinel))
    return NULL;
  if (the_region.base == NULL || reader == NULL || running)
    return throw_errno(env, EINVAL, "Bug: pager started twice, or without region or reader");
  if (!take_ranges(env, argv[5])) return NULL;
  started.files.journal_fd = open_journal(path);
  if (started.files.journal_fd < 0)
    return throw_errno(env, errno, "Cannot open the journal for paging");
  started.files.journal_base = (uint64_t)base;
  started.files.scratch_fd = (int)scratch_fd;
  started.character_class_word = (uint32_t)(int32_t)character;
  started.sentinel_class_word = (uint32_t)(int32_t)sentinel;
  started.ask = ask_reader;
  started.stop_fd = eventfd(0, EFD_CLOEXEC);
  started.retry_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (started.stop_fd < 0 || started.retry_fd < 0)
    return throw_errno(env, errno, "Cannot make the pager's events");
  started.uffd = uffd_open();
  if (started.uffd < 0)
    return throw_errno(env, errno,
                       "Cannot start the pager: this kernel gives no userfaultfd; use Linux 5.11 or "
                       "later with CONFIG_USERFAULTFD, outside of a sandbox that forbids it");
  for (size_t i = 0; i < started.range_count; i++) {
    const struct paged_range *range = &started.ranges[i];
    if (uffd_register(started.uffd, range->first * PAGE_BYTES,
                      (range->end - range->first) * PAGE_BYTES) != 0)
      return throw_errno(env, errno, "Cannot register the region with userfaultfd");
  }
  const int error = pager_run(&started);
  if (error != 0) return throw_errno(env, error, "Cannot start the pager's threads");
  running = true;
  return NULL;
}

/* stopPager(): only when no thread can touch the region any more. */
static napi_value stop(napi_env env, napi_callback_info info) {
  (void)info;
  if (!running) return NULL;
  const int error = pager_join();
  if (error != 0) return throw_errno(env, error, "Cannot stop the pager");
  running = false;
  if (close(started.uffd) != 0 || close(started.stop_fd) != 0 || close(started.retry_fd) != 0 ||
      close(started.files.journal_fd) != 0)
    return throw_errno(env, errno, "Cannot close the pager's descriptors");
  memset(&started, 0, sizeof started);
  return NULL;
}

/* pagerStatistics(): [faults served, pages read, pages unreadable, entries asked for, resident]. */
static napi_value statistics(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value array = NULL;
  const uint64_t numbers[] = {
      the_statistics.served, the_statistics.read_pages, the_statistics.failed,
      the_statistics.asked, __atomic_load_n(&the_statistics.resident, __ATOMIC_SEQ_CST)};
  if (!checked(env, napi_create_array(env, &array))) return NULL;
  for (uint32_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (!checked(env, napi_set_element(env, array, i, number_result(env, (double)numbers[i]))))
      return NULL;
  return array;
}

/* limitResident(pages): with more the interrupt word is raised. */
static napi_value limit_resident(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  double pages = 0;
  if (!arguments(env, info, 1, argv) || !number_argument(env, argv[0], &pages)) return NULL;
  __atomic_store_n(&the_statistics.resident_max, (uint64_t)pages, __ATOMIC_SEQ_CST);
  return NULL;
}

/*
 * dropPages(first, count): takes resident pages out of memory; whoever touches them again waits for
 * the pager. Their states say already that they are gone. The caller knows that they are clean.
 */
static napi_value drop_pages(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  double first = 0, count = 0;
  if (!arguments(env, info, 2, argv) || !number_argument(env, argv[0], &first) ||
      !number_argument(env, argv[1], &count))
    return NULL;
  if (first < 0 || count < 1 || first + count > (double)the_region.pages)
    return throw_errno(env, EINVAL, "Bug: pages outside of the region");
  pages_lock();
  const int failed = madvise(the_region.base + (size_t)first * PAGE_BYTES,
                             (size_t)count * PAGE_BYTES, MADV_DONTNEED);
  const int error = errno;
  pages_unlock();
  if (failed != 0) return throw_errno(env, error, "Cannot drop pages of the region");
  __atomic_fetch_sub(&the_statistics.resident, (uint64_t)count, __ATOMIC_SEQ_CST);
  return NULL;
}

void register_pager(napi_env env, napi_value exports) {
  export_function(env, exports, "startPager", start);
  export_function(env, exports, "stopPager", stop);
  export_function(env, exports, "answerAsks", answer_asks);
  export_function(env, exports, "retryFaults", retry_faults);
  export_function(env, exports, "pagerStatistics", statistics);
  export_function(env, exports, "limitResident", limit_resident);
  export_function(env, exports, "dropPages", drop_pages);
}
