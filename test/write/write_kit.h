/* SPDX-License-Identifier: MIT */
/*
 * write_kit.h - a store on a simulated disk that is written to through pt_write_commit, so that a
 * commit may bring a function that refuses it and a store its taps. Commit `id` writes the keys
 * id.0, id.1 and so on; what an id has written is told by looking. Included by one .c file of a
 * program.
 */
#ifndef TEST_WRITE_WRITE_KIT_H
#define TEST_WRITE_WRITE_KIT_H

#include "api/handle.h"
#include "api/settings.h"
#include "db/db.h"
#include "state/switch.h"
#include "support/sim_env.h"
#include "world/sanitizer.h"
#include "world/test.h"
#include "write/write.h"

#define KIT_KEYS_MAX 64u

typedef struct write_kit {
    sim_env *sim;
    bool no_log;
    int threads; /* as in peat_options; 0: none */
    uint32_t sync_interval_ms;
    pt_taps taps;
    struct peat_db db; /* for reading; store NULL: not open */
} write_kit;

typedef peat_rc (*validate_fn)(void *ctx, uint64_t taken_seq, uint64_t first_seq);

/* What a commit writes. */
typedef struct write_shape {
    const char *name;
    uint32_t keys, value_bytes;
    bool deletes; /* every second one */
} write_shape;

