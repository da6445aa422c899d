/* SPDX-License-Identifier: MIT */
/* import.c - a stream verified frame by frame and written to a store that was just made. */
#include "copy/copy.h"
#include "copy/copy_frame.h"
#include "entry/batch.h"
#include "state/durable.h"
#include "state/switch.h"
#include "write/write.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct importing {
    pt_store *s;
    peat_read_fn fn;
    void *ctx;
    uint64_t stream_id, offset;
    pt_copy_end totals;
    pt_bytes frame;
    pt_bytes last_key;
    bool has_key;
} importing;

static peat_rc bad(importing *x, const char *format, ...) PT_PRINTF(2, 3);

static peat_rc bad(importing *x, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    return pt_fail(&x->s->sink, PEAT_CORRUPT, "import: at byte %" PRIu64 " of the stream: %s",
                   x->offset, text);
}

static peat_rc bad_checksum(importing *x, const char *what, uint64_t expected, uint64_t found)
{
    return bad(x, "%s: checksum: expected %016" PRIx64 ", found %016" PRIx64, what, expected,
               found);
}

/* The first n bytes of a stream are those of an export. */
static bool is_export(const uint8_t *bytes, uint64_t n)
{
    return n != 0 && memcmp(bytes, "PEATCOPY", (size_t)pt_min_u64(n, 8)) == 0;
}

static peat_rc not_export(importing *x)
{
    return pt_fail(&x->s->sink, PEAT_CORRUPT,
                   "import: %sthis is not an export of a store: expected its header, found none",
                   x->offset == 0 ? "the stream is empty: " : "");
}

/* Exactly n bytes; the stream's end is an error here. */
static peat_rc receive(importing *x, void *buf, size_t n)
{
    uint8_t *p = (uint8_t *)buf;
    for (size_t have = 0; have < n;) {
        size_t got = 0;
        peat_rc rc = x->fn(x->ctx, p + have, n - have, &got);
        if (rc == PEAT_OK && (got == 0 || got > n - have))
            return PEAT_INVALID; /* the caller's function breaks its contract */
        if (rc == PEAT_END && x->offset < PT_COPY_HEADER_BYTES && !is_export(p, x->offset))
            return not_export(x);
        if (rc == PEAT_END)
            return bad(x, "the stream is torn: expected %zu more bytes, found its end", n - have);
        if (rc != PEAT_OK)
            return rc;
        have += got;
        x->offset += got;
    }
    return PEAT_OK;
}

static peat_rc receive_header(importing *x)
{
    uint8_t h[PT_COPY_HEADER_BYTES];
    peat_rc rc = receive(x, h, sizeof h);
    if (rc != PEAT_OK)
        return rc;
    if (!is_export(h, sizeof h))
        return not_export(x);
    if (pt_checksum(h, 24, 0, 0) != pt_get_u64(h + 24))
        return bad_checksum(x, "the header", pt_get_u64(h + 24), pt_checksum(h, 24, 0, 0));
    if (pt_get_u32(h + 8) != PT_COPY_VERSION)
        return pt_fail(&x->s->sink, PEAT_VERSION,
                       "import: a stream of version %" PRIu32 ", this library reads %u",
                       pt_get_u32(h + 8), PT_COPY_VERSION);
    x->stream_id = pt_get_u64(h + 16);
    x->totals.chain = x->stream_id;
    return PEAT_OK;
}

/* In pieces, so that a hostile length allocates no more than arrives. */
static peat_rc receive_body(importing *x, size_t size)
{
    peat_rc rc = PEAT_OK;
    x->frame.size = 0;
    while (x->frame.size < size) {
        size_t n =
            size - x->frame.size < PT_COPY_FRAME_BYTES ? size - x->frame.size : PT_COPY_FRAME_BYTES;
        TRY(pt_bytes_reserve(&x->frame, n));
        TRY(receive(x, x->frame.data + x->frame.size, n));
        x->frame.size += n;
    }
out:
    return rc;
}

