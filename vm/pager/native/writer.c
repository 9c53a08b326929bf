/*
 * One write that goes on while JavaScript prepares the next: a thread of its own per open journal, at
 * most one write in flight. The caller keeps the buffer alive and unchanged until finishWrite().
 *
 * A writer belongs to the thread that opened it; `lock` guards what the two threads share.
 */
#include "addon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct writer {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int fd;
  const uint8_t *bytes; /* NULL: nothing to do */
  size_t count;
  off_t offset;
  int error;
  bool stop;
};

/* Writes everything or answers the errno. */
static int write_all(int fd, const uint8_t *bytes, size_t count, off_t offset) {
  while (count > 0) {
    const ssize_t done = pwrite(fd, bytes, count, offset);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return done < 0 ? errno : EIO;
    bytes += done;
    count -= (size_t)done;
    offset += done;
  }
  return 0;
}

static void *run(void *argument) {
  struct writer *writer = argument;
  pthread_mutex_lock(&writer->lock);
  for (;;) {
    while (writer->bytes == NULL && !writer->stop) pthread_cond_wait(&writer->changed, &writer->lock);
    if (writer->bytes == NULL) break;
    pthread_mutex_unlock(&writer->lock);
    /* Only this thread clears `bytes`, so what it describes stays as it is. */
    const int error = write_all(writer->fd, writer->bytes, writer->count, writer->offset);
    pthread_mutex_lock(&writer->lock);
    if (writer->error == 0) writer->error = error;
    writer->bytes = NULL;
    pthread_cond_broadcast(&writer->changed);
  }
  pthread_mutex_unlock(&writer->lock);
  return NULL;
}

static void stop_writer(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct writer *writer = data;
  pthread_mutex_lock(&writer->lock);
  writer->stop = true;
  pthread_cond_broadcast(&writer->changed);
  pthread_mutex_unlock(&writer->lock);
  pthread_join(writer->thread, NULL);
  pthread_mutex_destroy(&writer->lock);
  pthread_cond_destroy(&writer->changed);
  free(writer);
}

/* openWriter(fd): a writer for an open file; it ends when nobody refers to it any more. */
static napi_value open_writer(napi_env env, napi_callback_info info) {
  napi_value argv[1], result = NULL;
  double fd = 0;
  if (!arguments(env, info, 1, argv) || !number_argument(env, argv[0], &fd)) return NULL;
  struct writer *writer = calloc(1, sizeof *writer);
  if (writer == NULL) return throw_errno(env, ENOMEM, "Cannot start a writer");
  writer->fd = (int)fd;
  pthread_mutex_init(&writer->lock, NULL);
  pthread_cond_init(&writer->changed, NULL);
  /* Signals are the main thread's business. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&writer->thread, NULL, run, writer);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0) {
    free(writer);
    return throw_errno(env, error, "Cannot start a writer");
  }
  if (checked(env, napi_create_external(env, writer, stop_writer, NULL, &result))) return result;
  stop_writer(env, writer, NULL);
  return NULL;
}

/* Waits for the write in flight; its errno, told once, or 0. */
static int finish(struct writer *writer) {
  pthread_mutex_lock(&writer->lock);
  while (writer->bytes != NULL) pthread_cond_wait(&writer->changed, &writer->lock);
  const int error = writer->error;
  writer->error = 0;
  pthread_mutex_unlock(&writer->lock);
  return error;
}

static bool writer_argument(napi_env env, napi_value value, struct writer **writer) {
  return checked(env, napi_get_value_external(env, value, (void **)writer));
}

/* startWrite(writer, bytes, offset): waits for the write before, then begins this one. */
static napi_value start_write(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  struct writer *writer = NULL;
  napi_typedarray_type type;
  size_t length = 0;
  void *bytes = NULL;
  double offset = 0;
  if (!arguments(env, info, 3, argv) || !writer_argument(env, argv[0], &writer) ||
      !checked(env, napi_get_typedarray_info(env, argv[1], &type, &length, &bytes, NULL, NULL)) ||
      !number_argument(env, argv[2], &offset))
    return NULL;
  if (type != napi_uint8_array) {
    napi_throw_type_error(env, "ARGUMENTS", "Bug: startWrite takes a Uint8Array");
    return NULL;
  }
  const int error = finish(writer);
  if (error != 0) return throw_errno(env, error, "Cannot write");
  pthread_mutex_lock(&writer->lock);
  writer->bytes = length == 0 ? NULL : bytes;
  writer->count = length;
  writer->offset = (off_t)offset;
  pthread_cond_broadcast(&writer->changed);
  pthread_mutex_unlock(&writer->lock);
  return NULL;
}

/* finishWrite(writer): returns when nothing is in flight; throws when that write was refused. */
static napi_value finish_write(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  struct writer *writer = NULL;
  if (!arguments(env, info, 1, argv) || !writer_argument(env, argv[0], &writer)) return NULL;
  const int error = finish(writer);
  if (error != 0) return throw_errno(env, error, "Cannot write");
  return NULL;
}

void register_writer(napi_env env, napi_value exports) {
  export_function(env, exports, "openWriter", open_writer);
  export_function(env, exports, "startWrite", start_write);
  export_function(env, exports, "finishWrite", finish_write);
}
