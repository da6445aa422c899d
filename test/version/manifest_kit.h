/* SPDX-License-Identifier: MIT */
/*
 * manifest_kit.h - a store in the simulated environment that is nothing but its manifest.
 */
#ifndef PT_TEST_VERSION_MANIFEST_KIT_H
#define PT_TEST_VERSION_MANIFEST_KIT_H

#include "base/coding.h"
#include "base/hash.h"
#include "support/sim_env.h"
#include "version/manifest.h"
#include "world/test.h"

#define DIR_NAME "db"
#define STORE_ID 0xfeedULL

/* A store whose state is one number: how many edits there were. An edit is that number and bytes
 * that follow from it; a snapshot is the number alone, marked. */
typedef struct store {
    sim_env *sim;
    const pt_env *env;
    pt_dir *dir;
    pt_sink sink;
    pt_manifest *m;
    uint64_t state;
    bool wrong;
} store;

#define SNAPSHOT 0x8000000000000000ULL

static inline size_t edit_encode(uint64_t number, uint8_t ret_bytes[256])
{
    size_t n = 8 + pt_mix(number) % 100;
    pt_put_u64(ret_bytes, number);
    for (size_t i = 8; i < n; i++)
        ret_bytes[i] = (uint8_t)(number + i);
    return n;
}

static inline peat_rc visit(void *ctx, pt_slice payload)
{
    store *s = ctx;
    uint8_t expected[256];
    uint64_t number = payload.size >= 8 ? pt_get_u64(payload.data) : 0;
    size_t n = edit_encode(number, expected);
    if (payload.size != n || memcmp(payload.data, expected, n) != 0 ||
        ((number & SNAPSHOT) == 0 && number != s->state + 1))
        s->wrong = true;
    s->state = number & ~SNAPSHOT;
    return PEAT_OK;
}

static inline void store_init(store *s, sim_env *sim)
{
    *s = (store){.sim = sim, .env = sim_peat(sim)};
    pt_sink_init(&s->sink);
    assert_int_equal(s->env->dir_open(s->env->ctx, DIR_NAME, PEAT_ENV_DIR_CREATE, &s->dir), 0);
}

static inline void store_done(store *s)
{
    pt_manifest_free(s->m);
    s->env->dir_close(s->env->ctx, s->dir);
    pt_sink_done(&s->sink);
    assert_true(sim_is_clean(s->sim));
}

static inline const char *error_of(store *s)
{
    static peat_error e;
    pt_sink_get(&s->sink, &e);
    return e.message;
}

static inline peat_rc store_create(store *s)
{
    uint8_t bytes[256];
    size_t n = edit_encode(SNAPSHOT, bytes);
    return pt_manifest_create(s->env, s->dir, &s->sink, STORE_ID, 77, pt_slice_of(bytes, n), &s->m);
}

static inline peat_rc store_open(store *s)
{
    s->state = 0;
    return pt_manifest_open(s->env, s->dir, &s->sink, visit, s, &s->m);
}

static inline peat_rc store_begin(store *s)
{
    uint8_t bytes[256];
    size_t n = edit_encode(SNAPSHOT | s->state, bytes);
    return pt_manifest_begin(s->m, pt_slice_of(bytes, n));
}

static inline peat_rc store_append(store *s)
{
    uint8_t bytes[256];
    size_t n = edit_encode(s->state + 1, bytes);
    peat_rc rc = pt_manifest_append(s->m, pt_slice_of(bytes, n));
    s->state += rc == PEAT_OK;
    return rc;
}

static inline peat_rc store_rewrite(store *s)
{
    uint8_t bytes[256];
    size_t n = edit_encode(SNAPSHOT | s->state, bytes);
    return pt_manifest_rewrite(s->m, pt_slice_of(bytes, n));
}

static inline void must(store *s, peat_rc rc)
{
    if (rc != PEAT_OK || s->wrong)
        fail_msg("code %d, state %" PRIu64 "%s: %s; %s", rc, s->state, s->wrong ? ", wrong" : "",
                 error_of(s), sim_story(s->sim));
}

/* What is there is opened to be written. */
static inline void store_start(store *s, sim_env *sim)
{
    store_init(s, sim);
    must(s, store_open(s));
    must(s, store_begin(s));
}

/* With the disk. */
static inline void store_gone(store *s)
{
    store_done(s);
    sim_free(s->sim);
}

static inline sim_env *store_of_seed(uint64_t edits, uint64_t seed)
{
    store s;
    store_init(&s, sim_new(seed));
    must(&s, store_create(&s));
    for (uint64_t i = 0; i < edits; i++)
        must(&s, store_append(&s));
    sim_env *sim = s.sim;
    store_done(&s);
    return sim;
}

static inline sim_env *store_with(uint64_t edits)
{
    return store_of_seed(edits, sim_seed(1));
}

/* A reader sees `expected`, having written nothing. */
static inline void expect_state(sim_env *sim, uint64_t expected)
{
    store s;
    store_init(&s, sim);
    uint64_t changes = sim_count(sim, SIM_CHANGES);
    must(&s, store_open(&s));
    assert_int_equal(sim_count(sim, SIM_CHANGES), changes);
    assert_int_equal(s.state, expected);
    store_done(&s);
}

static inline int count_names(void *arg, const char *name, bool regular_file, uint64_t size)
{
    (void)name;
    (void)regular_file;
    (void)size;
    ++*(unsigned *)arg;
    return 0;
}

static inline unsigned names_in(sim_env *sim)
{
    unsigned n = 0;
    assert_int_equal(sim_file_list(sim, DIR_NAME, count_names, &n), 0);
    return n;
}

#endif
