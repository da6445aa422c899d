/* SPDX-License-Identifier: MIT */
/*
 * test_multi_get.c - many keys in one call answer as a loop of gets does: over every kind of layer,
 * at snapshots, with every kind of key, whatever of it is in memory.
 * ctest: timeout=240 label=single
 */
#include "api/handle.h"
#include "world/kit.h"
#include "world/random.h"

enum { KEYS = 1400, ABSENT = 200, CALL_MAX = 5000 };

typedef enum answer_kind { COPIED, PINNED, THERE, KINDS } answer_kind;

typedef struct world {
    kit *k;
    peat_snapshot *snapshots[3];
    rng random;
    char text[CALL_MAX][32];
    peat_slice keys[CALL_MAX];
    peat_buf values[CALL_MAX];
    peat_pinned pins[CALL_MAX];
    peat_rc rcs[CALL_MAX];
} world;

static int world_new(void **state)
{
    world *w = calloc(1, sizeof *w);
    w->random.state = 21;
    *state = w;
    return kit_new((void **)&w->k);
}

static void close_snapshots(world *w)
{
    for (size_t i = 0; i < 3; i++) {
        peat_snapshot_close(w->snapshots[i]);
        w->snapshots[i] = NULL;
    }
}

static int world_end(void **state)
{
    world *w = *state;
    close_snapshots(w);
    for (size_t i = 0; i < CALL_MAX; i++)
        peat_buf_free(&w->values[i]);
    int rc = kit_end((void **)&w->k);
    free(w);
    return rc;
}

#define TEST_WORLD(name) TEST_WITH(name, world *w, world_new, world_end)

/* ---- the store ---- */

static void put_sized(kit *k, int i, const char *head, size_t size)
{
    char *value = malloc(size + 32);
    int n = snprintf(value, 32, "%s %d ", head, i);
    memset(value + n, 'a' + i % 26, size);
    assert_ok(peat_put(k->db, NULL, nth_key(i), peat_bytes(value, (size_t)n + size)));
    free(value);
}

/* Some are empty, some larger than any block, the most are small. */
static size_t size_of(int i, int round)
{
    if (i % 97 == 5)
        return 40000 + (size_t)(i + round);
    if (i % 31 == 7)
        return 3000;
    return (size_t)(60 + i % 50 + round);
}

static void put_round(kit *k, int from, int step, int round)
{
    char head[16], key[32];
    (void)snprintf(head, sizeof head, "r%d", round);
    for (int i = from; i < KEYS; i += step) {
        if ((i + round) % 17 == 3)
            assert_ok(peat_delete(k->db, NULL, nth_key(i)));
        else if (i % 41 == 11)
            put(k, numbered(i, key), "");
        else
            put_sized(k, i, head, size_of(i, round));
    }
}

/* A bottommost run in several partitions, runs over it, immutable memtables and the active one,
 * with older versions that snapshots see. */
static void fill(world *w)
{
    kit *k = w->k;
    put_round(k, 0, 1, 0);
    assert_ok(peat_settle(k->db, 60000));
    assert_ok(peat_snapshot_open(k->db, &w->snapshots[0]));
    put_round(k, 0, 3, 1);
    assert_ok(peat_flush(k->db));
    assert_ok(peat_snapshot_open(k->db, &w->snapshots[1]));
    put_round(k, 1, 5, 2);
    assert_ok(peat_flush(k->db));
    put_round(k, 2, 7, 3);
    assert_ok(peat_snapshot_open(k->db, &w->snapshots[2]));
    put_round(k, 3, 29, 4);
    put_round(k, 3, 29, 5);
}

static void world_open(world *w, peat_compression compression, size_t memory)
{
    kit *k = w->k;
    make_tiny(k);
    k->options.compression = compression;
    k->options.memory_bytes = memory;
    kit_must_open(k);
    fill(w);
}

/* ---- a call, and the loop that it stands for ---- */

