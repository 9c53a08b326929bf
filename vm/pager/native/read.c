/*
 * Reading pages: at once, or ahead of need by a thread of its own. While the vm works on what was
 * brought in, the next pages of a sequential walk come from the disk; the pager takes them when the
 * vm asks. One job is read and one is being installed: two buffers.
 */
#include "addon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Of a place: the page lies in the scratch overlay. */
#define PLACE_SCRATCH 0x80000000u

int read_pages(const struct read_files *files, struct read_job *job) {
  const int fd = (job->place & PLACE_SCRATCH) != 0 ? files->scratch_fd : files->journal_fd;
  const uint64_t position = (job->place & ~PLACE_SCRATCH) - 1;
  const size_t wanted = job->count * PAGE_BYTES;
  size_t done = 0;
  while (done < wanted) {
    const ssize_t got = pread(fd, job->bytes + done, wanted - done,
                              (off_t)(files->journal_base + position * PAGE_BYTES + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return EIO;
    done += (size_t)got;
  }
  return 0;
}

enum ahead_state { IDLE, READING, DONE, STOPPING };
static struct {
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  enum ahead_state state;
  struct read_files files;
  struct read_job job, taken; /* each with a buffer */
} ahead = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *read_ahead(void *unused) {
  (void)unused;
  must(pthread_mutex_lock(&ahead.mutex) == 0);
  while (ahead.state != STOPPING) {
    if (ahead.state == READING) {
      must(pthread_mutex_unlock(&ahead.mutex) == 0);
      const int error = read_pages(&ahead.files, &ahead.job);
      must(pthread_mutex_lock(&ahead.mutex) == 0);
      ahead.job.error = error;
      if (ahead.state == READING) ahead.state = DONE;
      must(pthread_cond_broadcast(&ahead.changed) == 0);
    } else {
      must(pthread_cond_wait(&ahead.changed, &ahead.mutex) == 0);
    }
  }
  must(pthread_mutex_unlock(&ahead.mutex) == 0);
  return NULL;
}

int ahead_start(const struct read_files *files) {
  ahead.files = *files;
  ahead.state = IDLE;
  const size_t bytes = READ_PAGES_MAX * PAGE_BYTES;
  if (posix_memalign((void **)&ahead.job.bytes, PAGE_BYTES, bytes) != 0 ||
      posix_memalign((void **)&ahead.taken.bytes, PAGE_BYTES, bytes) != 0)
    return ENOMEM;
  return pthread_create(&ahead.thread, NULL, read_ahead, NULL);
}

static void enter(enum ahead_state state) {
  ahead.state = state;
  must(pthread_cond_broadcast(&ahead.changed) == 0);
  must(pthread_mutex_unlock(&ahead.mutex) == 0);
}

bool ahead_idle(void) {
  must(pthread_mutex_lock(&ahead.mutex) == 0);
  const bool idle = ahead.state != READING;
  must(pthread_mutex_unlock(&ahead.mutex) == 0);
  return idle;
}

void ahead_submit(uint64_t first, uint64_t count, uint32_t place) {
  must(pthread_mutex_lock(&ahead.mutex) == 0);
  must(ahead.state == IDLE || ahead.state == DONE);
  ahead.job.first = first;
  ahead.job.count = count;
  ahead.job.place = place;
  enter(READING);
}

struct read_job *ahead_take(uint64_t page) {
  must(pthread_mutex_lock(&ahead.mutex) == 0);
  if (ahead.state == IDLE || ahead.job.first != page) {
    must(pthread_mutex_unlock(&ahead.mutex) == 0);
    return NULL;
  }
  while (ahead.state == READING) must(pthread_cond_wait(&ahead.changed, &ahead.mutex) == 0);
  const struct read_job job = ahead.job;
  ahead.job.bytes = ahead.taken.bytes;
  ahead.taken = job;
  enter(IDLE);
  return &ahead.taken;
}

void ahead_stop(void) {
  must(pthread_mutex_lock(&ahead.mutex) == 0);
  enter(STOPPING);
  must(pthread_join(ahead.thread, NULL) == 0);
  free(ahead.job.bytes);
  free(ahead.taken.bytes);
}
