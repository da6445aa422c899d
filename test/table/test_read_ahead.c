/* SPDX-License-Identifier: MIT */
/*
 * test_read_ahead.c - long scans read ahead past the cache, short ones stay in it; a window that
 * fails is no failure of the scan.
 */
#include "cache/cache.h"
#include "number_tables.h"

#define KEYS   20000u /* of 100 bytes and more: some 600 blocks */
#define CACHED 66u    /* blocks that a walk takes from the cache before it has a window, about */

typedef struct scene {
    kit k;
    pt_table_files files;
    pt_cache *cache;
    pt_block_source *source;
} scene;

static size_t size_of_block(void *ctx, uint32_t block)
{
    return pt_table_block_size(((scene *)ctx)->k.table, block);
}

static peat_rc load_block(void *ctx, uint32_t block, uint8_t *dst, size_t dst_size, size_t *ret)
{
    return pt_table_read_block(((scene *)ctx)->k.table, block, dst, dst_size, ret);
}

static void attach(scene *s, uint64_t ahead_max)
{
    kit *k = &s->k;
    pt_cache_loader loader = {.ctx = s, .size = size_of_block, .load = load_block};
    pt_table_files_init(&s->files);
    s->files.ahead_max = ahead_max;
    pt_table_join(k->table, &s->files);
    size_t bytes = (size_t)8 << 20;
    assert_ok(pt_cache_new(k->env, &k->epoch, bytes, &s->cache));
    assert_ok(
        pt_cache_attach(s->cache, k->meta.block_count, k->meta.block_bytes, loader, &s->source));
}

static void set_scene(scene *s, const pt_table_writer_options *o, size_t value_size,
                      uint64_t ahead_max)
{
    *s = (scene){0};
    begin_numbers(&s->k, o, KEYS, value_size);
    attach(s, ahead_max);
}

static void clear_scene(scene *s)
{
    pt_cache_stats stats;
    pt_cache_get_stats(s->cache, &stats);
    assert_int_equal(stats.pinned, 0);
    assert_int_equal(s->files.ahead_bytes, 0);
    pt_cache_detach(s->cache, s->source);
    pt_table_free(s->k.table);
    s->k.table = NULL;
    pt_table_files_done(&s->files);
    pt_epoch_collect(&s->k.epoch);
    pt_cache_free(s->cache);
    kit_done(&s->k);
}

static uint64_t misses(const scene *s)
{
    pt_cache_stats stats;
    pt_cache_get_stats(s->cache, &stats);
    return stats.misses;
}

static void expect_row(const pt_iter *it, const pt_entry *e)
{
    assert_true(pt_slice_equal(it->at.key, e->key));
    assert_true(pt_slice_equal(it->at.value, e->value));
}

/* Rows from the given end until there are no more, or `most`; the way they ended. */
static peat_rc walk(scene *s, pt_fetch_hint hint, bool back, size_t most, size_t *ret_rows)
{
    pt_iter *it;
    pt_table_iter_options o = {.hint = hint};
    size_t n = 0;
    assert_ok(pt_table_iter_new(s->k.env, s->k.table, s->source, &o, &it));
    peat_rc rc = back ? pt_iter_last(it) : pt_iter_first(it);
    while (rc == PEAT_OK && n < most) {
        expect_row(it, &s->k.m.entries[back ? s->k.m.count - 1 - n : n]);
        n++;
        rc = back ? pt_iter_prev(it) : pt_iter_next(it);
    }
    assert_true(s->files.ahead_bytes <= s->files.ahead_max);
    pt_iter_done(it);
    *ret_rows = n;
    return rc;
}

static void walk_all(scene *s, bool back)
{
    size_t rows;
    assert_int_equal(walk(s, PT_FETCH_SCAN, back, SIZE_MAX, &rows), PEAT_END);
    assert_int_equal(rows, s->k.m.count);
}

#define BOTTOM .store_id = 1, .file_number = 7, .run_kind = PT_RUN_BOTTOMMOST
static const pt_table_writer_options aligned = {BOTTOM};
static const pt_table_writer_options packed = {BOTTOM, .packed = true};
static const pt_table_writer_options compressed = {BOTTOM, .codec = PT_CODEC_LZ4};

static void first_scan_passes_the_cache(const pt_table_writer_options *o, bool back)
{
    scene s;
    set_scene(&s, o, 100, PT_STREAM_SCAN_BYTES);
    uint64_t reads = sim_count(s.k.sim, SIM_BIT(SIM_FILE_READ));
    walk_all(&s, back);
    assert_in_range(misses(&s), 1, CACHED);
    reads = sim_count(s.k.sim, SIM_BIT(SIM_FILE_READ)) - reads;
    assert_true(reads < CACHED + 2 + s.k.meta.file_bytes / PT_STREAM_SCAN_BYTES + 2);
    assert_true(s.files.ahead_read > s.k.meta.file_bytes / 4);
    clear_scene(&s);
}

TEST(test_first_scan)
{
    for (int back = 0; back < 2; back++) {
        first_scan_passes_the_cache(&aligned, back);
        first_scan_passes_the_cache(&packed, back);
        first_scan_passes_the_cache(&compressed, back);
    }
}

/* A scan of a few blocks is kept like a get. */
TEST(test_short_scan)
{
    scene s;
    size_t rows;
    set_scene(&s, &aligned, 100, PT_STREAM_SCAN_BYTES);
    for (int i = 0; i < 3; i++) {
        assert_ok(walk(&s, PT_FETCH_SCAN, false, 200, &rows));
        assert_in_range(misses(&s), 5, 8);
        assert_int_equal(s.files.ahead_read, 0);
    }
    clear_scene(&s);
}

