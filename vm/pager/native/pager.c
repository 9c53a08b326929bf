/*
 * The pager: one C thread that serves the page faults of the region.
 *
 * A fault on a page finds its entry in the map. The high 32 bits are the CRC-32 of the page's
 * content, the low ones its place:
 *
 *   0            not known yet: the reader of the journal's page tables is asked, the fault waits
 *   0xffffffff   never written: zeros
 *   0xfffffffe   its page table cannot be read: errno in the high 32 bits
 *   else         1 + its position in units of 4096 bytes; bit 31: in the scratch overlay
 *
 * The page is read with O_DIRECT (through no page cache: the region is the cache), checked, and
 * copied in. Pages of the Character band are synthesized. A page that cannot be read, or reads
 * wrong, is given a sentinel, its number and errno go to the fault words, and the interrupt word is
 * raised: the vm turns it into an error of the process that touched it and commits nothing.
 *
 * Nothing here touches the region's memory itself, and nothing that this thread waits for may.
 * Faults in ascending order bring in ever more of what follows, as far as it also lies together in
 * the journal, and from 16 pages on the next ones are read while the vm works on these.
 */
#include "addon.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACE_ASK 0u
#define PLACE_EMPTY 0xffffffffu
#define PLACE_UNREADABLE 0xfffffffeu
#define AHEAD_WINDOW_MIN 16u
/* Zeros cost no reading: what is brought in too early should stay little. */
#define EMPTY_WINDOW_MAX 16u
/* Sequential walks told apart: a program that copies reads here and writes there. */
#define STREAMS 4u
/* Threads whose fault waits for an entry of the map. */
#define WAITING_MAX 64u
/* A Character's identity hash is its code point: HASH_SHIFT of vm/objects/layout.ts. */
#define CHARACTER_HASH_SHIFT 10

enum { CONTROL_INTERRUPT = 0, CONTROL_UNREADABLE_PAGE = 2, CONTROL_UNREADABLE_ERRNO = 3 };
enum { INTERRUPT_UNREADABLE = 32, INTERRUPT_EVICT = 64 };

struct stream {
  uint64_t next, window, used;
};

struct pager_statistics the_statistics;

static struct {
  pthread_t thread;
  struct pager_start with;
  uint32_t *control; /* the region's first page: interrupt word, then the fault words */
  struct read_job job;
  struct stream streams[STREAMS];
  uint64_t clock;
  uint64_t waiting[WAITING_MAX];
  size_t waiting_count;
} pager;

static pthread_mutex_t pages_mutex = PTHREAD_MUTEX_INITIALIZER;

void pages_lock(void) { must(pthread_mutex_lock(&pages_mutex) == 0); }

void pages_unlock(void) { must(pthread_mutex_unlock(&pages_mutex) == 0); }

static uint64_t map_entry(uint64_t page) {
  return __atomic_load_n(&the_region.map[page], __ATOMIC_ACQUIRE);
}

static bool is_place(uint64_t entry) {
  const uint32_t place = (uint32_t)entry;
  return place != PLACE_ASK && place != PLACE_EMPTY && place != PLACE_UNREADABLE;
}

static void raise_interrupt(uint32_t bits) {
  __atomic_or_fetch(&pager.control[CONTROL_INTERRUPT], bits, __ATOMIC_SEQ_CST);
}

static void count_resident(uint64_t fresh) {
  const uint64_t now = __atomic_add_fetch(&the_statistics.resident, fresh, __ATOMIC_SEQ_CST);
  if (now > __atomic_load_n(&the_statistics.resident_max, __ATOMIC_SEQ_CST))
    raise_interrupt(INTERRUPT_EVICT);
}

static void install(uint64_t page, uint64_t count, const uint8_t *bytes) {
  count_resident(uffd_copy(pager.with.uffd, page, count, bytes));
}

static const struct paged_range *range_of(uint64_t page) {
  for (size_t i = 0; i < pager.with.range_count; i++) {
    const struct paged_range *range = &pager.with.ranges[i];
    if (page >= range->first && page < range->end) return range;
  }
  abort(); /* a fault outside of what was registered */
}

/* The stream this fault continues, its window grown; or a new one in place of the least used. */
static struct stream *stream_of(uint64_t page) {
  struct stream *found = &pager.streams[0];
  for (struct stream *each = pager.streams; each < pager.streams + STREAMS; each++) {
    if (each->next == page) {
      each->window *= 2;
      if (each->window > READ_PAGES_MAX) each->window = READ_PAGES_MAX;
      found = each;
      break;
    }
    if (each->used < found->used) found = each;
  }
  if (found->next != page) found->window = 1;
  found->used = ++pager.clock;
  return found;
}

