/*
 * CRC-32 (the polynomial of zlib and IEEE 802.3, reflected: 0xEDB88320). The pager must agree with
 * zlib.crc32 bit for bit: it checks pages the journal wrote.
 *
 * Three ways, chosen once for the processor: carry-less multiplication (x86), the crc32 instructions
 * (arm64), tables (anything). They differ by a factor of eight, which is most of a page fault's cost.
 */
#include "addon.h"

#include <pthread.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

typedef uint32_t (*crc_function)(uint32_t crc, const uint8_t *bytes, size_t count);

static uint32_t table[8][256];
static crc_function chosen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Eight bytes at a time through tables; like its fellows on the inverted register. */
static uint32_t crc_tables(uint32_t crc, const uint8_t *bytes, size_t count) {
  while (count >= 8) {
    const uint32_t low = crc ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
                                (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
    crc = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff] ^
          table[4][low >> 24] ^ table[3][bytes[4]] ^ table[2][bytes[5]] ^ table[1][bytes[6]] ^
          table[0][bytes[7]];
    bytes += 8;
    count -= 8;
  }
  while (count-- > 0) crc = (crc >> 8) ^ table[0][(crc ^ *bytes++) & 0xff];
  return crc;
}

#if defined(__x86_64__)
/* The remainders of x^n that move 128 bits of the message n bits on (Intel's white paper on CRC). */
#define FOLD_512_LOW 0x0154442bd4
#define FOLD_512_HIGH 0x01c6e41596
#define FOLD_128_LOW 0x01751997d0
#define FOLD_128_HIGH 0x00ccaa009e
#define FOLD_64 0x0163cd6124
#define POLYNOMIAL 0x01db710641
#define BARRETT 0x01f7011641

__attribute__((target("pclmul,sse4.1"))) static __m128i fold(__m128i x, __m128i k, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(x, k, 0x00);
  const __m128i high = _mm_clmulepi64_si128(x, k, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* Four streams of 128 bits, then one, then down to 32 bits. What is left over goes through tables. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t crc_clmul(uint32_t crc,
                                                                  const uint8_t *bytes,
                                                                  size_t count) {
  if (count < 64) return crc_tables(crc, bytes, count);
  const __m128i far = _mm_set_epi64x(FOLD_512_HIGH, FOLD_512_LOW);
  const __m128i near = _mm_set_epi64x(FOLD_128_HIGH, FOLD_128_LOW);
  const __m128i low_word = _mm_set_epi32(0, 0, 0, -1);
  const __m128i *block = (const __m128i *)bytes;
  __m128i x[4];
  for (int i = 0; i < 4; i++) x[i] = _mm_loadu_si128(block + i);
  x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)crc));
  for (block += 4, count -= 64; count >= 64; block += 4, count -= 64)
    for (int i = 0; i < 4; i++) x[i] = fold(x[i], far, _mm_loadu_si128(block + i));
  for (int i = 1; i < 4; i++) x[0] = fold(x[0], near, x[i]);
  for (; count >= 16; block++, count -= 16) x[0] = fold(x[0], near, _mm_loadu_si128(block));
  /* 128 bits to 96, to 64, and Barrett's reduction to 32. */
  __m128i y = _mm_xor_si128(_mm_srli_si128(x[0], 8), _mm_clmulepi64_si128(x[0], near, 0x10));
  y = _mm_xor_si128(_mm_srli_si128(y, 4), _mm_clmulepi64_si128(_mm_and_si128(y, low_word),
                                                               _mm_set_epi64x(0, FOLD_64), 0x00));
  const __m128i reduce = _mm_set_epi64x(BARRETT, POLYNOMIAL);
  __m128i t = _mm_clmulepi64_si128(_mm_and_si128(y, low_word), reduce, 0x10);
  t = _mm_clmulepi64_si128(_mm_and_si128(t, low_word), reduce, 0x00);
  crc = (uint32_t)_mm_extract_epi32(_mm_xor_si128(y, t), 1);
  return crc_tables(crc, (const uint8_t *)block, count);
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) static uint32_t crc_instructions(uint32_t crc, const uint8_t *bytes,
                                                                 size_t count) {
  for (; count >= 8; bytes += 8, count -= 8) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    crc = __crc32d(crc, word);
  }
  for (; count > 0; bytes++, count--) crc = __crc32b(crc, *bytes);
  return crc;
}
#endif

static void choose(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; bit++) c = (c >> 1) ^ ((c & 1) ? 0xEDB88320u : 0);
    table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int k = 1; k < 8; k++)
      table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
  chosen = crc_tables;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) chosen = crc_clmul;
#elif defined(__aarch64__)
  if (getauxval(AT_HWCAP) & HWCAP_CRC32) chosen = crc_instructions;
#endif
}

uint32_t crc32_update(uint32_t crc, const uint8_t *bytes, size_t count) {
  pthread_once(&once, choose);
  return ~chosen(~crc, bytes, count);
}

/* Puts a u64 into bytes, low ones first. */
static void put_u64(uint8_t *bytes, uint64_t value) {
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

static bool typed_array(napi_env env, napi_value value, napi_typedarray_type wanted, void **data,
                        size_t *length) {
  napi_typedarray_type type;
  if (!checked(env, napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL)))
    return false;
  if (type == wanted) return true;
  napi_throw_type_error(env, "ARGUMENTS", "Bug: a typed array of another type was wanted");
  return false;
}

/*
 * sumBlocks(bytes, numbers, offsetBytes, into): into[i] = CRC-32 of number i (u64), its offset in the
 * storage (u64) and its 4096 bytes, for blocks that lie one after the other from `offsetBytes` on.
 */
static napi_value sum_blocks(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  uint8_t *bytes;
  double *numbers, offset = 0;
  uint32_t *into;
  size_t byte_count, count, into_count;
  if (!arguments(env, info, 4, argv) ||
      !typed_array(env, argv[0], napi_uint8_array, (void **)&bytes, &byte_count) ||
      !typed_array(env, argv[1], napi_float64_array, (void **)&numbers, &count) ||
      !number_argument(env, argv[2], &offset) ||
      !typed_array(env, argv[3], napi_uint32_array, (void **)&into, &into_count))
    return NULL;
  if (byte_count != count * PAGE_BYTES || into_count < count) {
    napi_throw_range_error(env, "ARGUMENTS", "Bug: sumBlocks takes as many numbers as blocks");
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    uint8_t prefix[16];
    put_u64(prefix, (uint64_t)numbers[i]);
    put_u64(prefix + 8, (uint64_t)offset + i * PAGE_BYTES);
    const uint32_t crc = crc32_update(0, prefix, sizeof prefix);
    into[i] = crc32_update(crc, bytes + i * PAGE_BYTES, PAGE_BYTES);
  }
  return NULL;
}

void register_crc32(napi_env env, napi_value exports) {
  export_function(env, exports, "sumBlocks", sum_blocks);
}