/* What the frame says is what a store may hold, in order. */
static peat_rc verify_ops(importing *x, uint32_t count, pt_write_request *ret_commit)
{
    pt_cursor ops = pt_cursor_of(x->frame.data, x->frame.size);
    pt_entry e;
    peat_rc rc;
    uint32_t n = 0;
    while ((rc = pt_op_next(&ops, &e)) == PEAT_OK) {
        pt_slice last = pt_bytes_slice(&x->last_key);
        if (!pt_kind_has_value(e.kind) || (x->has_key && pt_slice_compare(last, e.key) >= 0))
            return bad(x, "entry %" PRIu32 " of a frame: expected a put of a larger key, found %s",
                       n, pt_kind_has_value(e.kind) ? "a key out of order" : "another operation");
        x->last_key.size = 0;
        rc = pt_bytes_append(&x->last_key, e.key.data, e.key.size);
        if (rc != PEAT_OK)
            return rc;
        x->has_key = true;
        ret_commit->key_bytes += e.key.size;
        ret_commit->value_bytes += e.value.size;
        n++;
    }
    return rc == PEAT_END && n == count
               ? PEAT_OK
               : bad(x, "a frame: expected %" PRIu32 " operations, found %" PRIu32, count, n);
}

static peat_rc take_frame(importing *x, const uint8_t *head, uint64_t offset)
{
    uint32_t size = pt_get_u32(head), count = pt_get_u32(head + 4);
    uint64_t check = pt_get_u64(head + 8);
    peat_rc rc = PEAT_OK;
    if (size > PT_COPY_FRAME_BYTES_MAX)
        return bad(x, "a frame's length: expected at most %llu, found %" PRIu32,
                   (unsigned long long)PT_COPY_FRAME_BYTES_MAX, size);
    TRY(receive_body(x, size));
    pt_slice ops = pt_bytes_slice(&x->frame);
    uint64_t sum = pt_copy_check(head, ops, x->stream_id, offset);
    if (sum != check)
        return bad_checksum(x, "the frame before this", check, sum);
    pt_write_request c = {.payload = ops, .count = count};
    TRY(verify_ops(x, count, &c));
    x->totals.chain = pt_copy_chain(x->totals.chain, check);
    x->totals.entries += count;
    x->totals.bytes += c.key_bytes + c.value_bytes;
    rc = pt_write_commit(x->s, &c);
out:
    return rc;
}

static peat_rc take_end(importing *x, const uint8_t *head, uint64_t offset)
{
    uint8_t rest[PT_COPY_END_BYTES - PT_COPY_FRAME_HEAD_BYTES];
    peat_rc rc = receive(x, rest, sizeof rest);
    if (rc != PEAT_OK)
        return rc;
    uint64_t check = pt_copy_check(head, pt_slice_of(rest, sizeof rest), x->stream_id, offset);
    if (check != pt_get_u64(head + 8))
        return bad_checksum(x, "the end of the stream", pt_get_u64(head + 8), check);
    if (pt_get_u64(rest) != x->totals.entries || pt_get_u64(rest + 8) != x->totals.bytes ||
        pt_get_u64(rest + 16) != x->totals.chain)
        return bad(x,
                   "frames are missing: expected %" PRIu64 " entries of %" PRIu64
                   " bytes, found %" PRIu64 " of %" PRIu64,
                   pt_get_u64(rest), pt_get_u64(rest + 8), x->totals.entries, x->totals.bytes);
    return PEAT_OK;
}

static peat_rc receive_all(importing *x)
{
    uint8_t head[PT_COPY_FRAME_HEAD_BYTES];
    peat_rc rc = receive_header(x);
    while (rc == PEAT_OK) {
        uint64_t offset = x->offset;
        rc = receive(x, head, sizeof head);
        if (rc != PEAT_OK)
            break;
        if (pt_get_u32(head) == 0 && pt_get_u32(head + 4) == PT_COPY_END_COUNT)
            return take_end(x, head, offset);
        rc = take_frame(x, head, offset);
    }
    return rc;
}

peat_rc pt_copy_import(pt_store *s, peat_read_fn fn, void *ctx)
{
    importing x = {.s = s, .fn = fn, .ctx = ctx};
    pt_bytes_init(&x.frame, s->env);
    pt_bytes_init(&x.last_key, s->env);
    peat_rc rc = receive_all(&x);
    if (rc == PEAT_OK)
        rc = pt_switch_flush(s);
    if (rc == PEAT_OK)
        rc = pt_durable_finish(s);
    pt_bytes_done(&x.frame);
    pt_bytes_done(&x.last_key);
    return rc;
}
