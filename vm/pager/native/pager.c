/*
 * The pager: one C thread that serves the page faults of the region.
 *
 * A fault on a page finds its entry in the map: low 32 bits 1 + the page's position in the journal in
 * units of 4096 bytes, high 32 bits the CRC-32 of its content; 0 is a page never written, read as
 * zeros. The page is read with O_DIRECT (through no page cache: the region is the cache), checked, and
 * copied in. Pages of the Character band are synthesized. A page that cannot be read, or reads wrong,
 * is given zeros, its number and errno go to the fault words, and the interrupt word is raised: the
 * vm turns it into an error of the process that touched it and no commit happens meanwhile.
 *
 * Nothing here touches the region's memory itself, and nothing that this thread waits for may.
 * After faults in ascending order, up to WINDOW_PAGES neighbours that also lie together in the
 * journal are brought in with one read.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WINDOW_PAGES 16u
/* A Character's identity hash is its code point: HASH_SHIFT of vm/objects/layout.ts. */
#define CHARACTER_HASH_SHIFT 10

static struct {
  bool running;
  pthread_t thread;
  int uffd, stop_fd, journal_fd;
  uint64_t journal_base;               /* byte offset of the journal in journal_fd */
  uint64_t characters_first, characters_end; /* page numbers of the band */
  uint32_t character_class_word;
  uint32_t *control;                   /* interrupt word, then the fault words: set by start() */
  uint8_t *buffer;                     /* WINDOW_PAGES pages, aligned */
  uint64_t next_expected, window;      /* sequential detection */
  uint64_t served, read_pages, failed; /* statistics */
} pager;

enum { CONTROL_INTERRUPT = 0, CONTROL_UNREADABLE_PAGE = 2, CONTROL_UNREADABLE_ERRNO = 3 };
enum { INTERRUPT_UNREADABLE = 32 };

/* A pager that cannot go on would leave the vm thread waiting for ever; stopping is loud and safe. */
static void must(bool condition) {
  if (!condition) abort();
}

/* The page is there already; whoever still waits for it need not. */
static void wake(uint64_t page) {
  struct uffdio_range range = {.start = (uintptr_t)the_region.base + page * PAGE_BYTES,
                               .len = PAGE_BYTES};
  must(ioctl(pager.uffd, UFFDIO_WAKE, &range) == 0);
}

static void install(uint64_t page, const uint8_t *bytes) {
  struct uffdio_copy copy = {.dst = (uintptr_t)the_region.base + page * PAGE_BYTES,
                             .src = (uintptr_t)bytes,
                             .len = PAGE_BYTES};
  while (ioctl(pager.uffd, UFFDIO_COPY, &copy) != 0) {
    if (errno == EEXIST) return wake(page); /* a neighbour's window brought it */
    must(errno == EAGAIN || errno == EINTR);
    copy.copy = 0;
  }
}

static void install_zero(uint64_t page) {
  struct uffdio_zeropage zero = {
      .range = {.start = (uintptr_t)the_region.base + page * PAGE_BYTES, .len = PAGE_BYTES}};
  while (ioctl(pager.uffd, UFFDIO_ZEROPAGE, &zero) != 0) {
    if (errno == EEXIST) return wake(page);
    must(errno == EAGAIN || errno == EINTR);
    zero.zeropage = 0;
  }
}

static void report_unreadable(uint64_t page, int error) {
  pager.failed++;
  __atomic_store_n(&pager.control[CONTROL_UNREADABLE_PAGE], (uint32_t)page + 1, __ATOMIC_SEQ_CST);
  __atomic_store_n(&pager.control[CONTROL_UNREADABLE_ERRNO], (uint32_t)error, __ATOMIC_SEQ_CST);
  __atomic_or_fetch(&pager.control[CONTROL_INTERRUPT], INTERRUPT_UNREADABLE, __ATOMIC_SEQ_CST);
  install_zero(page);
}

static void synthesize_characters(uint64_t page) {
  uint32_t *words = (uint32_t *)pager.buffer;
  uint32_t code_point = (uint32_t)(page - pager.characters_first) * (PAGE_BYTES / 8);
  for (unsigned i = 0; i < PAGE_BYTES / 4; i += 2) {
    words[i] = pager.character_class_word;
    words[i + 1] = code_point++ << CHARACTER_HASH_SHIFT;
  }
  install(page, pager.buffer);
}

