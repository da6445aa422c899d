/* SPDX-License-Identifier: MIT */
/* manifest_file.c - encoding and walking a manifest; see manifest_file.h. */
#include "version/manifest_file.h"

#include "base/coding.h"
#include "base/file_name.h"
#include "base/hash.h"

/* Header: 0 checksum   8 magic   16 format version u32   20 zero u32   24 store id   32 number
 *         40 random, so that two files of one number differ
 * Record: 0 checksum   8 chain (the previous record's checksum)   16 payload size u32   20 payload
 */
static const uint8_t header_magic[8] = {'P', 'E', 'A', 'T', 'M', 'A', 'N', 'I'};
#define HEADER_FILE_ID 0x494e414d54414550ULL
#define HEADER_FORMAT  1u
#define SKIP_CHECKSUM  8

void pt_manifest_header_encode(const pt_superblock *sb, uint64_t number, uint64_t random,
                               uint8_t ret_header[PT_MANIFEST_HEADER_BYTES],
                               pt_manifest_place *ret_place)
{
    uint8_t *p = ret_header;
    memcpy(p + 8, header_magic, sizeof header_magic);
    pt_put_u32(p + 16, HEADER_FORMAT);
    pt_put_u32(p + 20, 0);
    pt_put_u64(p + 24, sb->store_id);
    pt_put_u64(p + 32, number);
    pt_put_u64(p + 40, random);
    uint64_t sum =
        pt_checksum(p + SKIP_CHECKSUM, PT_MANIFEST_HEADER_BYTES - SKIP_CHECKSUM, HEADER_FILE_ID, 0);
    pt_put_u64(p, sum);
    *ret_place = (pt_manifest_place){.file_id = sum, .chain = sum, .end = PT_MANIFEST_HEADER_BYTES};
}

peat_rc pt_manifest_record_encode(pt_slice payload, pt_bytes *out, pt_manifest_place *io_place)
{
    size_t n = PT_MANIFEST_RECORD_BYTES + payload.size;
    peat_rc rc = pt_bytes_reserve(out, n);
    if (rc != PEAT_OK)
        return rc;
    uint8_t *p = out->data + out->size;
    pt_put_u64(p + 8, io_place->chain);
    pt_put_u32(p + 16, (uint32_t)payload.size);
    if (payload.size != 0)
        memcpy(p + PT_MANIFEST_RECORD_BYTES, payload.data, payload.size);
    uint64_t sum =
        pt_checksum(p + SKIP_CHECKSUM, n - SKIP_CHECKSUM, io_place->file_id, io_place->end);
    pt_put_u64(p, sum);
    out->size += n;
    io_place->chain = sum;
    io_place->end += n;
    return PEAT_OK;
}

typedef struct walk {
    pt_sink *sink;
    const pt_superblock *sb;
    pt_file_reader window;
    pt_manifest_place place;
    char name[PT_FILE_NAME_SIZE];
} walk;

static peat_rc damaged(walk *w, uint64_t offset, const char *what, uint64_t expected,
                       uint64_t found)
{
    return pt_fail_at(w->sink, PEAT_CORRUPT, w->name, offset,
                      "%s: expected %016" PRIx64 ", found %016" PRIx64, what, expected, found);
}

/* What a visitor found wrong in the record at `offset`. */
static peat_rc place_here(walk *w, uint64_t offset)
{
    peat_error e;
    pt_sink_get(w->sink, &e);
    return pt_fail_at(w->sink, PEAT_CORRUPT, w->name, offset, "%s", e.message);
}

static peat_rc walk_bytes(walk *w, uint64_t offset, size_t n, const uint8_t **ret_data)
{
    int e = pt_file_reader_get(&w->window, offset, n, ret_data);
    return e == 0 ? PEAT_OK
                  : pt_fail_os(w->sink, e, "%s @%" PRIu64 " cannot be read", w->name, offset);
}

static peat_rc walk_header(walk *w)
{
    const uint8_t *p = NULL;
    peat_rc rc = walk_bytes(w, 0, PT_MANIFEST_HEADER_BYTES, &p);
    if (rc != PEAT_OK)
        return rc;
    uint8_t expected[PT_MANIFEST_HEADER_BYTES];
    pt_manifest_header_encode(w->sb, w->sb->manifest_number, pt_get_u64(p + 40), expected,
                              &w->place);
    if (memcmp(p, expected, sizeof expected) != 0)
        return damaged(w, 0, "the header's checksum", pt_get_u64(expected), pt_get_u64(p));
    return PEAT_OK;
}

