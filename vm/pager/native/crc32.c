/*
 * CRC-32 (the polynomial of zlib and IEEE 802.3, reflected: 0xEDB88320), eight bytes at a time. The
 * pager must agree with zlib.crc32 bit for bit: it checks pages the journal wrote.
 */
#include "addon.h"

#include <pthread.h>

static uint32_t table[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; bit++) c = (c >> 1) ^ ((c & 1) ? 0xEDB88320u : 0);
    table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int k = 1; k < 8; k++)
      table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xff];
}

uint32_t crc32_update(uint32_t crc, const uint8_t *bytes, size_t count) {
  pthread_once(&once, make_tables);
  crc = ~crc;
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
  return ~crc;
}