/* How many pages from `page` on lie together in the journal, at most `max`. */
static uint64_t run_length(uint64_t page, uint32_t place, uint64_t max, uint64_t end) {
  uint64_t count = 1;
  while (count < max && page + count < end) {
    const uint64_t entry = map_entry(page + count);
    if (!is_place(entry) || (uint32_t)entry != place + count) break;
    count++;
  }
  return count;
}

/*
 * An unreadable page must not stop anybody who reads on: each pair of words looks like an object
 * without slots, and each word like a SmallInteger. Tables get zeros, which say "nothing here".
 */
static void report_unreadable(const struct paged_range *range, uint64_t page, int error) {
  the_statistics.failed++;
  __atomic_store_n(&pager.control[CONTROL_UNREADABLE_ERRNO], (uint32_t)error, __ATOMIC_SEQ_CST);
  __atomic_store_n(&pager.control[CONTROL_UNREADABLE_PAGE], (uint32_t)page + 1, __ATOMIC_SEQ_CST);
  raise_interrupt(INTERRUPT_UNREADABLE);
  uint32_t *words = (uint32_t *)pager.job.bytes;
  const bool objects = range->kind == KIND_OBJECTS;
  for (unsigned i = 0; i < PAGE_BYTES / 4; i += 2) {
    words[i] = objects ? pager.with.sentinel_class_word : 0;
    words[i + 1] = objects ? 1 : 0;
  }
  install(page, 1, pager.job.bytes);
}

static void synthesize_characters(const struct paged_range *range, uint64_t page) {
  uint32_t *words = (uint32_t *)pager.job.bytes;
  uint32_t code_point = (uint32_t)(page - range->first) * (PAGE_BYTES / 8);
  for (unsigned i = 0; i < PAGE_BYTES / 4; i += 2) {
    words[i] = pager.with.character_class_word;
    words[i + 1] = code_point++ << CHARACTER_HASH_SHIFT;
  }
  install(page, 1, pager.job.bytes);
}

/* Copies in what has been read, as far as it is what the map says; answers how many pages. */
static uint64_t install_proved(const struct read_job *job) {
  uint64_t proved = 0, copied = 0;
  pages_lock();
  while (proved < job->count) {
    const uint64_t entry = map_entry(job->first + proved);
    const uint8_t *bytes = job->bytes + proved * PAGE_BYTES;
    if ((uint32_t)entry != job->place + proved || crc32(0, bytes, PAGE_BYTES) != entry >> 32) break;
    proved++;
    /* The first alone: somebody waits for it. */
    if (proved == 1 || proved - copied == 16 || proved == job->count) {
      install(job->first + copied, proved - copied, job->bytes + copied * PAGE_BYTES);
      copied = proved;
    }
  }
  if (copied < proved)
    install(job->first + copied, proved - copied, job->bytes + copied * PAGE_BYTES);
  pages_unlock();
  the_statistics.read_pages += proved;
  return proved;
}

static void read_on(const struct paged_range *range, const struct stream *stream) {
  if (stream->window < AHEAD_WINDOW_MIN || stream->next >= range->end || !ahead_idle()) return;
  const uint64_t entry = map_entry(stream->next);
  if (!is_place(entry)) return;
  const uint64_t count =
      run_length(stream->next, (uint32_t)entry, stream->window, range->end);
  ahead_submit(stream->next, count, (uint32_t)entry);
}

/* Answers false when the page has to be looked up again: it moved while it was read. */
static bool bring_in(const struct paged_range *range, uint64_t page, uint64_t entry) {
  struct stream *stream = stream_of(page);
  struct read_job *job = ahead_take(page);
  if (job != NULL && (job->error != 0 || job->place != (uint32_t)entry)) job = NULL;
  if (job == NULL) {
    job = &pager.job;
    job->first = page;
    job->place = (uint32_t)entry;
    job->count = run_length(page, job->place, stream->window, range->end);
    job->error = read_pages(&pager.with.files, job);
    if (job->error != 0 && job->count > 1) {
      job->count = 1;
      job->error = read_pages(&pager.with.files, job);
    }
    if (job->error != 0) {
      report_unreadable(range, page, job->error);
      return true;
    }
  }
  stream->next = page + job->count;
  read_on(range, stream);
  if (install_proved(job) > 0) return true;
  if (map_entry(page) != entry) return false;
  report_unreadable(range, page, EBADMSG);
  return true;
}

