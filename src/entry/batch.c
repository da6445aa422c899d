/* SPDX-License-Identifier: MIT */
/*
 * batch.c - see batch.h; the bytes are described in batch_format.md.
 *
 * Invariant: bytes holds exactly `count` whole operations and never more than PEAT_BATCH_SIZE_MAX
 * bytes; a call that fails changes nothing. No lock: a batch is used by one thread at a time.
 */
#include "entry/batch.h"

_Static_assert(PT_KEY_BYTES_MAX < 1u << 21 && PEAT_VALUE_SIZE_MAX < 1ull << 35,
               "both sizes fit the five bytes PT_OP_HEAD_BYTES_MAX counts for each");
_Static_assert(PEAT_BATCH_SIZE_MAX / 6 < UINT32_MAX, "six bytes is the smallest operation");

void pt_batch_init(pt_batch *b, const pt_env *env)
{
    *b = (pt_batch){.count = 0};
    pt_bytes_init(&b->bytes, env);
}

void pt_batch_done(pt_batch *b)
{
    pt_bytes_done(&b->bytes);
    pt_batch_clear(b);
}

void pt_batch_clear(pt_batch *b)
{
    b->bytes.size = 0;
    b->count = 0;
    b->key_bytes = 0;
    b->value_bytes = 0;
}

uint8_t *pt_op_head(uint8_t *p, pt_kind kind, uint32_t keyspace, size_t key_size, size_t value_size)
{
    *p++ = (uint8_t)kind;
    p = pt_put_varint(p, key_size + PT_KEYSPACE_BYTES);
    if (kind == PT_KIND_PUT)
        p = pt_put_varint(p, value_size);
    pt_put_be32(p, keyspace);
    return p + PT_KEYSPACE_BYTES;
}

/* Appends an operation without its value's bytes; *ret_value is where they belong. */
static peat_rc add(pt_batch *b, pt_kind kind, uint32_t keyspace, pt_slice key, size_t value_size,
                   uint8_t **ret_value)
{
    if (key.size > PEAT_KEY_SIZE_MAX || value_size > PEAT_VALUE_SIZE_MAX)
        return PEAT_TOO_BIG;
    uint8_t head[PT_OP_HEAD_BYTES_MAX];
    size_t head_size = (size_t)(pt_op_head(head, kind, keyspace, key.size, value_size) - head);
    size_t op_size = head_size + key.size + value_size;
    if (op_size > PEAT_BATCH_SIZE_MAX - b->bytes.size)
        return PEAT_TOO_BIG;
    peat_rc rc = pt_bytes_reserve(&b->bytes, op_size);
    if (rc != PEAT_OK)
        return rc;
    uint8_t *p = b->bytes.data + b->bytes.size;
    memcpy(p, head, head_size);
    if (key.size != 0)
        memcpy(p + head_size, key.data, key.size);
    *ret_value = p + head_size + key.size;
    b->bytes.size += op_size;
    b->count++;
    b->key_bytes += key.size + PT_KEYSPACE_BYTES;
    b->value_bytes += value_size;
    return PEAT_OK;
}

peat_rc pt_batch_put(pt_batch *b, uint32_t keyspace, pt_slice key, pt_slice value)
{
    uint8_t *room = NULL;
    peat_rc rc = add(b, PT_KIND_PUT, keyspace, key, value.size, &room);
    if (rc == PEAT_OK && value.size != 0)
        memcpy(room, value.data, value.size);
    return rc;
}

peat_rc pt_batch_delete(pt_batch *b, uint32_t keyspace, pt_slice key)
{
    uint8_t *end = NULL;
    return add(b, PT_KIND_DELETE, keyspace, key, 0, &end);
}

peat_rc pt_batch_put_reserve(pt_batch *b, uint32_t keyspace, pt_slice key, size_t value_size,
                             uint8_t **ret_value)
{
    uint8_t *room = NULL;
    peat_rc rc = add(b, PT_KIND_PUT, keyspace, key, value_size, &room);
    if (rc != PEAT_OK)
        return rc;
    /* Room the caller leaves unwritten must not carry old heap bytes to the disk. */
    memset(room, 0, value_size);
    *ret_value = room;
    return PEAT_OK;
}

peat_rc pt_op_next(pt_cursor *io_ops, pt_entry *ret_entry)
{
    pt_cursor c = *io_ops;
    if (c.failed)
        return PEAT_CORRUPT;
    if (c.at == c.end)
        return PEAT_END;
    unsigned kind = pt_cursor_u8(&c);
    if (!pt_kind_known(kind))
        return PEAT_VERSION; /* the cursor stays: asking again gives the same answer */
    uint64_t key_size = pt_cursor_varint(&c);
    uint64_t value_size = kind == PT_KIND_PUT ? pt_cursor_varint(&c) : 0;
    if (key_size < PT_KEYSPACE_BYTES || key_size > PT_KEY_BYTES_MAX ||
        value_size > PEAT_VALUE_SIZE_MAX)
        c.failed = true;
    pt_slice key = pt_cursor_bytes(&c, key_size);
    pt_slice value = pt_cursor_bytes(&c, value_size);
    *io_ops = c;
    if (c.failed)
        return PEAT_CORRUPT;
    *ret_entry = (pt_entry){.key = key, .value = value, .seq = 0, .kind = (pt_kind)kind};
    return PEAT_OK;
}
