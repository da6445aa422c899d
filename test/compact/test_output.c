/* SPDX-License-Identifier: MIT */
/*
 * test_output.c - what an upper run says of its pieces: their bytes are those of their blocks as
 * they lie in the file, so that the debts reckoned from them are true.
 */
#include "base/hash.h"
#include "compact/output.h"
#include "world/sim.h"

typedef struct output_world {
    sim_env *sim;
    pt_dir *dir;
    pt_sink sink;
    _Atomic uint64_t file_next;
    pt_compact_context ctx;
    pt_output *output;
} output_world;

static void world_begin(output_world *w, pt_codec codec, uint64_t upper_bytes)
{
    *w = (output_world){.sim = sim_new(1), .file_next = 1};
    const pt_env *env = sim_peat(w->sim);
    assert_int_equal(env->dir_open(env->ctx, "db", PEAT_ENV_DIR_CREATE, &w->dir), 0);
    pt_sink_init(&w->sink);
    w->ctx = (pt_compact_context){.env = env,
                                  .dir = w->dir,
                                  .sink = &w->sink,
                                  .store_id = 7,
                                  .edit_number = 1,
                                  .file_next = &w->file_next,
                                  .upper_bytes = upper_bytes,
                                  .codec = codec};
    assert_ok(pt_output_new(&w->ctx, PT_RUN_FLUSHED, 1, 1000000, &w->output));
}

static void world_end(output_world *w)
{
    pt_output_free(w->output);
    pt_sink_done(&w->sink);
    w->ctx.env->dir_close(w->ctx.env->ctx, w->dir);
    sim_end(w->sim);
}

/* Pieces of so many entries, whose values compress well. */
static void write_pieces(output_world *w, const int *counts, size_t pieces)
{
    char key[32], value[120];
    uint64_t seq = 1000000;
    memset(value, 'v', sizeof value);
    for (size_t p = 0; p < pieces; p++) {
        pt_piece piece = {.partition_id = p + 1};
        assert_ok(pt_output_begin_piece(w->output, &piece));
        for (int i = 0; i < counts[p]; i++) {
            int n = snprintf(key, sizeof key, "%02zu-%08d", p, i);
            pt_entry e = {.key = {(const uint8_t *)key, (size_t)n},
                          .value = {(const uint8_t *)value, sizeof value},
                          .seq = seq--,
                          .kind = PT_KIND_PUT};
            assert_ok(pt_output_add(w->output, &e, pt_hash(e.key.data, e.key.size)));
        }
    }
    assert_ok(pt_output_finish(w->output));
}

/* All pieces of a table together are its blocks. */
static void expect_pieces(output_world *w)
{
    pt_output_files f = pt_output_get_files(w->output);
    size_t p = 0;
    for (size_t t = 0; t < f.table_count; t++) {
        uint64_t blocks = f.tables[t].table_ref->meta->section[PT_SECTION_INDEX].offset, sum = 0;
        for (; p < f.piece_count && f.pieces[p].table == t; p++) {
            assert_in_range(f.pieces[p].bytes, 1, blocks);
            sum += f.pieces[p].bytes;
        }
        assert_int_equal(sum, blocks);
    }
    assert_int_equal(p, f.piece_count);
}

static void pieces_add_up(pt_codec codec, uint64_t upper_bytes, const int *counts, size_t pieces)
{
    output_world w;
    world_begin(&w, codec, upper_bytes);
    write_pieces(&w, counts, pieces);
    expect_pieces(&w);
    world_end(&w);
}

static const int sizes[] = {300, 1, 1, 0, 40, 5000, 2, 700};

TEST(bytes_of_pieces_add_up_to_the_blocks)
{
    pieces_add_up(PT_CODEC_NONE, 0, sizes, PT_COUNT_OF(sizes));
    pieces_add_up(PT_CODEC_LZ4, 0, sizes, PT_COUNT_OF(sizes));
}

TEST(and_where_an_output_has_many_tables)
{
    for (uint64_t upper = 512; upper <= (uint64_t)256 << 10; upper *= 8) {
        pieces_add_up(PT_CODEC_NONE, upper, sizes, PT_COUNT_OF(sizes));
        pieces_add_up(PT_CODEC_LZ4, upper, sizes, PT_COUNT_OF(sizes));
    }
}
