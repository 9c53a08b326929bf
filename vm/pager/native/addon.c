/* Module entry, and the small conversions every function of the addon uses. */
#include "addon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool checked(napi_env env, napi_status status) {
  if (status == napi_ok) return true;
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending) return false;
  const napi_extended_error_info *info = NULL;
  const char *message = "N-API call failed";
  if (napi_get_last_error_info(env, &info) == napi_ok && info != NULL && info->error_message != NULL)
    message = info->error_message;
  napi_throw_error(env, "NAPI", message);
  return false;
}

napi_value throw_errno(napi_env env, int error, const char *action) {
  char message[512];
  const char *name = strerrorname_np(error);
  snprintf(message, sizeof message, "%s: %s", action, strerror(error));
  napi_throw_error(env, name == NULL ? "EUNKNOWN" : name, message);
  return NULL;
}

bool arguments(napi_env env, napi_callback_info info, size_t wanted, napi_value *argv) {
  size_t count = wanted;
  if (!checked(env, napi_get_cb_info(env, info, &count, argv, NULL, NULL))) return false;
  if (count >= wanted) return true;
  napi_throw_type_error(env, "ARGUMENTS", "Bug: too few arguments for a native function");
  return false;
}

bool number_argument(napi_env env, napi_value value, double *result) {
  return checked(env, napi_get_value_double(env, value, result));
}

bool string_argument(napi_env env, napi_value value, char *buffer, size_t bytes) {
  size_t length = 0;
  if (!checked(env, napi_get_value_string_utf8(env, value, NULL, 0, &length))) return false;
  if (length >= bytes) {
    napi_throw_range_error(env, "ARGUMENTS", "Bug: string too long for a native function");
    return false;
  }
  return checked(env, napi_get_value_string_utf8(env, value, buffer, bytes, &length));
}

napi_value number_result(napi_env env, double number) {
  napi_value result = NULL;
  if (!checked(env, napi_create_double(env, number, &result))) return NULL;
  return result;
}

napi_value boolean_result(napi_env env, bool flag) {
  napi_value result = NULL;
  if (!checked(env, napi_get_boolean(env, flag, &result))) return NULL;
  return result;
}

void export_function(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function = NULL;
  if (!checked(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function)))
    return;
  checked(env, napi_set_named_property(env, exports, name, function));
}

NAPI_MODULE_INIT() {
  register_region(env, exports);
  register_pager(env, exports);
  register_system(env, exports);
  register_disk(env, exports);
  register_crash(env, exports);
  register_crc32(env, exports);
  register_writer(env, exports);
  return exports;
}
