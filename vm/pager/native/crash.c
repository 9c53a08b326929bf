/*
 * The last words of PID 1. A native death (SIGSEGV, SIGBUS, an abort of V8) would leave no trace: the
 * kernel panics and the machine restarts. The handler writes one block of 4096 bytes to a place in the
 * journal that is kept for it (outside of every generation), then restarts the machine, where the
 * recovery prompt shows the reason. Only async-signal-safe calls; the block is prepared beforehand.
 *
 * Block: 0 "PALCRASH" · 8 u32 version 1 · 12 u32 signal (0: a reason in words) · 16 u64 address ·
 *        24 u32 length of the text · 28 text, UTF-8, at most 1000 bytes · 4092 u32 CRC-32 of 0..4091
 */
#include "addon.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#define TEXT_BYTES 1000u

static struct {
  int fd;
  off_t offset;
  uint8_t *block;
  bool restart; /* restart the machine, else die of the signal as anybody would */
  bool entered;
} crash = {.fd = -1};

static void put_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static void write_block(uint32_t signal, uint64_t address, const char *text, size_t length) {
  if (length > TEXT_BYTES) length = TEXT_BYTES;
  memset(crash.block, 0, PAGE_BYTES);
  memcpy(crash.block, "PALCRASH", 8);
  put_u32(crash.block + 8, 1);
  put_u32(crash.block + 12, signal);
  put_u32(crash.block + 16, (uint32_t)address);
  put_u32(crash.block + 20, (uint32_t)(address >> 32));
  put_u32(crash.block + 24, (uint32_t)length);
  memcpy(crash.block + 28, text, length);
  put_u32(crash.block + 4092, (uint32_t)crc32(0, crash.block, 4092));
  /* Nothing is left to try when these fail: the machine restarts without the reason. */
  if (pwrite(crash.fd, crash.block, PAGE_BYTES, crash.offset) == (ssize_t)PAGE_BYTES)
    (void)fdatasync(crash.fd);
}

static void on_fatal_signal(int signal_number, siginfo_t *info, void *context) {
  (void)context;
  if (!__atomic_exchange_n(&crash.entered, true, __ATOMIC_SEQ_CST)) {
    write_block((uint32_t)signal_number, (uint64_t)(uintptr_t)info->si_addr, "", 0);
    if (crash.restart) (void)reboot(RB_AUTOBOOT);
  } else if (crash.restart) {
    for (;;) pause(); /* another thread is already writing and will restart the machine */
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

/* installCrashHandler(fd, offset, restart): fd stays open; offset is the block's place in it. */
static napi_value install(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  double fd = 0, offset = 0;
  bool restart = false;
  if (!arguments(env, info, 3, argv) || !number_argument(env, argv[0], &fd) ||
      !number_argument(env, argv[1], &offset) ||
      !checked(env, napi_get_value_bool(env, argv[2], &restart)))
    return NULL;
  void *block = NULL;
  const int error = posix_memalign(&block, PAGE_BYTES, PAGE_BYTES);
  if (error != 0) return throw_errno(env, error, "Cannot allocate the crash block");
  (void)crc32(0, block, PAGE_BYTES); /* what it looks up at first use, it looks up now */
  crash.block = block;
  crash.fd = (int)fd;
  crash.offset = (off_t)offset;
  crash.restart = restart;
  const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
  for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
    struct sigaction action = {.sa_sigaction = on_fatal_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    if (sigaction(fatal[i], &action, NULL) != 0)
      return throw_errno(env, errno, "Cannot install the crash handler");
  }
  return NULL;
}

/* signalStack(): gives the calling thread a stack to handle a stack overflow on. */
static napi_value signal_stack(napi_env env, napi_callback_info info) {
  (void)info;
  stack_t stack = {.ss_size = 64 * 1024};
  stack.ss_sp = malloc(stack.ss_size);
  if (stack.ss_sp == NULL) return throw_errno(env, ENOMEM, "Cannot allocate a signal stack");
  if (sigaltstack(&stack, NULL) != 0) return throw_errno(env, errno, "Cannot set a signal stack");
  return NULL;
}

/* leaveReason(text): writes the block for a death that JavaScript noticed itself. */
static napi_value leave_reason(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  char text[TEXT_BYTES * 4];
  if (!arguments(env, info, 1, argv) || !string_argument(env, argv[0], text, sizeof text))
    return NULL;
  if (crash.fd >= 0) write_block(0, 0, text, strlen(text));
  return NULL;
}

/* die(): a real SIGSEGV in the calling thread, for the test of all this. */
static napi_value die(napi_env env, napi_callback_info info) {
  (void)info;
  (void)env;
  uint32_t *volatile nowhere = NULL;
  *(volatile uint32_t *)nowhere = 1;
  return NULL;
}

void register_crash(napi_env env, napi_value exports) {
  export_function(env, exports, "installCrashHandler", install);
  export_function(env, exports, "signalStack", signal_stack);
  export_function(env, exports, "leaveReason", leave_reason);
  export_function(env, exports, "die", die);
}