/* What is in the cache is taken from there, and costs no window: all of it, when gets had put all
 * of it there; a part between what is read ahead. */
TEST(test_what_is_resident)
{
    for (uint32_t every = 1; every < 200; every += 99) {
        scene s;
        set_scene(&s, &aligned, 100, PT_STREAM_SCAN_BYTES);
        for (uint32_t b = 0; b < s.k.meta.block_count; b += every) {
            pt_block_ref ref;
            assert_ok(s.source->fetch(s.source, b, PT_FETCH_POINT, &ref));
            s.source->release(s.source, &ref);
        }
        uint64_t before = misses(&s);
        walk_all(&s, false);
        walk_all(&s, true);
        assert_true(misses(&s) - before <= (every == 1 ? 0 : 2 * CACHED));
        assert_int_equal(s.files.ahead_read == 0, every == 1);
        clear_scene(&s);
    }
}

/* An export reads every block once and keeps none. */
TEST(test_once)
{
    scene s;
    size_t rows;
    set_scene(&s, &packed, 100, PT_STREAM_SCAN_BYTES);
    assert_int_equal(walk(&s, PT_FETCH_ONCE, false, SIZE_MAX, &rows), PEAT_END);
    assert_int_equal(rows, KEYS);
    assert_int_equal(misses(&s), 0);
    clear_scene(&s);
}

TEST(test_no_room_for_a_window)
{
    scene s;
    set_scene(&s, &aligned, 100, PT_STREAM_SCAN_BYTES - 1);
    walk_all(&s, false);
    assert_int_equal(misses(&s), s.k.meta.block_count);
    assert_int_equal(s.files.ahead_read, 0);
    clear_scene(&s);
}

/* The room of one window is not given twice, and comes back. */
TEST(test_two_scans)
{
    scene s;
    pt_iter *it;
    pt_table_iter_options o = {.hint = PT_FETCH_SCAN};
    set_scene(&s, &aligned, 100, PT_STREAM_SCAN_BYTES);
    assert_ok(pt_table_iter_new(s.k.env, s.k.table, s.source, &o, &it));
    peat_rc rc = pt_iter_first(it);
    while (rc == PEAT_OK && s.files.ahead_read == 0)
        rc = pt_iter_next(it);
    assert_ok(rc);
    assert_int_equal(s.files.ahead_bytes, PT_STREAM_SCAN_BYTES);
    uint64_t read = s.files.ahead_read;
    walk_all(&s, true);
    assert_int_equal(s.files.ahead_read, read);
    pt_iter_done(it);
    assert_int_equal(s.files.ahead_bytes, 0);
    clear_scene(&s);
}

/* What is larger than a window is read as it always was. */
TEST(test_large_blocks)
{
    scene s = {0};
    model m = {0};
    size_t size = PT_STREAM_SCAN_BYTES + 1, rows;
    uint8_t *value = calloc(1, size);
    for (uint8_t i = 0; i < 100; i++) {
        uint8_t key[5] = {0, 0, 0, 1, i};
        value[0] = i;
        model_add(&m, pt_slice_of(key, 5), pt_slice_of(value, size), 0, PT_KIND_PUT);
    }
    free(value);
    kit_build(&s.k, &packed, &m);
    s.k.m = m;
    attach(&s, PT_STREAM_SCAN_BYTES);
    assert_int_equal(walk(&s, PT_FETCH_SCAN, false, SIZE_MAX, &rows), PEAT_END);
    assert_int_equal(rows, 100);
    assert_int_equal(walk(&s, PT_FETCH_SCAN, true, SIZE_MAX, &rows), PEAT_END);
    assert_int_equal(rows, 100);
    clear_scene(&s);
}

/* Every row before the damage is right, and the damage is reported, whatever window it was in. */
TEST(test_damage)
{
    scene s;
    size_t rows;
    set_scene(&s, &aligned, 100, PT_STREAM_SCAN_BYTES);
    uint32_t bad = s.k.meta.block_count / 2;
    kit_file(&s.k).data[(size_t)bad * 4096 + 1000] ^= 4;
    assert_int_equal(walk(&s, PT_FETCH_SCAN, false, SIZE_MAX, &rows), PEAT_CORRUPT);
    assert_in_range(rows, KEYS / 2 - KEYS / 20, KEYS / 2 + KEYS / 20);
    char offset[32];
    (void)snprintf(offset, sizeof offset, "%zu", (size_t)bad * 4096);
    assert_non_null(strstr(kit_error(&s.k), offset));
    clear_scene(&s);
}

/* Memory and reads that fail once: the cache is there, unless it is the cache's own read. */
TEST(test_failures)
{
    scene s;
    unsigned ended = 0;
    for (uint64_t at = 0; at < 90; at++) {
        size_t rows;
        for (int io = 0; io < 2; io++) {
            set_scene(&s, &aligned, 100, PT_STREAM_SCAN_BYTES);
            assert_ok(pt_table_load(s.k.table, PT_SECTION_INDEX));
            sim_fail(s.k.sim, .kinds = io ? KIT_FILE_CALLS : SIM_MEMORY, .at = at + 1 + !io,
                     .error = io ? EIO : ENOMEM);
            peat_rc rc = walk(&s, PT_FETCH_SCAN, false, SIZE_MAX, &rows);
            sim_faults_clear(s.k.sim);
            assert_true(rc == PEAT_END || rc == PEAT_IO || rc == PEAT_NOMEM);
            assert_true(rc != PEAT_END || rows == KEYS);
            ended += rc == PEAT_END;
            clear_scene(&s);
        }
    }
    assert_true(ended > 90);
}