/* The record at the place, or *ret_valid false where there is none. */
static peat_rc walk_record(walk *w, bool *ret_valid, pt_slice *ret_payload)
{
    const uint8_t *p = NULL;
    uint64_t at = w->place.end, left = w->window.limit - at;
    *ret_valid = false;
    if (left < PT_MANIFEST_RECORD_BYTES)
        return PEAT_OK;
    peat_rc rc = walk_bytes(w, at, PT_MANIFEST_RECORD_BYTES, &p);
    if (rc != PEAT_OK)
        return rc;
    size_t size = pt_get_u32(p + 16);
    /* the chain is compared first: it refuses zeros and garbage before any length is believed */
    if (pt_get_u64(p + 8) != w->place.chain || size > left - PT_MANIFEST_RECORD_BYTES)
        return PEAT_OK;
    size_t n = PT_MANIFEST_RECORD_BYTES + size;
    rc = walk_bytes(w, at, n, &p);
    if (rc != PEAT_OK)
        return rc;
    uint64_t sum = pt_get_u64(p);
    if (sum != pt_checksum(p + SKIP_CHECKSUM, n - SKIP_CHECKSUM, w->place.file_id, at))
        return PEAT_OK;
    w->place.chain = sum;
    w->place.end = at + n;
    *ret_payload = pt_slice_of(p + PT_MANIFEST_RECORD_BYTES, size);
    *ret_valid = true;
    return PEAT_OK;
}

static peat_rc walk_records(walk *w, pt_manifest_visit_fn visit, void *ctx)
{
    uint64_t durable_end = w->sb->manifest_end;
    for (;;) {
        uint64_t at = w->place.end;
        bool valid = false;
        pt_slice payload;
        if (at == durable_end && w->place.chain != w->sb->manifest_chain)
            return damaged(w, at, "the last checksum that PEAT speaks of", w->sb->manifest_chain,
                           w->place.chain);
        peat_rc rc = walk_record(w, &valid, &payload);
        if (rc != PEAT_OK)
            return rc;
        if (!valid && at < durable_end)
            return pt_fail_at(w->sink, PEAT_CORRUPT, w->name, at,
                              "expected records up to @%" PRIu64
                              ", which were synced, found none here that verifies",
                              durable_end);
        if (!valid)
            return PEAT_OK;
        if (at < durable_end && w->place.end > durable_end)
            return pt_fail_at(w->sink, PEAT_CORRUPT, w->name, at,
                              "a record: expected an end @%" PRIu64
                              " or before, as PEAT says, found @%" PRIu64,
                              durable_end, w->place.end);
        rc = visit(ctx, payload);
        if (rc != PEAT_OK)
            return rc == PEAT_CORRUPT ? place_here(w, at) : rc;
    }
}

/* Is anything but zeros behind the durable end? Then something was written and not acknowledged. */
static peat_rc walk_tail(walk *w, bool *ret_tail)
{
    uint64_t at = w->sb->manifest_end;
    *ret_tail = w->place.end > at;
    while (!*ret_tail && at < w->window.limit) {
        const uint8_t *p = NULL;
        size_t n = (size_t)pt_min_u64(w->window.limit - at, PT_FILE_READER_STEP_BYTES);
        peat_rc rc = walk_bytes(w, at, n, &p);
        if (rc != PEAT_OK)
            return rc;
        for (size_t i = 0; i < n && !*ret_tail; i++)
            *ret_tail = p[i] != 0;
        at += n;
    }
    return PEAT_OK;
}

peat_rc pt_manifest_walk(const pt_env *env, pt_sink *sink, pt_file *file, const pt_superblock *sb,
                         pt_manifest_visit_fn visit, void *ctx, pt_manifest_place *ret_place,
                         uint64_t *ret_file_bytes, bool *ret_tail)
{
    peat_rc rc = PEAT_OK;
    walk w = {.sink = sink, .sb = sb};
    uint64_t size = 0;
    pt_file_name('m', sb->manifest_number, w.name);
    pt_file_reader_init(&w.window, env);

    int e = env->file_size(env->ctx, file, &size);
    if (e != 0)
        TRY(pt_fail_os(sink, e, "the size of %s cannot be read", w.name));
    if (size < sb->manifest_end || sb->manifest_end < PT_MANIFEST_HEADER_BYTES)
        TRY(pt_fail_at(sink, PEAT_CORRUPT, w.name, size,
                       "the file ends here: expected %" PRIu64 " synced bytes, found %" PRIu64,
                       sb->manifest_end, size));
    pt_file_reader_set(&w.window, file, size);
    TRY(walk_header(&w));
    TRY(walk_records(&w, visit, ctx));
    TRY(walk_tail(&w, ret_tail));
    *ret_place = w.place;
    *ret_file_bytes = size;
out:
    pt_file_reader_done(&w.window);
    return rc;
}
