/* SPDX-License-Identifier: MIT */
/* rows.h - keys by their numbers and values that say by which write they are, so that whatever is
 * read is seen to be whole and in its place. */
#ifndef TEST_WORLD_ROWS_H
#define TEST_WORLD_ROWS_H

#include "peat.h"

#define ROWS_KEY_MAX 32u

/* Keys with numbers side by side lie far apart; a third shares a long head, so that blocks have
 * prefixes to cut, and nearly all a short one, which a memtable skips until it meets one of the
 * others. Returns the size. */
size_t rows_key(uint32_t number, char ret_key[ROWS_KEY_MAX]);
/* False for what is no such key. */
bool rows_parse_key(peat_slice key, uint32_t *ret_number);

/* The value that the write `id`, which is not 0, gives the key: mostly short, now and then of up to
 * size_max bytes. Returns the size. */
size_t rows_value(uint64_t key, uint64_t id, size_t size_max, uint8_t *ret_value);
/* Which write it is by; 0 when it is not whole, or not the key's. */
uint64_t rows_value_id(uint64_t key, peat_slice value, size_t size_max);

#endif
