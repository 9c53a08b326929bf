/* The system calls PID 1 needs and Node does not offer: mounting, restarting, reaping. */
#include "addon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

/* mount(source, target, type, flags, data) */
static napi_value do_mount(napi_env env, napi_callback_info info) {
  napi_value argv[5];
  char source[256], target[256], type[64], data[256], action[512];
  double flags = 0;
  if (!arguments(env, info, 5, argv) || !string_argument(env, argv[0], source, sizeof source) ||
      !string_argument(env, argv[1], target, sizeof target) ||
      !string_argument(env, argv[2], type, sizeof type) || !number_argument(env, argv[3], &flags) ||
      !string_argument(env, argv[4], data, sizeof data))
    return NULL;
  if (mount(source, target, type, (unsigned long)flags, data) == 0) return NULL;
  const int error = errno;
  snprintf(action, sizeof action, "Cannot mount %.60s on %.200s", type, target);
  return throw_errno(env, error, action);
}

/* restartMachine(how): 'restart', 'poweroff' or 'halt'; comes back only with an error. */
static napi_value restart_machine(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  char how[16];
  if (!arguments(env, info, 1, argv) || !string_argument(env, argv[0], how, sizeof how))
    return NULL;
  int command = RB_AUTOBOOT;
  if (strcmp(how, "poweroff") == 0) command = RB_POWER_OFF;
  if (strcmp(how, "halt") == 0) command = RB_HALT_SYSTEM;
  sync();
  if (reboot(command) == 0) return NULL;
  return throw_errno(env, errno, "Cannot restart the machine");
}

/* reap(): collects one orphan that has ended, as PID 1 must; its pid, or 0 when there is none. */
static napi_value reap(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  double pid = 0;
  int status = 0;
  if (!arguments(env, info, 1, argv) || !number_argument(env, argv[0], &pid)) return NULL;
  const pid_t reaped = waitpid((pid_t)pid, &status, WNOHANG);
  if (reaped < 0 && errno != ECHILD) return throw_errno(env, errno, "Cannot reap a process");
  return number_result(env, reaped > 0 ? (double)reaped : 0);
}

void register_system(napi_env env, napi_value exports) {
  export_function(env, exports, "mount", do_mount);
  export_function(env, exports, "restartMachine", restart_machine);
  export_function(env, exports, "reap", reap);
}