static void choose_keys(world *w, size_t n)
{
    bool sorted = rng_below(&w->random, 3) == 0;
    uint64_t span = rng_below(&w->random, 2) == 0 ? KEYS + ABSENT : 40;
    uint64_t from = rng_below(&w->random, KEYS + ABSENT - span + 1);
    for (size_t i = 0; i < n; i++) {
        int number = (int)(from + (sorted ? i * span / n : rng_below(&w->random, span)));
        w->keys[i] = peat_str(numbered(number, w->text[i]));
        if (rng_below(&w->random, 40) == 0)
            w->keys[i].size -= 1 + rng_below(&w->random, w->keys[i].size); /* and other ones */
    }
}

static void call(world *w, const peat_read_options *o, size_t n, answer_kind kind)
{
    peat_db *db = w->k->db;
    for (size_t i = 0; i < n; i++)
        w->rcs[i] = PEAT_TIMEOUT; /* none of its answers */
    if (kind == PINNED)
        assert_ok(peat_multi_get_pinned(db, o, n, w->keys, w->pins, w->rcs));
    else
        assert_ok(peat_multi_get(db, o, n, w->keys, kind == COPIED ? w->values : NULL, w->rcs));
}

static void expect_as_get(world *w, const peat_read_options *o, size_t i, answer_kind kind)
{
    peat_rc rc = peat_get(w->k->db, o, w->keys[i], &w->k->buf);
    if (w->rcs[i] != rc)
        fail_msg("key %zu, %.*s: a get says %s, the multi-get %s", i, (int)w->keys[i].size,
                 (const char *)w->keys[i].data, peat_rc_name(rc), peat_rc_name(w->rcs[i]));
    if (rc != PEAT_OK || kind == THERE)
        return;
    const void *data = kind == PINNED ? w->pins[i].data : w->values[i].data;
    size_t size = kind == PINNED ? w->pins[i].size : w->values[i].size;
    assert_int_equal(size, w->k->buf.size);
    if (size != 0)
        assert_memory_equal(data, w->k->buf.data, size);
}

static void expect_get_ok(world *w, int number)
{
    assert_ok(peat_get(w->k->db, NULL, nth_key(number), &w->k->buf));
}

static void unpin_all(world *w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        peat_unpin(&w->pins[i]);
}

static void expect_call(world *w, const peat_read_options *o, size_t n, answer_kind kind)
{
    choose_keys(w, n);
    call(w, o, n, kind);
    for (size_t i = 0; i < n; i++)
        expect_as_get(w, o, i, kind);
    unpin_all(w, n);
}

/* Sections go, as under pressure; blocks go by themselves where memory is small. */
static void let_go(world *w)
{
    pt_store *s = w->k->db->store;
    const pt_version_set *v = &s->version_set;
    for (size_t i = 0; i < v->table_count; i++)
        if (rng_below(&w->random, 4) == 0)
            pt_table_unload(v->tables[i]->table, (pt_section)rng_below(&w->random, 3));
    pt_epoch_collect(&s->epoch);
}

static void expect_many(world *w, int calls)
{
    static const size_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 64, 100, 127, 128, 129, 400};
    for (int i = 0; i < calls; i++) {
        peat_read_options o = {.size = sizeof o, .no_cache_fill = i % 7 == 3};
        if (i % 3 != 0)
            o.snapshot = w->snapshots[i / 3 % 3];
        size_t n = i % 50 == 49 ? CALL_MAX : sizes[(size_t)i % (sizeof sizes / sizeof sizes[0])];
        if (i % 5 == 0)
            let_go(w);
        expect_call(w, &o, n, (answer_kind)((unsigned)i / 2 % KINDS));
        assert_int_equal(stats_of(w->k->db).pinned_bytes, 0);
    }
}

TEST_WORLD(as_a_loop_of_gets_where_all_is_in_memory)
{
    world_open(w, PEAT_COMPRESSION_NONE, 0);
    expect_many(w, 200);
}

TEST_WORLD(as_a_loop_of_gets_where_little_is_in_memory)
{
    world_open(w, PEAT_COMPRESSION_NONE, PEAT_MEMORY_BYTES_MIN);
    expect_many(w, 200);
}

