/*
 * The region: address space reserved once per process, seen by every worker through external
 * ArrayBuffers. It is never unmapped (a view may outlive its worker), so its buffers have no finalizer.
 * DONTFORK: a child process would copy the page tables of everything resident for nothing.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

struct region the_region;

/* reserve(bytes): reserves the region and the pager's map; once per process. */
static napi_value reserve(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  double bytes = 0;
  if (!arguments(env, info, 1, argv) || !number_argument(env, argv[0], &bytes)) return NULL;
  if (the_region.base != NULL) {
    if ((size_t)bytes == the_region.bytes) return NULL;
    return throw_errno(env, EEXIST, "Cannot reserve the region again with another size");
  }
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  const size_t pages = (size_t)bytes / PAGE_BYTES;
  void *base = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (base == MAP_FAILED) return throw_errno(env, errno, "Cannot reserve the memory region");
  void *map = mmap(NULL, pages * sizeof(uint64_t), PROT_READ | PROT_WRITE, flags, -1, 0);
  if (map == MAP_FAILED) return throw_errno(env, errno, "Cannot reserve the page map");
  void *states = mmap(NULL, pages * sizeof(uint16_t), PROT_READ | PROT_WRITE, flags, -1, 0);
  if (states == MAP_FAILED) return throw_errno(env, errno, "Cannot reserve the page states");
  if (madvise(base, (size_t)bytes, MADV_DONTFORK) != 0)
    return throw_errno(env, errno, "Cannot keep the memory region out of child processes");
  /* The pager copies single pages; a huge page behind its back would make clean pages unevictable. */
  if (madvise(base, (size_t)bytes, MADV_NOHUGEPAGE) != 0 && errno != EINVAL)
    return throw_errno(env, errno, "Cannot keep the memory region in small pages");
  the_region.base = base;
  the_region.bytes = (size_t)bytes;
  the_region.pages = pages;
  the_region.map = map;
  the_region.states = states;
  return NULL;
}

static napi_value external(napi_env env, void *data, size_t bytes) {
  napi_value result = NULL;
  if (!checked(env, napi_create_external_arraybuffer(env, data, bytes, NULL, NULL, &result)))
    return NULL;
  return result;
}

/* view(offset, bytes): an ArrayBuffer over that part of the region. */
static napi_value view(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  double offset = 0, bytes = 0;
  if (!arguments(env, info, 2, argv) || !number_argument(env, argv[0], &offset) ||
      !number_argument(env, argv[1], &bytes))
    return NULL;
  if (the_region.base == NULL || offset < 0 || bytes <= 0 || offset + bytes > (double)the_region.bytes)
    return throw_errno(env, EINVAL, "Bug: view outside of the region");
  return external(env, the_region.base + (size_t)offset, (size_t)bytes);
}

/* mapView(): the pager's map as an ArrayBuffer; entries as pager.c describes them. */
static napi_value map_view(napi_env env, napi_callback_info info) {
  (void)info;
  if (the_region.map == NULL) return throw_errno(env, EINVAL, "Bug: map of no region");
  return external(env, the_region.map, the_region.pages * sizeof(uint64_t));
}

/* statesView(): the states of the pages as an ArrayBuffer, 16 bits each. */
static napi_value states_view(napi_env env, napi_callback_info info) {
  (void)info;
  if (the_region.states == NULL) return throw_errno(env, EINVAL, "Bug: states of no region");
  return external(env, the_region.states, the_region.pages * sizeof(uint16_t));
}

/*
 * resetRegion(): drops every resident page and what is known of it, for starting on another
 * generation. Only while no thread can touch the region.
 */
static napi_value reset_region(napi_env env, napi_callback_info info) {
  (void)info;
  if (the_region.base == NULL) return throw_errno(env, EINVAL, "Bug: reset of no region");
  if (madvise(the_region.base, the_region.bytes, MADV_DONTNEED) != 0 ||
      madvise(the_region.map, the_region.pages * sizeof(uint64_t), MADV_DONTNEED) != 0 ||
      madvise(the_region.states, the_region.pages * sizeof(uint16_t), MADV_DONTNEED) != 0)
    return throw_errno(env, errno, "Cannot drop the pages of the region");
  __atomic_store_n(&the_statistics.resident, 0, __ATOMIC_SEQ_CST);
  return NULL;
}

/*
 * guardRegion(): makes every touch of the region behind its control page fatal. Only tests call it:
 * what the pager waits for must run under it.
 */
static napi_value guard_region(napi_env env, napi_callback_info info) {
  (void)info;
  if (the_region.base == NULL) return throw_errno(env, EINVAL, "Bug: guard of no region");
  if (mprotect(the_region.base + PAGE_BYTES, the_region.bytes - PAGE_BYTES, PROT_NONE) != 0)
    return throw_errno(env, errno, "Cannot guard the region");
  return NULL;
}

static void free_aligned(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

/* alignedBuffer(bytes): an ArrayBuffer at a page boundary, as O_DIRECT wants it. */
static napi_value aligned_buffer(napi_env env, napi_callback_info info) {
  napi_value argv[1], result = NULL;
  double bytes = 0;
  void *data = NULL;
  if (!arguments(env, info, 1, argv) || !number_argument(env, argv[0], &bytes)) return NULL;
  const int error = posix_memalign(&data, PAGE_BYTES, (size_t)bytes);
  if (error != 0) return throw_errno(env, error, "Cannot allocate an I/O buffer");
  for (size_t i = 0; i < (size_t)bytes; i++) ((uint8_t *)data)[i] = 0;
  if (!checked(env, napi_create_external_arraybuffer(env, data, (size_t)bytes, free_aligned, NULL,
                                                     &result))) {
    free(data);
    return NULL;
  }
  return result;
}

void register_region(napi_env env, napi_value exports) {
  export_function(env, exports, "reserve", reserve);
  export_function(env, exports, "view", view);
  export_function(env, exports, "mapView", map_view);
  export_function(env, exports, "statesView", states_view);
  export_function(env, exports, "resetRegion", reset_region);
  export_function(env, exports, "guardRegion", guard_region);
  export_function(env, exports, "alignedBuffer", aligned_buffer);
}
