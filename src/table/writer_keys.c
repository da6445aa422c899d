/* SPDX-License-Identifier: MIT */
/* writer_keys.c - what filter and locator of a table being written are built from. */
#include "table/writer.h"

#define HASHES_FIRST ((size_t)512)

static size_t hashes_bytes(size_t capacity)
{
    return capacity * (sizeof(uint64_t) + sizeof(uint32_t));
}

void pt_writer_drop_keys(pt_table_writer *w)
{
    pt_scratch_free(w->env, w->keys.hashes, hashes_bytes(w->keys.capacity));
    w->keys = (pt_writer_keys){0};
}

static peat_rc grow_hashes(pt_table_writer *w)
{
    pt_writer_keys *k = &w->keys;
    size_t capacity = k->capacity != 0 ? 2 * k->capacity : HASHES_FIRST;
    uint64_t *hashes = pt_scratch_alloc(w->env, hashes_bytes(capacity));
    if (hashes == NULL)
        return PEAT_NOMEM;
    uint32_t *entries = (uint32_t *)(void *)(hashes + capacity);
    if (k->count != 0) {
        memcpy(hashes, k->hashes, k->count * sizeof *hashes);
        memcpy(entries, k->entries, k->count * sizeof *entries);
    }
    pt_scratch_free(w->env, k->hashes, hashes_bytes(k->capacity));
    k->hashes = hashes;
    k->entries = entries;
    k->capacity = capacity;
    return PEAT_OK;
}

peat_rc pt_writer_note_key(pt_table_writer *w, uint64_t key_hash)
{
    pt_writer_keys *k = &w->keys;
    if (!k->wanted)
        return PEAT_OK;
    if (w->options.keys_max != 0 && k->count >= w->options.keys_max) {
        pt_writer_drop_keys(w);
        return PEAT_OK;
    }
    if (PT_UNLIKELY(k->count == k->capacity)) {
        peat_rc rc = grow_hashes(w);
        if (rc != PEAT_OK)
            return rc;
    }
    PT_ASSERT(k->count < k->capacity, "there is room for the key's hash");
    k->hashes[k->count] = key_hash;
    k->entries[k->count++] = (uint32_t)w->meta.entries;
    return PEAT_OK;
}
