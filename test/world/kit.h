/* SPDX-License-Identifier: MIT */
/*
 * kit.h - a store on a simulated disk for each test, without threads, so that a test is the
 * same each time; and short words for what tests say. Included by one .c file of a program.
 */
#ifndef TEST_WORLD_KIT_H
#define TEST_WORLD_KIT_H

#include "world/sim.h"

typedef struct kit {
    sim_env *sim;
    peat_host host;
    peat_test_options test;
    peat_options options;
    peat_error error;
    peat_db *db;
    peat_buf buf;
} kit;

/* Of the kit's own from now on; nothing is opened. */
static inline void kit_begin(kit *k, sim_env *sim)
{
    *k = (kit){.sim = sim};
    k->host = (peat_host){.size = sizeof k->host, .env = sim_peat(k->sim)};
    k->test = (peat_test_options){.size = sizeof k->test};
    k->options = (peat_options){.size = sizeof k->options, .threads = PEAT_THREADS_NONE};
}

static inline peat_rc kit_open(kit *k)
{
    k->options.host = &k->host;
    k->options.test = &k->test;
    return peat_open("store", &k->options, &k->db, &k->error);
}

static inline void kit_must_open(kit *k)
{
    peat_rc rc = kit_open(k);
    if (rc != PEAT_OK)
        fail_msg("peat_open: %s, %s; %s", peat_rc_name(rc), k->error.message, sim_story(k->sim));
    assert_ok(k->error.rc);
    assert_string_equal(k->error.message, "");
}

static inline void kit_close(kit *k)
{
    peat_db *db = k->db;
    k->db = NULL;
    assert_ok(peat_close(db));
}

static inline void kit_reopen(kit *k)
{
    kit_close(k);
    kit_must_open(k);
}

/* The process dies: what is unsynced is there all the same. The store is not open any more. */
static inline void kit_kill(kit *k)
{
    sim_env *after = sim_clone_killed(k->sim);
    peat_buf_free(&k->buf);
    kit_close(k);
    sim_end(k->sim);
    k->sim = after;
    k->host.env = sim_peat(after);
}

static inline void kit_done(kit *k)
{
    peat_buf_free(&k->buf);
    kit_close(k);
    sim_end(k->sim);
}

/* A simulated disk, nothing on it. */
static inline int kit_new(void **state)
{
    kit *k = malloc(sizeof *k);
    kit_begin(k, sim_new(sim_seed(5)));
    *state = k;
    return 0;
}

/* The same with an open store. */
static inline int kit_new_open(void **state)
{
    (void)kit_new(state);
    return kit_open(*state) == PEAT_OK ? 0 : -1;
}

static inline int kit_end(void **state)
{
    kit_done(*state);
    free(*state);
    return 0;
}

/* Of what is mapped, that which is there twice: memory that writing and sections of tables take is
 * mapped by the cache as well, to which it is lent while they do not need it (state/budget.h). */
#define KIT_LENT(budget) ((budget) / 16 * 6)

#define TEST_NEW(name)  TEST_WITH(name, kit *k, kit_new, kit_end)
#define TEST_OPEN(name) TEST_WITH(name, kit *k, kit_new_open, kit_end)

static inline void put(kit *k, const char *key, const char *value)
{
    assert_ok(peat_put(k->db, NULL, peat_str(key), peat_str(value)));
}

static const peat_write_options synced = {.size = sizeof synced, .sync = true};

static inline void expect_bytes(const void *data, size_t size, const char *expected)
{
    assert_int_equal(size, strlen(expected));
    if (size != 0)
        assert_memory_equal(data, expected, size);
}

static inline void expect_get(kit *k, const char *key, const char *expected)
{
    peat_rc rc = peat_get(k->db, NULL, peat_str(key), &k->buf);
    if (rc != PEAT_OK)
        fail_msg("%s: %s", key, peat_rc_name(rc));
    expect_bytes(k->buf.data, k->buf.size, expected);
}

static inline void expect_absent(kit *k, const char *key)
{
    assert_int_equal(peat_get(k->db, NULL, peat_str(key), &k->buf), PEAT_NOT_FOUND);
}

static inline const char *numbered(int i, char text[32])
{
    (void)snprintf(text, 32, "key-%06d", i);
    return text;
}

/* Until the thread asks for the next. */
static inline peat_slice nth_key(int i)
{
    static _Thread_local char text[32];
    return peat_str(numbered(i, text));
}

/* key-000000 to key-(n-1), value is the number and `filler` more bytes. */
static inline void put_many(kit *k, int n, size_t filler)
{
    char *value = malloc(filler + 32);
    for (int i = 0; i < n; i++) {
        int head = snprintf(value, 32, "%d ", i);
        for (size_t b = 0; b < filler; b++)
            value[(size_t)head + b] = (char)('a' + (b * 7 + (size_t)i) % 26);
        assert_ok(peat_put(k->db, NULL, nth_key(i), peat_bytes(value, (size_t)head + filler)));
    }
    free(value);
}

static inline int count_all(peat_db *db)
{
    peat_iter *it = NULL;
    int n = 0;
    assert_ok(peat_iter_open(db, NULL, &it));
    peat_rc rc;
    while ((rc = peat_iter_next(it)) == PEAT_OK)
        n++;
    assert_int_equal(rc, PEAT_END);
    peat_iter_close(it);
    return n;
}

static inline peat_statistics stats_of(peat_db *db)
{
    peat_statistics stats = {.size = sizeof stats};
    assert_ok(peat_stats(db, &stats));
    return stats;
}

/* Small sizes: a few hundred entries make tables, slices and partitions. */
static inline void make_tiny(kit *k)
{
    k->test.memtable_bytes = 16 << 10;
    k->test.block_bytes = 1 << 10;
    k->test.partition_bytes = 64 << 10;
    k->test.table_bytes = 16 << 10;
    k->test.segment_bytes = 16 << 10;
}

static inline void reopen_tiny(kit *k, peat_compression compression)
{
    make_tiny(k);
    k->options.compression = compression;
    kit_reopen(k);
}

#endif
