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
    b->deletes = 0;
    b->key_bytes = 0;
    b->value_bytes = 0;
}

uint8_t *pt_op_head(uint8_t *p, pt_kind kind, uint32_t keyspace, size_t key_size, size_t value_size)
{
    *p++ = (uint8_t)kind;
    p = pt_put_varint(p, key_size + PT_KEYSPACE_BYTES);
    if (pt_kind_has_value(kind))
        p = pt_put_varint(p, value_size);
    pt_put_be32(p, keyspace);
    return p + PT_KEYSPACE_BYTES;
}

/* Bytes for an operation. They may be the batch's own (a key it holds, the room of a value): those
 * move when it grows, and are found again by where they stand in it. */
typedef struct input {
    const uint8_t *data;
    size_t size;
    size_t inside; /* offset in the batch, or OUTSIDE */
} input;

#define OUTSIDE SIZE_MAX

static input input_of(const pt_batch *b, pt_slice s)
{
    uintptr_t at = (uintptr_t)s.data - (uintptr_t)b->bytes.data;
    bool own = b->bytes.data != NULL && at < b->bytes.capacity;
    return (input){.data = s.data, .size = s.size, .inside = own ? (size_t)at : OUTSIDE};
}

static uint8_t *put_input(const pt_batch *b, const input *in, uint8_t *to)
{
    if (in->size != 0)
        memmove(to, in->inside != OUTSIDE ? b->bytes.data + in->inside : in->data, in->size);
    return to + in->size;
}

/* Room for so many bytes more, or PEAT_TOO_BIG, PEAT_NOMEM. */
static peat_rc grow(pt_batch *b, size_t more)
{
    if (more > PEAT_BATCH_SIZE_MAX - b->bytes.size)
        return PEAT_TOO_BIG;
    return pt_bytes_reserve(&b->bytes, more);
}

/* Appends an operation, whose key is the user's; *ret_value is where its value's bytes are, or
 * (value.data NULL) belong. */
static peat_rc add(pt_batch *b, uint32_t keyspace, const pt_entry *op, uint8_t **ret_value)
{
    pt_slice key = op->key, value = op->value;
    if (key.size > PEAT_KEY_SIZE_MAX || value.size > PEAT_VALUE_SIZE_MAX)
        return PEAT_TOO_BIG;
    uint8_t head[PT_OP_HEAD_BYTES_MAX];
    size_t head_size = (size_t)(pt_op_head(head, op->kind, keyspace, key.size, value.size) - head);
    size_t op_size = head_size + key.size + value.size;
    input key_in = input_of(b, key), value_in = input_of(b, value);
    peat_rc rc = grow(b, op_size);
    if (rc != PEAT_OK)
        return rc;
    uint8_t *p = b->bytes.data + b->bytes.size;
    memcpy(p, head, head_size);
    p = put_input(b, &key_in, p + head_size);
    if (value.data != NULL)
        (void)put_input(b, &value_in, p);
    *ret_value = p;
    b->bytes.size += op_size;
    b->count++;
    b->deletes += op->kind == PT_KIND_DELETE;
    b->key_bytes += key.size + PT_KEYSPACE_BYTES;
    b->value_bytes += value.size;
    return PEAT_OK;
}

peat_rc pt_batch_put(pt_batch *b, uint32_t keyspace, pt_slice key, pt_slice value)
{
    uint8_t *at = NULL;
    return add(b, keyspace, &(pt_entry){.kind = PT_KIND_PUT, .key = key, .value = value}, &at);
}

peat_rc pt_batch_delete(pt_batch *b, uint32_t keyspace, pt_slice key)
{
    uint8_t *end = NULL;
    return add(b, keyspace, &(pt_entry){.kind = PT_KIND_DELETE, .key = key}, &end);
}

peat_rc pt_batch_add(pt_batch *b, const pt_entry *entry)
{
    uint8_t *at = NULL;
    pt_entry op = *entry;
    PT_ASSERT(op.key.size >= PT_KEYSPACE_BYTES, "a key has its keyspace");
    op.key = pt_slice_of(op.key.data + PT_KEYSPACE_BYTES, op.key.size - PT_KEYSPACE_BYTES);
    return add(b, pt_get_be32(entry->key.data), &op, &at);
}

peat_rc pt_batch_put_reserve(pt_batch *b, uint32_t keyspace, pt_slice key, size_t value_size,
                             uint8_t **ret_value)
{
    uint8_t *room = NULL;
    pt_entry op = {.kind = PT_KIND_PUT, .key = key, .value = pt_slice_of(NULL, value_size)};
    peat_rc rc = add(b, keyspace, &op, &room);
    if (rc != PEAT_OK)
        return rc;
    /* Room the caller leaves unwritten must not carry old heap bytes to the disk. */
    memset(room, 0, value_size);
    *ret_value = room;
    return PEAT_OK;
}

peat_rc pt_batch_append(pt_batch *b, const pt_batch *from)
{
    pt_batch more = *from; /* as it is now: it may be the same batch */
    peat_rc rc = grow(b, more.bytes.size);
    if (rc != PEAT_OK || more.bytes.size == 0)
        return rc;
    memcpy(b->bytes.data + b->bytes.size, from->bytes.data, more.bytes.size);
    b->bytes.size += more.bytes.size;
    b->count += more.count;
    b->deletes += more.deletes;
    b->key_bytes += more.key_bytes;
    b->value_bytes += more.value_bytes;
    return PEAT_OK;
}

bool pt_batch_cut(pt_batch *b, size_t size)
{
    pt_batch kept = {.bytes = b->bytes};
    pt_cursor c = pt_cursor_of(b->bytes.data, b->bytes.size);
    pt_entry e;
    /* what the kept operations are follows from their bytes alone: so no place in the middle of
     * one, left over from what the batch held before, can be taken for an end */
    while (b->bytes.size - pt_cursor_left(&c) < size && pt_op_next(&c, &e) == PEAT_OK) {
        kept.count++;
        kept.deletes += e.kind == PT_KIND_DELETE;
        kept.key_bytes += e.key.size;
        kept.value_bytes += e.value.size;
    }
    if (b->bytes.size - pt_cursor_left(&c) != size)
        return false;
    kept.bytes.size = size;
    *b = kept;
    return true;
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
    uint64_t value_size = pt_kind_has_value((pt_kind)kind) ? pt_cursor_varint(&c) : 0;
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
