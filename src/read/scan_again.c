/* SPDX-License-Identifier: MIT */
/* scan_again.c - the same scan, as of now. */
#include "read/scan.h"

peat_rc pt_scan_again(const pt_scan *c, bool back, bool whole_table, pt_scan **ret_scan)
{
    pt_scan *again = NULL;
    pt_scan_options o = {.lower = c->lower,
                         .upper = c->upper,
                         .keys_only = c->keys_only,
                         .whole_table = whole_table};
    peat_rc rc = pt_scan_new(c->store, &o, &again);
    if (rc == PEAT_OK && pt_scan_valid(c)) {
        rc = pt_scan_seek(again, c->key, back);
        /* a fill goes on behind it only if it is the entry that an earlier fill has returned */
        again->filled = rc == PEAT_OK && c->filled && pt_slice_equal(again->key, c->key);
    }
    if (rc < 0) {
        pt_scan_free(again);
        return rc;
    }
    *ret_scan = again;
    return rc;
}