static void bring_zeros(const struct paged_range *range, uint64_t page) {
  struct stream *stream = stream_of(page);
  const uint64_t max = stream->window < EMPTY_WINDOW_MAX ? stream->window : EMPTY_WINDOW_MAX;
  uint64_t count = 1;
  pages_lock();
  while (count < max && page + count < range->end &&
         (uint32_t)map_entry(page + count) == PLACE_EMPTY)
    count++;
  stream->next = page + count;
  count_resident(uffd_zero(pager.with.uffd, page, count));
  pages_unlock();
}

static void wait_for_entry(uint64_t page) {
  must(pager.waiting_count < WAITING_MAX);
  pager.waiting[pager.waiting_count++] = page;
  the_statistics.asked++;
  pager.with.ask(page);
}

static void serve(uint64_t page) {
  const struct paged_range *range = range_of(page);
  if (range->kind == KIND_CHARACTERS) return synthesize_characters(range, page);
  for (;;) {
    const uint64_t entry = map_entry(page);
    if ((uint32_t)entry == PLACE_ASK) return wait_for_entry(page);
    if ((uint32_t)entry == PLACE_EMPTY) return bring_zeros(range, page);
    if ((uint32_t)entry == PLACE_UNREADABLE)
      return report_unreadable(range, page, (int)(entry >> 32));
    if (bring_in(range, page, entry)) return;
  }
}

/* The reader has answered something: whoever waits is looked up again. */
static void serve_waiting(void) {
  uint64_t count;
  if (read(pager.with.retry_fd, &count, sizeof count) != (ssize_t)sizeof count) return;
  uint64_t pages[WAITING_MAX];
  const size_t waiting = pager.waiting_count;
  memcpy(pages, pager.waiting, sizeof pages);
  pager.waiting_count = 0;
  for (size_t i = 0; i < waiting; i++) {
    /* Still asked for: its own answer will come. */
    if ((uint32_t)map_entry(pages[i]) == PLACE_ASK) pager.waiting[pager.waiting_count++] = pages[i];
    else serve(pages[i]);
  }
}

static void *serve_faults(void *unused) {
  (void)unused;
  struct pollfd polled[3] = {{.fd = pager.with.uffd, .events = POLLIN},
                             {.fd = pager.with.stop_fd, .events = POLLIN},
                             {.fd = pager.with.retry_fd, .events = POLLIN}};
  for (;;) {
    const int ready = poll(polled, 3, -1);
    if (ready < 0 && errno == EINTR) continue;
    must(ready > 0);
    if (polled[1].revents != 0) return NULL;
    if (polled[2].revents != 0) serve_waiting();
    struct uffd_msg message;
    const ssize_t got = read(pager.with.uffd, &message, sizeof message);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    must(got == (ssize_t)sizeof message);
    if (message.event != UFFD_EVENT_PAGEFAULT) continue;
    the_statistics.served++;
    serve((message.arg.pagefault.address - (uintptr_t)the_region.base) / PAGE_BYTES);
  }
}

int pager_run(const struct pager_start *start) {
  memset(&pager, 0, sizeof pager);
  memset(&the_statistics, 0, sizeof the_statistics);
  the_statistics.resident_max = UINT64_MAX;
  pager.with = *start;
  pager.control = (uint32_t *)the_region.base;
  for (size_t i = 0; i < STREAMS; i++) pager.streams[i].next = UINT64_MAX;
  __atomic_store_n(&pager.control[CONTROL_INTERRUPT], 0, __ATOMIC_SEQ_CST);
  const size_t bytes = READ_PAGES_MAX * PAGE_BYTES;
  if (posix_memalign((void **)&pager.job.bytes, PAGE_BYTES, bytes) != 0) return ENOMEM;
  /* Signals are for the JavaScript threads. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int error = ahead_start(&start->files);
  if (error == 0) error = pthread_create(&pager.thread, NULL, serve_faults, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

int pager_join(void) {
  const uint64_t one = 1;
  if (write(pager.with.stop_fd, &one, sizeof one) != (ssize_t)sizeof one) return errno;
  const int error = pthread_join(pager.thread, NULL);
  if (error != 0) return error;
  ahead_stop();
  free(pager.job.bytes);
  return 0;
}
