/* SPDX-License-Identifier: MIT */
/*
 * scan_columns.c - rows of a fill out of the columns of one block: no entry is made, and none is
 * looked at. What columns are sees to it that each is a row (entry/columns.h), when their sequence
 * is one that the scan sees. Only keys are written, because a row has each in one piece.
 */
#include "read/scan.h"

#include "base/key.h"

/* Prefixes up to this are copied whole, whatever their size. */
#define HEAD_BYTES 32u

/* Of the first `n` of one fill, at the most: keys of so many bytes. */
#define KEY_BYTES_MAX ((size_t)512 << 10)

/* So many of the entries [from, to) have keys that fit. */
static uint32_t that_fit(const pt_columns *k, uint32_t n)
{
    size_t most = KEY_BYTES_MAX / (k->prefix_size + 1);
    return n < most ? n : (uint32_t)most;
}

/* Bytes of all keys of [from, to), and what is written behind the last one. */
static size_t key_bytes(const pt_columns *k, uint32_t from, uint32_t to)
{
    pt_slice last = pt_columns_suffix(k, to - 1);
    size_t suffixes = (size_t)(last.data + last.size - pt_columns_suffix(k, from).data);
    return (to - from) * k->prefix_size + suffixes + HEAD_BYTES;
}

static inline uint8_t *write_key(const pt_columns *k, const uint8_t *head, uint32_t i, uint8_t *at,
                                 peat_row *row)
{
    pt_slice suffix = pt_columns_suffix(k, i);
    size_t size = k->prefix_size + suffix.size;
    if (PT_LIKELY(k->prefix_size <= HEAD_BYTES))
        memcpy(at, head, HEAD_BYTES); /* the suffix, or the next key, goes over what is too much */
    else
        memcpy(at, k->prefix, k->prefix_size);
    pt_key_copy(at + k->prefix_size, suffix.data, suffix.size);
    row->key = peat_bytes(at + PT_KEYSPACE_BYTES, size - PT_KEYSPACE_BYTES);
    return at + size;
}

/* Those of [from, to), in the order of the walk. */
static void write_rows(const pt_columns *columns, bool keys_only, bool back, uint32_t from,
                       uint32_t to, uint8_t *at, peat_row *rows)
{
    const pt_columns k = *columns; /* a copy, which the rows written below cannot be part of */
    uint8_t head[HEAD_BYTES] = {0};
    memcpy(head, k.prefix, k.prefix_size < HEAD_BYTES ? k.prefix_size : HEAD_BYTES);
    uint32_t i = back ? to - 1 : from, step = back ? UINT32_MAX : 1;
    for (peat_row *row = rows, *end = rows + (to - from); row != end; row++, i += step) {
        at = write_key(&k, head, i, at, row);
        pt_slice value = pt_columns_value(&k, i);
        row->value = keys_only ? peat_unbounded() : peat_bytes(value.data, value.size);
    }
}

/* On the last of the rows, entry i, or (back) before it: the key is copied, where `below` may move
 * without changing it. */
static peat_rc stand_on(pt_scan *c, bool back, uint32_t i, const peat_row *row)
{
    peat_rc rc = PEAT_OK;
    const uint8_t *user_key = (const uint8_t *)row->key.data;
    c->below->ops->go(c->below, back ? i - 1 : i);
    if (back)
        rc = pt_scan_save_key(
            c, pt_slice_of(user_key - PT_KEYSPACE_BYTES, row->key.size + PT_KEYSPACE_BYTES));
    if (rc != PEAT_OK)
        return pt_scan_end(c, rc);
    c->key = back ? pt_bytes_slice(&c->saved_key) : c->below->at.key;
    c->value = pt_slice_of(row->value.data, row->value.size);
    return PEAT_OK;
}

size_t pt_scan_take_columns(pt_scan *c, bool back, peat_row *rows, size_t n, peat_rc *ret_rc)
{
    pt_columns k;
    *ret_rc = PEAT_OK;
    if (c->place != (back ? PT_SCAN_AT_BACKWARD : PT_SCAN_AT_FORWARD) || (back && c->below_ended) ||
        n == 0 || !pt_iter_columns(c->below, back, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, &k) ||
        k.seq > c->link.seq)
        return 0;
    PT_DCHECK(k.lo <= k.at && k.at < k.hi, "it stands in its columns");
    /* back, the first of the block is left: newer versions of its key may be in the block before */
    uint32_t left = that_fit(&k, back ? k.at - k.lo : k.hi - k.at);
    uint32_t count = n < left ? (uint32_t)n : left;
    uint32_t from = back ? k.at + 1 - count : k.at, to = from + count;
    if (count == 0)
        return 0;
    uint8_t *room = pt_scan_row_room(c, key_bytes(&k, from, to));
    if (room == NULL) {
        *ret_rc = pt_scan_end(c, PEAT_NOMEM);
        return 0;
    }
    write_rows(&k, c->keys_only, back, from, to, room, rows);
    *ret_rc = stand_on(c, back, back ? from : to - 1, &rows[count - 1]);
    return *ret_rc == PEAT_OK ? count : 0;
}
