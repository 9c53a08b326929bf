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

/* The reserved region and the pager's map; bases are 0 until reserved. */
struct region {
  uint8_t *base;
  size_t bytes;
  uint64_t *map; /* one entry per page: see pager.c */
  size_t map_bytes;
};
extern struct region the_region;

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

uint32_t crc32_update(uint32_t crc, const uint8_t *bytes, size_t count);

void register_region(napi_env env, napi_value exports);
void register_pager(napi_env env, napi_value exports);
void register_system(napi_env env, napi_value exports);
void register_disk(napi_env env, napi_value exports);
void register_crash(napi_env env, napi_value exports);
void register_writer(napi_env env, napi_value exports);

#endif