static uint64_t map_entry(uint64_t page) {
  return __atomic_load_n(&the_region.map[page], __ATOMIC_ACQUIRE);
}

/* Pages to read at once: those after `page` whose journal positions continue its own. */
static uint64_t window_of(uint64_t page, uint64_t position) {
  pager.window = page == pager.next_expected ? pager.window * 2 : 1;
  if (pager.window > WINDOW_PAGES) pager.window = WINDOW_PAGES;
  const uint64_t pages = the_region.bytes / PAGE_BYTES;
  uint64_t count = 1;
  while (count < pager.window && page + count < pages &&
         (map_entry(page + count) & 0xffffffffu) == position + count + 1)
    count++;
  return count;
}

/* Answers 0, or the errno; a short read is EIO. */
static int read_pages(uint64_t position, uint64_t count) {
  const size_t wanted = count * PAGE_BYTES;
  size_t done = 0;
  while (done < wanted) {
    const ssize_t got = pread(pager.journal_fd, pager.buffer + done, wanted - done,
                              (off_t)(pager.journal_base + position * PAGE_BYTES + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return EIO;
    done += (size_t)got;
  }
  return 0;
}

/* Answers false when the page has to be looked up again: vacuum moved it while it was read. */
static bool bring_in(uint64_t page, uint64_t entry) {
  const uint64_t position = (entry & 0xffffffffu) - 1;
  uint64_t count = window_of(page, position);
  int error = read_pages(position, count);
  if (error != 0 && count > 1) error = read_pages(position, count = 1);
  if (error != 0) {
    report_unreadable(page, error);
    return true;
  }
  pager.read_pages += count;
  for (uint64_t i = 0; i < count; i++) {
    const uint8_t *bytes = pager.buffer + i * PAGE_BYTES;
    if (crc32_update(0, bytes, PAGE_BYTES) == map_entry(page + i) >> 32) {
      install(page + i, bytes);
    } else if (i == 0) {
      if (map_entry(page) != entry) return false;
      report_unreadable(page, EBADMSG);
    }
  }
  pager.next_expected = page + count;
  return true;
}

static void serve(uint64_t page) {
  pager.served++;
  if (page >= pager.characters_first && page < pager.characters_end) {
    synthesize_characters(page);
    return;
  }
  for (;;) {
    const uint64_t entry = map_entry(page);
    if (entry == 0) {
      install_zero(page);
      return;
    }
    if (bring_in(page, entry)) return;
  }
}

static void *serve_faults(void *unused) {
  (void)unused;
  struct pollfd polled[2] = {{.fd = pager.uffd, .events = POLLIN},
                             {.fd = pager.stop_fd, .events = POLLIN}};
  for (;;) {
    const int ready = poll(polled, 2, -1);
    if (ready < 0 && errno == EINTR) continue;
    must(ready > 0);
    if (polled[1].revents != 0) return NULL;
    struct uffd_msg message;
    const ssize_t got = read(pager.uffd, &message, sizeof message);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    must(got == (ssize_t)sizeof message);
    if (message.event != UFFD_EVENT_PAGEFAULT) continue;
    serve((message.arg.pagefault.address - (uintptr_t)the_region.base) / PAGE_BYTES);
  }
}

/* Full mode when the kernel lets us; else faults from user mode only, which is all that we make. */
static int open_uffd(void) {
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
  if (fd < 0) return -1;
  struct uffdio_api api = {.api = UFFD_API, .features = 0};
  if (ioctl(fd, UFFDIO_API, &api) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

static int register_range(uint64_t start, uint64_t bytes) {
  struct uffdio_register range = {
      .range = {.start = (uintptr_t)the_region.base + start, .len = bytes},
      .mode = UFFDIO_REGISTER_MODE_MISSING};
  return ioctl(pager.uffd, UFFDIO_REGISTER, &range);
}

/* The journal may be read through O_DIRECT, or (a file system without it) through the page cache. */
static int open_journal(const char *path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
  return fd >= 0 || errno != EINVAL ? fd : open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * startPager(path, journalBase, characterClassWord, charactersStart, charactersEnd, ranges)
 * ranges: Float64Array of (start, bytes) pairs of the region to serve; all in bytes.
 */
static napi_value start(napi_env env, napi_callback_info info) {
  napi_value argv[6];
  char path[4096];
  double base = 0, class_word = 0, first = 0, end = 0, *ranges = NULL;
  size_t range_words = 0;
  napi_typedarray_type type;
  if (!arguments(env, info, 6, argv) || !string_argument(env, argv[0], path, sizeof path) ||
      !number_argument(env, argv[1], &base) || !number_argument(env, argv[2], &class_word) ||
      !number_argument(env, argv[3], &first) || !number_argument(env, argv[4], &end) ||
      !checked(env, napi_get_typedarray_info(env, argv[5], &type, &range_words, (void **)&ranges,
                                             NULL, NULL)))
    return NULL;
  if (the_region.base == NULL || pager.running || type != napi_float64_array)
    return throw_errno(env, EINVAL, "Bug: pager started twice or without a region");
  memset(&pager, 0, sizeof pager);
  pager.journal_fd = open_journal(path);
  if (pager.journal_fd < 0) return throw_errno(env, errno, "Cannot open the journal for paging");
  pager.journal_base = (uint64_t)base;
  pager.character_class_word = (uint32_t)(int32_t)class_word;
  pager.characters_first = (uint64_t)first / PAGE_BYTES;
  pager.characters_end = (uint64_t)end / PAGE_BYTES;
  pager.control = (uint32_t *)the_region.base;
  pager.next_expected = UINT64_MAX;
  pager.window = 1;
  __atomic_store_n(&pager.control[CONTROL_INTERRUPT], 0, __ATOMIC_SEQ_CST);
  if (posix_memalign((void **)&pager.buffer, PAGE_BYTES, WINDOW_PAGES * PAGE_BYTES) != 0)
    return throw_errno(env, ENOMEM, "Cannot allocate the pager's buffer");
  pager.stop_fd = eventfd(0, EFD_CLOEXEC);
  if (pager.stop_fd < 0) return throw_errno(env, errno, "Cannot make the pager's stop event");
  pager.uffd = open_uffd();
  if (pager.uffd < 0)
    return throw_errno(env, errno,
                       "Cannot start the pager: this kernel gives no userfaultfd (wanted Linux 5.11 "
                       "or later with CONFIG_USERFAULTFD, and no sandbox that forbids it)");
  for (size_t i = 0; i + 1 < range_words; i += 2)
    if (register_range((uint64_t)ranges[i], (uint64_t)ranges[i + 1]) != 0)
      return throw_errno(env, errno, "Cannot register the region with userfaultfd");
  /* Signals are for the JavaScript threads. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  const int error = pthread_create(&pager.thread, NULL, serve_faults, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0) return throw_errno(env, error, "Cannot start the pager's thread");
  pager.running = true;
  return NULL;
}

/* stopPager(): only when no thread can touch the region any more. */
static napi_value stop(napi_env env, napi_callback_info info) {
  (void)info;
  if (!pager.running) return NULL;
  const uint64_t one = 1;
  if (write(pager.stop_fd, &one, sizeof one) != (ssize_t)sizeof one)
    return throw_errno(env, errno, "Cannot stop the pager");
  const int error = pthread_join(pager.thread, NULL);
  if (error != 0) return throw_errno(env, error, "Cannot join the pager's thread");
  pager.running = false;
  if (close(pager.uffd) != 0 || close(pager.stop_fd) != 0 || close(pager.journal_fd) != 0)
    return throw_errno(env, errno, "Cannot close the pager's descriptors");
  free(pager.buffer);
  return NULL;
}

/* pagerStatistics(): Float64Array [faults served, pages read, pages unreadable]. */
static napi_value statistics(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value buffer = NULL, array = NULL;
  double *numbers = NULL;
  if (!checked(env, napi_create_arraybuffer(env, 3 * sizeof(double), (void **)&numbers, &buffer)))
    return NULL;
  numbers[0] = (double)pager.served;
  numbers[1] = (double)pager.read_pages;
  numbers[2] = (double)pager.failed;
  if (!checked(env, napi_create_typedarray(env, napi_float64_array, 3, buffer, 0, &array)))
    return NULL;
  return array;
}

void register_pager(napi_env env, napi_value exports) {
  export_function(env, exports, "startPager", start);
  export_function(env, exports, "stopPager", stop);
  export_function(env, exports, "pagerStatistics", statistics);
}
