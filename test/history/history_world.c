/* SPDX-License-Identifier: MIT */
/* history_world.c - keys, values and scans of the histories. */
#include "history/history.h"
#include "world/rows.h"
#include "world/scan.h"
#include "world/shared.h"

#include <stdarg.h>
#include <stdio.h>
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

history_id history_check_value(uint32_t key, peat_slice value, const char *where)
{
    history_id id = rows_value_id(key, value, HISTORY_VALUE_MAX);
    if (id == 0)
        history_fail("%s of key %u: torn or foreign value of %zu bytes", where, key, value.size);
    return id;
}

static void see_row(void *arg, peat_slice key, peat_slice value)
{
    history_id *seen = arg;
    uint32_t k;
    if (!rows_parse_key(key, &k) || k >= HISTORY_KEYS)
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
