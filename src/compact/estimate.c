/* SPDX-License-Identifier: MIT */
/* estimate.c - see estimate.h. */
#include "compact/estimate.h"

bool pt_estimate_exists(const pt_version *v, pt_epoch *epoch, pt_slice key, uint64_t key_hash)
{
    pt_lookup l;
    pt_lookup_begin(&l, key, key_hash, PT_SEQ_MAX);
    bool exists = false;
    for (;;) {
        unsigned slot = pt_epoch_enter(epoch);
        pt_find f = pt_lookup_step(&l, v);
        pt_epoch_exit(epoch, slot);
        /* a block is needed: the filter or locator found the key, and that is answer enough */
        exists = f == PT_FIND_FOUND || f == PT_FIND_NEED_BLOCK;
        if (f != PT_FIND_NEED_SECTION || pt_lookup_fetch(&l) != PEAT_OK)
            break;
    }
    pt_lookup_done(&l);
    return exists;
}
