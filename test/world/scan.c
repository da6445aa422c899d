/* SPDX-License-Identifier: MIT */
/* scan.c - see scan.h. */
#include "world/scan.h"

#include <stdlib.h>
#include <string.h>

#define FILL_ROWS 50

typedef struct scan {
    scan_row_fn each;
    void *arg;
    bool back;
    uint8_t *last; /* the key before; NULL: none yet */
    size_t last_size;
} scan;

int scan_compare(peat_slice a, peat_slice b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int c = n != 0 ? memcmp(a.data, b.data, n) : 0;
    return c != 0 ? c : (a.size > b.size) - (a.size < b.size);
}

/* False when the row is not behind the one before. */
static bool see(scan *s, peat_slice key, peat_slice value)
{
    if (s->last != NULL) {
        int order = scan_compare(key, peat_bytes(s->last, s->last_size));
        if (s->back ? order >= 0 : order <= 0)
            return false;
    }
    s->last = realloc(s->last, key.size + 1);
    if (key.size != 0)
        memcpy(s->last, key.data, key.size);
    s->last_size = key.size;
    s->each(s->arg, key, value);
    return true;
}

static peat_rc step(scan *s, peat_iter *it)
{
    if (!see(s, peat_iter_key(it), peat_iter_value(it)))
        return PEAT_INVALID;
    return s->back ? peat_iter_prev(it) : peat_iter_next(it);
}

static peat_rc fill(scan *s, peat_iter *it)
{
    peat_row rows[FILL_ROWS];
    size_t n = 0;
    peat_rc rc = s->back ? peat_iter_fill_back(it, rows, FILL_ROWS, &n)
                         : peat_iter_fill(it, rows, FILL_ROWS, &n);
    for (size_t i = 0; i < n; i++)
        if (!see(s, rows[i].key, rows[i].value))
            return PEAT_INVALID;
    return rc;
}

peat_rc scan_rows(peat_iter *it, scan_way way, scan_row_fn each, void *arg)
{
    bool back = way == SCAN_STEPS_BACK || way == SCAN_FILLS_BACK;
    scan s = {.each = each, .arg = arg, .back = back};
    peat_rc rc = back ? peat_iter_last(it) : peat_iter_first(it);
    while (rc == PEAT_OK)
        rc = way < SCAN_FILLS ? step(&s, it) : fill(&s, it);
    free(s.last);
    return rc;
}
