/* SPDX-License-Identifier: MIT */
/* history_world.c - keys, values and scans of the histories. */
#include "history/history.h"
#include "world/scan.h"
#include "world/shared.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void history_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("history: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    _exit(3);
}

history *history_new(uint64_t records_max_all)
{
    history *h = shared_new(sizeof *h);
    history_record *records = shared_new(records_max_all * sizeof *records);
    history_state *states = shared_new(HISTORY_STATES * sizeof *states);
    h->records_max = records_max_all; /* of all; a round divides them */
    h->thread[0].records = records;
    h->thread[0].seen = states;
    return h;
}

/* The kinds lie mixed in the order of keys; some share a long head, so that blocks have prefixes.
 */
size_t history_key(uint32_t key, char ret_key[HISTORY_KEY_MAX])
{
    const char *head = key % 3 == 0 ? "common/head/" : "";
    return (size_t)snprintf(ret_key, HISTORY_KEY_MAX, "%s%02x/%05u", head,
                            (unsigned)(rng_hash(key) & 255), key);
}

bool history_parse_key(peat_slice key, uint32_t *ret_key)
{
    char text[HISTORY_KEY_MAX], again[HISTORY_KEY_MAX];
    if (key.size < 8 || key.size >= sizeof text)
        return false;
    memcpy(text, key.data, key.size);
    text[key.size] = '\0';
    *ret_key = (uint32_t)strtoul(text + key.size - 5, NULL, 10);
    return *ret_key < HISTORY_KEYS && history_key(*ret_key, again) == key.size &&
           memcmp(again, text, key.size) == 0;
}

size_t history_value(uint32_t key, history_id id, uint8_t ret_value[HISTORY_VALUE_MAX])
{
    uint64_t word = rng_hash(id ^ rng_hash(key));
    size_t size = sizeof id + (word % 64 == 0 ? (word >> 8) % 6000 : (word >> 8) % 100);
    memcpy(ret_value, &id, sizeof id);
    for (size_t i = sizeof id; i < size; i += 8) {
        memcpy(ret_value + i, &word, 8); /* may write a few bytes behind the end of the value */
        if (i % 64 == 0)
            word = word * UINT64_C(0xd1342543de82ef95) + 1;
    }
    return size;
}

history_id history_check_value(uint32_t key, peat_slice value, const char *where)
{
    uint8_t expected[HISTORY_VALUE_MAX];
    history_id id = 0;
    if (value.size >= sizeof id)
        memcpy(&id, value.data, sizeof id);
    if (id == 0 || history_value(key, id, expected) != value.size ||
        memcmp(expected, value.data, value.size) != 0)
        history_fail("%s of key %u: torn or foreign value of %zu bytes, id %" PRIx64, where, key,
                     value.size, id);
    return id;
}

static void see_row(void *arg, peat_slice key, peat_slice value)
{
    history_id *seen = arg;
    uint32_t k;
    if (!history_parse_key(key, &k))
        history_fail("scan: a key of %zu bytes that nobody wrote", key.size);
    seen[k] = history_check_value(k, value, "scan");
}

void history_scan(peat_iter *it, unsigned way, history_id ret_seen[HISTORY_KEYS])
{
    memset(ret_seen, 0, HISTORY_KEYS * sizeof *ret_seen);
    peat_rc rc = scan_rows(it, (scan_way)way, see_row, ret_seen);
    if (rc == PEAT_INVALID)
        history_fail("scan: a key is out of order");
    if (rc != PEAT_END)
        history_fail("scan: %s", peat_rc_name(rc));
}