TEST_WORLD(as_a_loop_of_gets_over_compressed_blocks)
{
    world_open(w, PEAT_COMPRESSION_LZ4, PEAT_MEMORY_BYTES_MIN);
    expect_many(w, 200);
}

/* Nothing is resident after an open. */
TEST_WORLD(as_a_loop_of_gets_right_after_an_open)
{
    world_open(w, PEAT_COMPRESSION_NONE, (size_t)8 << 20);
    for (int i = 0; i < 12; i++) {
        close_snapshots(w);
        kit_reopen(w->k);
        expect_call(w, NULL, i % 2 == 0 ? 100 : 1000, (answer_kind)(i % KINDS));
    }
}

TEST_WORLD(settled_and_empty_stores)
{
    make_tiny(w->k);
    kit_must_open(w->k);
    expect_call(w, NULL, 20, COPIED); /* there is nothing */
    put_round(w->k, 0, 1, 0);
    assert_ok(peat_settle(w->k->db, 60000));
    for (int i = 0; i < KINDS; i++)
        expect_call(w, NULL, 700, (answer_kind)i);
}

/* ---- what it reads ---- */

/* A block that many keys need is read once, and blocks that lie side by side with one call. */
TEST_WORLD(neighbours_are_read_together)
{
    make_tiny(w->k);
    w->k->options.compression = PEAT_COMPRESSION_NONE;
    kit_must_open(w->k);
    put_many(w->k, KEYS, 100);
    assert_ok(peat_settle(w->k->db, 60000));
    kit_reopen(w->k);
    for (int i = 0; i < KEYS; i++)
        w->keys[i] = peat_str(numbered(i, w->text[i]));
    peat_statistics before = stats_of(w->k->db);
    uint64_t reads = sim_count(w->k->sim, SIM_BIT(SIM_FILE_READ));
    call(w, NULL, KEYS, COPIED);
    for (int i = 0; i < KEYS; i++)
        assert_ok(w->rcs[i]);
    peat_statistics after = stats_of(w->k->db);
    reads = sim_count(w->k->sim, SIM_BIT(SIM_FILE_READ)) - reads;
    assert_int_equal(after.gets - before.gets, KEYS);
    assert_int_equal(after.gets_found - before.gets_found, KEYS);
    assert_true(after.cache_misses - before.cache_misses < KEYS / 4);
    assert_true(reads < (after.cache_misses - before.cache_misses) * 4 / 5 + 3 * after.tables);
}

/* ---- arguments ---- */

TEST_WORLD(arguments_are_looked_at_before_anything_is_done)
{
    static char large[PEAT_KEY_SIZE_MAX + 1];
    kit_must_open(w->k);
    peat_db *db = w->k->db;
    put(w->k, "a", "1");
    w->keys[0] = peat_str("a");
    w->keys[1] = peat_bytes(large, sizeof large);
    w->rcs[0] = PEAT_TIMEOUT;
    assert_int_equal(peat_multi_get(NULL, NULL, 1, w->keys, w->values, w->rcs), PEAT_INVALID);
    assert_int_equal(peat_multi_get(db, NULL, 1, NULL, w->values, w->rcs), PEAT_INVALID);
    assert_int_equal(peat_multi_get(db, NULL, 1, w->keys, w->values, NULL), PEAT_INVALID);
    assert_int_equal(peat_multi_get_pinned(db, NULL, 1, w->keys, NULL, w->rcs), PEAT_INVALID);
    assert_int_equal(peat_multi_get(db, NULL, 2, w->keys, w->values, w->rcs), PEAT_TOO_BIG);
    w->keys[1] = peat_str(NULL);
    assert_int_equal(peat_multi_get(db, NULL, 2, w->keys, w->values, w->rcs), PEAT_INVALID);
    assert_int_equal(w->rcs[0], PEAT_TIMEOUT);
    assert_null(w->values[0].data);
    assert_ok(peat_multi_get(db, NULL, 0, NULL, NULL, NULL));
    assert_ok(peat_multi_get_pinned(db, NULL, 0, NULL, NULL, NULL));
    w->keys[1] = peat_bytes(large, PEAT_KEY_SIZE_MAX); /* the largest, and the empty one */
    w->keys[2] = peat_bytes(NULL, 0);
    assert_ok(peat_put(db, NULL, w->keys[1], peat_str("2")));
    assert_ok(peat_put(db, NULL, w->keys[2], peat_str("3")));
    for (int i = 0; i < 2; i++) {
        call(w, NULL, 3, COPIED);
        for (int j = 0; j < 3; j++)
            assert_ok(w->rcs[j]);
        expect_bytes(w->values[0].data, w->values[0].size, "1");
        expect_bytes(w->values[1].data, w->values[1].size, "2");
        expect_bytes(w->values[2].data, w->values[2].size, "3");
        assert_ok(peat_flush(db));
        kit_reopen(w->k);
        db = w->k->db;
    }
}

