/* SPDX-License-Identifier: MIT */
/* estimate.c - see estimate.h. */
#include "compact/estimate.h"

/* Of the samples that only a block can answer for, one in so many is worth reading it. */
#define READ_ONE_IN 8u

static bool worth_reading(uint64_t key_hash)
{
    return (key_hash >> 48) % READ_ONE_IN == 0;
}

/* The table was asked by filter or locator before its block was. */
static bool was_asked(const pt_table *t)
{
    return pt_table_loaded(t, PT_SECTION_FILTER) || pt_table_loaded(t, PT_SECTION_LOCATOR);
}

static pt_find step(pt_lookup *l, const pt_version *v, pt_epoch *epoch)
{
    unsigned slot = pt_epoch_enter(epoch);
    pt_find f = pt_lookup_step(l, v);
    pt_epoch_exit(epoch, slot);
    return f;
}

uint64_t pt_estimate_hidden(const pt_version *v, pt_epoch *epoch, pt_slice key, uint64_t key_hash)
{
    pt_lookup l;
    uint64_t stands_for = PT_ESTIMATE_SAMPLE;
    bool exists = false;
    pt_lookup_begin(&l, key, key_hash, PT_SEQ_MAX);
    l.hint = PT_FETCH_ONCE;
    for (;;) {
        pt_find f = step(&l, v, epoch);
        exists = f == PT_FIND_FOUND || (f == PT_FIND_NEED_BLOCK && was_asked(l.tref->table));
        if (exists || (f != PT_FIND_NEED_SECTION && f != PT_FIND_NEED_BLOCK))
            break;
        if (f == PT_FIND_NEED_BLOCK) {
            if (!worth_reading(key_hash))
                break;
            stands_for = (uint64_t)PT_ESTIMATE_SAMPLE * READ_ONE_IN;
        }
        if (pt_lookup_fetch(&l) != PEAT_OK)
            break;
    }
    pt_lookup_done(&l);
    return exists ? stands_for : 0;
}
