/*
 * Disks: who may write, how large they are, and growing a partition that is in use.
 * Open file description locks are what QEMU takes on its images, so a running image is refused.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* openDirect(path, flags): open(2) with O_DIRECT | O_CLOEXEC added when the file system knows it. */
static napi_value open_direct(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  char path[4096];
  double flags = 0;
  if (!arguments(env, info, 2, argv) || !string_argument(env, argv[0], path, sizeof path) ||
      !number_argument(env, argv[1], &flags))
    return NULL;
  int fd = open(path, (int)flags | O_CLOEXEC | O_DIRECT, 0644);
  if (fd < 0 && errno == EINVAL) fd = open(path, (int)flags | O_CLOEXEC, 0644);
  if (fd < 0) return throw_errno(env, errno, "Cannot open");
  return number_result(env, fd);
}

/* lockFile(fd): an exclusive OFD lock on the whole file; false when somebody else has one. */
static napi_value lock_file(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  double fd = 0;
  if (!arguments(env, info, 1, argv) || !number_argument(env, argv[0], &fd)) return NULL;
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl((int)fd, F_OFD_SETLK, &lock) == 0) return boolean_result(env, true);
  if (errno == EAGAIN || errno == EACCES) return boolean_result(env, false);
  return throw_errno(env, errno, "Cannot lock");
}

/* diskBytes(fd): the size of a block device, or of a file. */
static napi_value disk_bytes(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  double fd = 0;
  struct stat found;
  uint64_t bytes = 0;
  if (!arguments(env, info, 1, argv) || !number_argument(env, argv[0], &fd)) return NULL;
  if (fstat((int)fd, &found) != 0) return throw_errno(env, errno, "Cannot look at the disk");
  if (!S_ISBLK(found.st_mode)) return number_result(env, (double)found.st_size);
  if (ioctl((int)fd, BLKGETSIZE64, &bytes) != 0)
    return throw_errno(env, errno, "Cannot find the size of the disk");
  return number_result(env, (double)bytes);
}

/* resizePartition(diskFd, number, startBytes, bytes): tells the kernel; the table is the caller's. */
static napi_value resize_partition(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  double fd = 0, number = 0, start = 0, bytes = 0;
  if (!arguments(env, info, 4, argv) || !number_argument(env, argv[0], &fd) ||
      !number_argument(env, argv[1], &number) || !number_argument(env, argv[2], &start) ||
      !number_argument(env, argv[3], &bytes))
    return NULL;
  struct blkpg_partition partition = {
      .start = (long long)start, .length = (long long)bytes, .pno = (int)number};
  struct blkpg_ioctl_arg request = {
      .op = BLKPG_RESIZE_PARTITION, .datalen = sizeof partition, .data = &partition};
  if (ioctl((int)fd, BLKPG, &request) != 0)
    return throw_errno(env, errno, "Cannot grow the partition");
  return NULL;
}

/*
 * discard(fd, offset, bytes): tells a block device that these bytes are not needed any more; false
 * when it cannot be told. Files keep their blocks: giving them back would make the next write slow.
 */
static napi_value discard(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  double fd = 0, offset = 0, bytes = 0;
  struct stat found;
  if (!arguments(env, info, 3, argv) || !number_argument(env, argv[0], &fd) ||
      !number_argument(env, argv[1], &offset) || !number_argument(env, argv[2], &bytes))
    return NULL;
  if (fstat((int)fd, &found) != 0 || !S_ISBLK(found.st_mode)) return boolean_result(env, false);
  uint64_t range[2] = {(uint64_t)offset, (uint64_t)bytes};
  return boolean_result(env, ioctl((int)fd, BLKDISCARD, range) == 0);
}

void register_disk(napi_env env, napi_value exports) {
  export_function(env, exports, "openDirect", open_direct);
  export_function(env, exports, "lockFile", lock_file);
  export_function(env, exports, "diskBytes", disk_bytes);
  export_function(env, exports, "discard", discard);
  export_function(env, exports, "resizePartition", resize_partition);
}