TEST_WORLD(a_pin_in_use_is_refused_and_values_of_absent_keys_stay)
{
    kit_must_open(w->k);
    put(w->k, "a", "1");
    w->keys[0] = peat_str("a");
    w->keys[1] = peat_str("b");
    assert_ok(peat_get(w->k->db, NULL, peat_str("a"), &w->values[1]));
    call(w, NULL, 2, COPIED);
    assert_ok(w->rcs[0]);
    assert_int_equal(w->rcs[1], PEAT_NOT_FOUND);
    expect_bytes(w->values[1].data, w->values[1].size, "1");
    call(w, NULL, 1, PINNED);
    peat_rc rc = peat_multi_get_pinned(w->k->db, NULL, 2, w->keys, w->pins, w->rcs);
    assert_int_equal(rc, PEAT_INVALID);
    expect_bytes(w->pins[0].data, w->pins[0].size, "1");
    unpin_all(w, 2);
}

/* Pinned bytes stay what they were, whatever becomes of store, block and key. */
TEST_WORLD(pins_outlive_what_they_were_read_from)
{
    world_open(w, PEAT_COMPRESSION_NONE, PEAT_MEMORY_BYTES_MIN);
    for (int i = 0; i < 60; i++)
        w->keys[i] = peat_str(numbered(i * 20, w->text[i]));
    call(w, NULL, 60, COPIED);
    call(w, NULL, 60, PINNED);
    put_round(w->k, 0, 1, 6);
    assert_ok(peat_settle(w->k->db, 60000));
    close_snapshots(w);
    kit_reopen(w->k);
    for (int i = 0; i < 60; i++) {
        if (w->rcs[i] != PEAT_OK)
            continue;
        assert_int_equal(w->pins[i].size, w->values[i].size);
        if (w->pins[i].size != 0)
            assert_memory_equal(w->pins[i].data, w->values[i].data, w->pins[i].size);
    }
    unpin_all(w, 60);
}

/* ---- failing calls ---- */

enum { FEW = 60 };

/* One call with a fault in it: who failed says so, and the others are answered right. */
static unsigned try_with_fault(world *w, sim_fault f, answer_kind kind)
{
    unsigned failed = 0;
    kit_reopen(w->k); /* nothing is in memory */
    for (size_t i = 0; i < FEW; i++)
        peat_buf_free(&w->values[i]);
    unsigned fault = sim_fault_add(w->k->sim, f);
    for (size_t i = 0; i < FEW; i++)
        w->rcs[i] = PEAT_TIMEOUT;
    peat_rc rc = kind == PINNED
                     ? peat_multi_get_pinned(w->k->db, NULL, FEW, w->keys, w->pins, w->rcs)
                     : peat_multi_get(w->k->db, NULL, FEW, w->keys,
                                      kind == COPIED ? w->values : NULL, w->rcs);
    bool hit = sim_fault_hits(w->k->sim, fault) != 0;
    sim_faults_clear(w->k->sim);
    if (rc != PEAT_OK)
        assert_int_equal(rc, PEAT_NOMEM);
    for (size_t i = 0; i < FEW; i++) {
        assert_true((rc == PEAT_OK) == (w->rcs[i] != PEAT_TIMEOUT));
        if (w->rcs[i] < 0) {
            peat_error error;
            failed++;
            assert_int_equal(w->rcs[i], f.kinds & SIM_MEMORY ? PEAT_NOMEM : PEAT_IO);
            assert_int_equal(peat_call_error(w->k->db, &error), w->rcs[i]);
        } else if (rc == PEAT_OK) {
            expect_as_get(w, NULL, i, kind);
        }
    }
    unpin_all(w, FEW);
    assert_int_equal(stats_of(w->k->db).pinned_bytes, 0);
    return hit ? 1 + failed : 0;
}

