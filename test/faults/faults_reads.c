/* SPDX-License-Identifier: MIT */
/* faults_reads.c - reads, snapshots and copies while calls fail; see faults.h. */
#include "faults/faults.h"
#include "support/memory_stream.h"

#include <stdlib.h>

/* The key of this name, or -1. */
static int key_number(const faults_world *w, peat_slice key)
{
    for (unsigned k = 0; k < FAULTS_KEYS; k++)
        if (scan_compare(faults_key(w, k), key) == 0)
            return (int)k;
    return -1;
}

/* --- reading --- */

static void get_all(faults_world *w, const peat_snapshot *snapshot, uint32_t limit)
{
    peat_read_options options = {.size = sizeof options, .snapshot = snapshot};
    peat_buf buf = PEAT_BUF_INIT;
    for (unsigned k = 0; k < FAULTS_KEYS; k++) {
        peat_pinned pinned = PEAT_PINNED_INIT;
        peat_rc rc;
        peat_slice value = {0};
        if (k % 4 == 3) {
            rc = peat_get_pinned(w->db, &options, faults_key(w, k), &pinned);
            value = peat_bytes(pinned.data, pinned.size);
        } else if (k % 4 == 2) {
            bool there = false;
            rc = peat_has(w->db, &options, faults_key(w, k), &there);
            if (faults_judge(w, rc, "peat_has") && !there)
                (void)faults_source(w, k, NULL, limit);
            continue;
        } else {
            rc = peat_get(w->db, &options, faults_key(w, k), &buf);
            value = peat_bytes(buf.data, rc == PEAT_OK ? buf.size : 0);
        }
        if (faults_judge(w, rc, "a get"))
            (void)faults_source(w, k, rc == PEAT_OK ? &value : NULL, limit);
        peat_unpin(&pinned);
    }
    peat_buf_free(&buf);
}

/* All of them in one call: each is answered, or says what kept it from that. */
static void get_together(faults_world *w, const peat_snapshot *snapshot, uint32_t limit)
{
    peat_read_options options = {.size = sizeof options, .snapshot = snapshot};
    peat_slice keys[FAULTS_KEYS];
    peat_buf values[FAULTS_KEYS];
    peat_rc rcs[FAULTS_KEYS];
    for (unsigned k = 0; k < FAULTS_KEYS; k++) {
        keys[k] = faults_key(w, k);
        values[k] = (peat_buf)PEAT_BUF_INIT;
    }
    peat_rc rc = peat_multi_get(w->db, &options, FAULTS_KEYS, keys, values, rcs);
    bool answered = faults_judge(w, rc, "peat_multi_get");
    for (unsigned k = 0; k < FAULTS_KEYS; k++) {
        peat_slice value = peat_bytes(values[k].data, values[k].size);
        if (answered && faults_judge(w, rcs[k], "a key of peat_multi_get"))
            (void)faults_source(w, k, rcs[k] == PEAT_OK ? &value : NULL, limit);
        peat_buf_free(&values[k]);
    }
}

/* From one end to the other; what is passed over is not there. */
static void scan_all(faults_world *w, const peat_snapshot *snapshot, uint32_t limit, bool forward)
{
    peat_iter_options options = {.size = sizeof options, .snapshot = snapshot};
    peat_iter *it = NULL;
    int step = forward ? 1 : -1, expected = forward ? 0 : FAULTS_KEYS - 1;
    peat_rc rc = peat_iter_open(w->db, &options, &it);
    while (faults_judge(w, rc, "a scan") &&
           (rc = forward ? peat_iter_next(it) : peat_iter_prev(it)) == PEAT_OK) {
        int key = key_number(w, peat_iter_key(it));
        if (key < 0 || (key - expected) * step < 0)
            faults_wrong(w, "a scan met key %d where key %d was next", key, expected);
        for (; expected != key; expected += step)
            (void)faults_source(w, (unsigned)expected, NULL, limit);
        peat_slice value = peat_iter_value(it);
        (void)faults_source(w, (unsigned)key, &value, limit);
        expected += step;
        /* nothing is written meanwhile; one that fails leaves the iterator as it was */
        if (key % 8 == 5 && snapshot == NULL)
            (void)faults_judge(w, peat_iter_refresh(it), "peat_iter_refresh");
    }
    for (; rc == PEAT_END && expected >= 0 && expected < FAULTS_KEYS; expected += step)
        (void)faults_source(w, (unsigned)expected, NULL, limit);
    peat_iter_close(it);
}

void faults_read(faults_world *w)
{
    if (w->db == NULL)
        return;
    get_together(w, NULL, UINT32_MAX);
    get_all(w, NULL, UINT32_MAX);
    scan_all(w, NULL, UINT32_MAX, true);
    scan_all(w, NULL, UINT32_MAX, false);
    if (w->snapshot != NULL) {
        get_all(w, w->snapshot, w->snapshot_commits);
        scan_all(w, w->snapshot, w->snapshot_commits, true);
    }
    faults_note(w);
}

void faults_snapshot(faults_world *w)
{
    if (w->db == NULL)
        return;
    if (w->snapshot != NULL) {
        peat_snapshot_close(w->snapshot);
        w->snapshot = NULL;
    } else if (faults_judge(w, peat_snapshot_open(w->db, &w->snapshot), "peat_snapshot_open")) {
        w->snapshot_commits = w->book.commits;
    }
}

/* --- copies --- */

void faults_copy(faults_world *w)
{
    memory_stream s = {0};
    peat_error error = {0};
    if (w->db == NULL || w->copy_made)
        return;
    w->copy_commits = w->book.commits;
    if (faults_judge(w, peat_export(w->db, NULL, memory_stream_write, &s), "peat_export")) {
        peat_rc rc = peat_import(w->copy_dir, &w->open.options, memory_stream_read, &s, &error);
        if (!faults_judge(w, rc, "peat_import") && error.message[0] == '\0')
            faults_wrong(w, "peat_import failed without a word");
        w->copy_made = rc == PEAT_OK;
        w->struck_sync = w->struck_vital = false; /* the copy's files */
    }
    free(s.data);
    faults_note(w);
}
