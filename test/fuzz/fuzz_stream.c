/* SPDX-License-Identifier: MIT */
/*
 * fuzz_stream.c - import of a stream: either the store holds exactly what the stream says, or there
 * is no store. Input: flags, then the stream.
 */
#include "copy/copy_frame.h"
#include "entry/batch.h"
#include "fuzz/fuzz.h"
#include "fuzz/fuzz_open.h"
#include "support/memory_stream.h"

#include <stdlib.h>

/* The rows that the frames hold against those of an iterator. The default keyspace alone shows. */
static size_t compare_rows(peat_iter *it, const memory_stream *s)
{
    size_t rows = 0;
    for (size_t at = PT_COPY_HEADER_BYTES;;) {
        uint32_t size = pt_get_u32(s->data + at);
        if (size == 0 && pt_get_u32(s->data + at + 4) == PT_COPY_END_COUNT)
            return rows;
        pt_cursor c = pt_cursor_of(s->data + at + PT_COPY_FRAME_HEAD_BYTES, size);
        pt_entry e;
        while (pt_op_next(&c, &e) == PEAT_OK) {
            if (pt_get_be32(e.key.data) != PT_KEYSPACE_DEFAULT)
                continue;
            FUZZ_REQUIRE(peat_iter_next(it) == PEAT_OK, "an imported row is there");
            peat_slice k = peat_iter_key(it), v = peat_iter_value(it);
            FUZZ_REQUIRE(
                k.size + PT_KEYSPACE_BYTES == e.key.size &&
                    (k.size == 0 || memcmp(k.data, e.key.data + PT_KEYSPACE_BYTES, k.size) == 0),
                "with its key");
            FUZZ_REQUIRE(v.size == e.value.size &&
                             (v.size == 0 || memcmp(v.data, e.value.data, v.size) == 0),
                         "and its value");
            rows++;
        }
        at += PT_COPY_FRAME_HEAD_BYTES + size;
    }
}

static size_t expect_copy(const fuzz_options *o, const memory_stream *s)
{
    peat_db *db = NULL;
    peat_iter *it = NULL;
    FUZZ_REQUIRE(peat_open("db", &o->options, &db, NULL) == PEAT_OK, "an imported store opens");
    FUZZ_REQUIRE(peat_check(db, NULL, NULL) == PEAT_OK, "and is sound");
    FUZZ_REQUIRE(peat_iter_open(db, NULL, &it) == PEAT_OK, "and can be read");
    size_t rows = compare_rows(it, s);
    FUZZ_REQUIRE(peat_iter_next(it) == PEAT_END, "and holds nothing else");
    peat_iter_close(it);
    FUZZ_REQUIRE(peat_close(db) == PEAT_OK, "and closes");
    return rows + 1;
}

static size_t run(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fuzz_options o;
    uint8_t *stream = fuzz_copy(data + 1, size - 1);
    memory_stream s = {.data = stream, .size = size - 1, .piece_max = 113};
    sim_env *sim = sim_new(1);
    size_t n = 0;
    peat_db *db = NULL;
    if (data[0] & FUZZ_REPAIR)
        fuzz_repair_stream(stream, s.size);
    fuzz_options_make(&o, sim_peat(sim));
    peat_rc rc = peat_import("db", &o.options, memory_stream_read, &s, NULL);
    o.options.create = PEAT_CREATE_NEVER;
    if (rc == PEAT_OK)
        n = expect_copy(&o, &s);
    else
        FUZZ_REQUIRE(peat_open("db", &o.options, &db, NULL) == PEAT_NOT_FOUND,
                     "a stream that is refused leaves no store");
    FUZZ_REQUIRE(sim_get_held(sim).bytes_peak < FUZZ_STORE_BYTES_MAX, "no huge allocation");
    FUZZ_REQUIRE(sim_is_clean(sim), "nothing is left over");
    sim_free(sim);
    free(stream);
    return n;
}

const fuzz_target fuzz_stream = {.name = "stream", .run = run, .size_max = 8192};