static unsigned sweep(world *w, uint32_t kinds, answer_kind kind)
{
    unsigned hits = 0, failed = 0;
    for (uint64_t at = 1;; at++) {
        unsigned n = try_with_fault(w, (sim_fault){.kinds = kinds, .at = at, .error = EIO}, kind);
        if (n == 0)
            break;
        hits++;
        failed += n - 1;
    }
    assert_true(hits > 5);
    return failed;
}

static void open_for_faults(world *w)
{
    make_tiny(w->k);
    w->k->options.memory_bytes = (size_t)8 << 20;
    kit_must_open(w->k);
    put_round(w->k, 0, 1, 0);
    assert_ok(peat_settle(w->k->db, 60000));
    put_round(w->k, 0, 3, 1);
    assert_ok(peat_flush(w->k->db));
    for (int i = 0; i < FEW; i++)
        w->keys[i] = peat_str(numbered(i * 7 % 300, w->text[i]));
}

TEST_WORLD(a_read_that_fails_fails_whose_bytes_it_had)
{
    open_for_faults(w);
    for (int i = 0; i < KINDS; i++)
        assert_true(sweep(w, SIM_BIT(SIM_FILE_READ), (answer_kind)i) > 0);
}

/* Each block is tried by itself then, and what was wrong may be so no longer. */
TEST_WORLD(a_failed_read_of_neighbours_fails_nobody_by_itself)
{
    make_tiny(w->k);
    w->k->test.table_bytes = w->k->test.partition_bytes = 1 << 20;
    w->k->test.memtable_bytes = 1 << 20; /* one flush, one table */
    w->k->options.compression = PEAT_COMPRESSION_NONE;
    kit_must_open(w->k);
    put_many(w->k, KEYS, 100);
    assert_ok(peat_settle(w->k->db, 60000));
    kit_reopen(w->k);
    expect_get_ok(w, 5); /* the file is open, and all but blocks is loaded */
    for (int i = 0; i < 200; i++)
        w->keys[i] = peat_str(numbered(700 + i, w->text[i]));
    unsigned fault = sim_fault_add(
        w->k->sim, (sim_fault){.kinds = SIM_BIT(SIM_FILE_READ), .at = 1, .error = EIO});
    call(w, NULL, 200, COPIED);
    assert_int_equal(sim_fault_hits(w->k->sim, fault), 1);
    sim_faults_clear(w->k->sim);
    for (size_t i = 0; i < 200; i++)
        expect_as_get(w, NULL, i, COPIED);
}

TEST_WORLD(memory_that_fails_fails_who_needs_it)
{
    open_for_faults(w);
    for (int i = 0; i < KINDS; i++)
        (void)sweep(w, SIM_BIT(SIM_ALLOC) | SIM_BIT(SIM_RESIZE), (answer_kind)i);
}

/* With one descriptor to read with, it goes round. */
TEST_WORLD(few_descriptors_do)
{
    world_open(w, PEAT_COMPRESSION_NONE, PEAT_MEMORY_BYTES_MIN);
    sim_limit_files(w->k->sim, 4);
    expect_many(w, 16);
    sim_limit_files(w->k->sim, 0);
}
