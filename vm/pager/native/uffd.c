/*
 * userfaultfd: the file descriptor, the ranges it watches, and pages put where they are missing.
 * Every call answers how many pages are there now that were not before; a page that somebody else
 * brought meanwhile is left as it is, and who waits for it is woken.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A pager that cannot go on would leave the vm thread waiting for ever; stopping is loud and safe. */
void must(bool condition) {
  if (!condition) abort();
}

static uint64_t address_of(uint64_t page) {
  return (uintptr_t)the_region.base + page * PAGE_BYTES;
}

/* Full mode when the kernel lets us; else faults from user mode only, which is all that we make. */
int uffd_open(void) {
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

int uffd_register(int fd, uint64_t start, uint64_t bytes) {
  struct uffdio_register range = {
      .range = {.start = (uintptr_t)the_region.base + start, .len = bytes},
      .mode = UFFDIO_REGISTER_MODE_MISSING};
  return ioctl(fd, UFFDIO_REGISTER, &range);
}

static void wake(int fd, uint64_t page) {
  struct uffdio_range range = {.start = address_of(page), .len = PAGE_BYTES};
  must(ioctl(fd, UFFDIO_WAKE, &range) == 0);
}

static void installed(uint64_t page, uint64_t count) {
  for (uint64_t i = 0; i < count; i++)
    the_region.states[page + i] |= STATE_RESIDENT | STATE_FRESH;
}

/*
 * The kernel stops at the first page that is there: `done` says how far it came. Answers whether
 * the page it stopped at is to be passed over.
 */
static bool stopped_at_present(int64_t done, int error) {
  if (done > 0) return false;
  must(error == EEXIST || error == EAGAIN || error == EINTR);
  return error == EEXIST;
}

uint64_t uffd_copy(int fd, uint64_t page, uint64_t count, const uint8_t *bytes) {
  uint64_t fresh = 0;
  while (count > 0) {
    struct uffdio_copy copy = {
        .dst = address_of(page), .src = (uintptr_t)bytes, .len = count * PAGE_BYTES};
    uint64_t passed;
    if (ioctl(fd, UFFDIO_COPY, &copy) == 0) passed = count;
    else if (copy.copy > 0) passed = (uint64_t)copy.copy / PAGE_BYTES;
    else passed = 0;
    installed(page, passed);
    fresh += passed;
    if (passed == 0 && stopped_at_present(copy.copy, errno)) {
      wake(fd, page);
      passed = 1;
    }
    page += passed;
    bytes += passed * PAGE_BYTES;
    count -= passed;
  }
  return fresh;
}

uint64_t uffd_zero(int fd, uint64_t page, uint64_t count) {
  uint64_t fresh = 0;
  while (count > 0) {
    struct uffdio_zeropage zero = {
        .range = {.start = address_of(page), .len = count * PAGE_BYTES}};
    uint64_t passed;
    if (ioctl(fd, UFFDIO_ZEROPAGE, &zero) == 0) passed = count;
    else if (zero.zeropage > 0) passed = (uint64_t)zero.zeropage / PAGE_BYTES;
    else passed = 0;
    installed(page, passed);
    fresh += passed;
    if (passed == 0 && stopped_at_present(zero.zeropage, errno)) {
      wake(fd, page);
      passed = 1;
    }
    page += passed;
    count -= passed;
  }
  return fresh;
}