static const write_shape shapes[] = {
    {"put", 1, 40, false},
    {"batch", 20, 30, true},
    /* more than a quarter of the smallest memtable: it gets one of its own */
    {"large", 40, 600, true},
    /* beyond what the log copies, in several segments */
    {"huge", 60, 2000, false},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

static inline peat_rc kit_try_open(write_kit *k)
{
    peat_host host = {.size = sizeof host, .env = sim_peat(k->sim)};
    peat_test_options tiny = {
        .size = sizeof tiny, .memtable_bytes = 64 << 10, .segment_bytes = 16 << 10};
    peat_options options = {.size = sizeof options,
                            .memory_bytes = PEAT_MEMORY_BYTES_MIN,
                            .threads = k->threads != 0 ? k->threads : PEAT_THREADS_NONE,
                            .sync_interval_ms = k->sync_interval_ms,
                            .no_log = k->no_log,
                            .host = &host,
                            .test = &tiny};
    pt_settings settings;
    const pt_env *env;
    const char *why;
    peat_error error;
    pt_store *store = NULL;
    assert_int_equal(pt_settings_resolve(&options, &settings, &env, &why), PEAT_OK);
    settings.taps = k->taps;
    peat_rc rc = pt_db_open("store", env, &settings, &store, &error);
    if (rc == PEAT_OK)
        k->db = (struct peat_db){.store = store, .keyspace = PT_KEYSPACE_DEFAULT};
    return rc;
}

static inline void kit_must_open(write_kit *k)
{
    peat_rc rc = kit_try_open(k);
    if (rc != PEAT_OK)
        fail_msg("open: %s (%s)", peat_rc_name(rc), sim_story(k->sim));
}

static inline void kit_open(write_kit *k)
{
    k->sim = sim_new(sim_seed(7));
    if (k->sync_interval_ms == 0)
        k->sync_interval_ms = 1000000;
    kit_must_open(k);
}

static inline peat_rc kit_close(write_kit *k)
{
    peat_rc rc = k->db.store != NULL ? pt_db_close(k->db.store) : PEAT_OK;
    k->db.store = NULL;
    return rc;
}

static inline void kit_end(write_kit *k)
{
    assert_int_equal(kit_close(k), PEAT_OK);
    assert_true(sim_is_clean(k->sim));
    sim_free(k->sim);
}

static inline peat_slice kit_key(uint32_t id, uint32_t i, char text[24])
{
    int n = snprintf(text, 24, "%08u.%02u", (unsigned)id, (unsigned)i);
    return peat_bytes(text, (size_t)n);
}

/* The id, and bytes that follow from the key. */
static inline peat_slice kit_value(uint32_t id, uint32_t i, uint32_t size, uint8_t *ret_bytes)
{
    for (uint32_t b = 0; b < size; b++)
        ret_bytes[b] = (uint8_t)(id * 31 + i * 7 + b);
    return peat_bytes(ret_bytes, size);
}

/* The id of an operation's internal key. */
static inline uint32_t kit_id_of(pt_slice internal_key)
{
    char text[9] = "";
    assert_true(internal_key.size == PT_KEYSPACE_BYTES + 11);
    memcpy(text, internal_key.data + PT_KEYSPACE_BYTES, 8);
    return (uint32_t)strtoul(text, NULL, 10);
}

/* Batches are the caller's memory: no fault of the sim strikes it. */
static inline void kit_batch_init(pt_batch *b, const write_shape *shape, uint32_t id)
{
    static _Thread_local uint8_t bytes[4096];
    char text[24];
    pt_batch_init(b, peat_env_default());
    for (uint32_t i = 0; i < shape->keys; i++) {
        peat_slice key = kit_key(id, i, text);
        peat_slice value = kit_value(id, i, shape->value_bytes, bytes);
        pt_slice k = pt_slice_of(key.data, key.size);
        peat_rc rc =
            shape->deletes && i % 2 != 0
                ? pt_batch_delete(b, PT_KEYSPACE_DEFAULT, k)
                : pt_batch_put(b, PT_KEYSPACE_DEFAULT, k, pt_slice_of(value.data, value.size));
        assert_int_equal(rc, PEAT_OK);
    }
}

static inline peat_rc kit_commit(write_kit *k, const write_shape *shape, uint32_t id, bool sync,
                                 validate_fn validate, void *validate_ctx)
{
    pt_batch b;
    kit_batch_init(&b, shape, id);
    pt_write_request c = {.payload = pt_bytes_slice(&b.bytes),
                          .count = b.count,
                          .deletes = b.deletes,
                          .key_bytes = b.key_bytes,
                          .value_bytes = b.value_bytes,
                          .sync = sync,
                          .batch = b.count != 1,
                          .validate_fn = validate,
                          .validate_ctx = validate_ctx};
    bool open = pt_store_call_begin(k->db.store);
    assert_true(open);
    peat_rc rc = pt_write_commit(k->db.store, &c);
    pt_store_call_end(k->db.store);
    pt_batch_done(&b);
    return rc;
}

static inline void kit_must_commit(write_kit *k, const write_shape *shape, uint32_t id, bool sync)
{
    peat_rc rc = kit_commit(k, shape, id, sync, NULL, NULL);
    if (rc != PEAT_OK)
        fail_msg("commit %u, %s: %s", (unsigned)id, shape->name, peat_rc_name(rc));
}

/* A part of a commit was seen: whether it is so still, for gets and for an iterator, tells a wrong
 * state from a wrong look. */
static inline void kit_tell_part(struct peat_db *db, const write_shape *shape, uint32_t id,
                                 const char *where, peat_rc rc)
{
    char text[24], line[2][KIT_KEYS_MAX + 1] = {{0}};
    peat_statistics stats = {.size = sizeof stats};
    peat_iter *it = NULL;
    (void)!peat_iter_open(db, NULL, &it);
    for (uint32_t i = 0; i < shape->keys; i++) {
        peat_slice key = kit_key(id, i, text);
        line[0][i] = peat_exists(db, NULL, key) == PEAT_OK ? '+' : '-';
        peat_rc there = it != NULL ? peat_iter_seek(it, key) : PEAT_NOMEM;
        peat_slice at = there == PEAT_OK ? peat_iter_key(it) : peat_bytes(NULL, 0);
        line[1][i] = at.size == key.size && memcmp(at.data, key.data, at.size) == 0 ? '+' : '-';
    }
    peat_iter_close(it);
    (void)!peat_stats(db, &stats);
    fail_msg("%s, a part of a commit: %s; again %s, by an iterator %s; %" PRIu64 " tables, %" PRIu64
             " slices, %" PRIu64 " blocks read",
             where, peat_rc_name(rc), line[0], line[1], stats.tables, stats.slices,
             stats.cache_misses);
}

/* All of a commit's keys are there, or none: which? A part fails the test. */
static inline bool kit_is_there(struct peat_db *db, const write_shape *shape, uint32_t id)
{
    static _Thread_local uint8_t bytes[4096];
    char text[24];
    peat_buf buf = PEAT_BUF_INIT;
    bool first = false;
    for (uint32_t i = 0; i < shape->keys; i++) {
        if (shape->deletes && i % 2 != 0)
            continue;
        peat_rc rc = peat_get(db, NULL, kit_key(id, i, text), &buf);
        if (i == 0)
            first = rc == PEAT_OK;
        if (rc != (first ? PEAT_OK : PEAT_NOT_FOUND))
            kit_tell_part(db, shape, id, text, rc);
        peat_slice expected = kit_value(id, i, shape->value_bytes, bytes);
        if (rc == PEAT_OK &&
            (buf.size != expected.size || memcmp(buf.data, expected.data, expected.size) != 0))
            fail_msg("%s has another value", text);
    }
    peat_buf_free(&buf);
    return first;
}

/* Opens what a clone of the disk holds, shows it, and frees the clone. */
typedef void (*kit_look_fn)(void *ctx, struct peat_db *db);
static inline void kit_look_at(const write_kit *k, sim_env *clone, kit_look_fn look, void *ctx)
{
    write_kit after = {.sim = clone, .no_log = k->no_log, .sync_interval_ms = 1000000};
    kit_must_open(&after);
    look(ctx, &after.db);
    kit_end(&after);
}

#endif
