/* SPDX-License-Identifier: MIT */
/*
 * test_manifest.c - the superblock and the manifest: every flip, every length, every failing call,
 * power cuts at every boundary, and directories that are no store.
 * ctest: timeout=300
 */
#include "base/coding.h"
#include "base/hash.h"
#include "support/doc_hex.h"
#include "support/sim_env.h"
#include "version/manifest.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

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

static size_t edit_encode(uint64_t number, uint8_t ret_bytes[256])
{
    size_t n = 8 + pt_mix(number) % 100;
    pt_put_u64(ret_bytes, number);
    for (size_t i = 8; i < n; i++)
        ret_bytes[i] = (uint8_t)(number + i);
    return n;
}

static peat_rc visit(void *ctx, pt_slice payload)
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

static void store_init(store *s, sim_env *sim)
{
    *s = (store){.sim = sim, .env = sim_peat(sim)};
    pt_sink_init(&s->sink);
    assert_int_equal(s->env->dir_open(s->env->ctx, DIR_NAME, PEAT_ENV_DIR_CREATE, &s->dir), 0);
}

static void store_done(store *s)
{
    pt_manifest_free(s->m);
    s->env->dir_close(s->env->ctx, s->dir);
    pt_sink_done(&s->sink);
    assert_true(sim_is_clean(s->sim));
}

static const char *error_of(store *s)
{
    static peat_error e;
    pt_sink_get(&s->sink, &e);
    return e.message;
}

static peat_rc store_create(store *s)
{
    uint8_t bytes[256];
    size_t n = edit_encode(SNAPSHOT, bytes);
    return pt_manifest_create(s->env, s->dir, &s->sink, STORE_ID, 77, pt_slice_of(bytes, n), &s->m);
}

static peat_rc store_open(store *s)
{
    s->state = 0;
    return pt_manifest_open(s->env, s->dir, &s->sink, visit, s, &s->m);
}

static peat_rc store_begin(store *s)
{
    uint8_t bytes[256];
    size_t n = edit_encode(SNAPSHOT | s->state, bytes);
    return pt_manifest_begin(s->m, pt_slice_of(bytes, n));
}

static peat_rc store_append(store *s)
{
    uint8_t bytes[256];
    size_t n = edit_encode(s->state + 1, bytes);
    peat_rc rc = pt_manifest_append(s->m, pt_slice_of(bytes, n));
    s->state += rc == PEAT_OK;
    return rc;
}

static peat_rc store_rewrite(store *s)
{
    uint8_t bytes[256];
    size_t n = edit_encode(SNAPSHOT | s->state, bytes);
    return pt_manifest_rewrite(s->m, pt_slice_of(bytes, n));
}

static void must(store *s, peat_rc rc)
{
    if (rc != PEAT_OK || s->wrong)
        fail_msg("code %d, state %" PRIu64 "%s: %s; %s", rc, s->state, s->wrong ? ", wrong" : "",
                 error_of(s), sim_story(s->sim));
}

static sim_env *store_of_seed(uint64_t edits, uint64_t seed)
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

static sim_env *store_with(uint64_t edits)
{
    return store_of_seed(edits, sim_seed(1));
}

/* A reader sees `expected`, having written nothing. */
static void expect_state(sim_env *sim, uint64_t expected)
{
    store s;
    store_init(&s, sim);
    uint64_t changes = sim_count(sim, SIM_CHANGES);
    must(&s, store_open(&s));
    assert_int_equal(sim_count(sim, SIM_CHANGES), changes);
    assert_int_equal(s.state, expected);
    store_done(&s);
}

static void edits_come_back_in_order(void **state)
{
    (void)state;
    sim_env *sim = store_with(0);
    uint64_t expected = 0;
    for (uint64_t opens = 2; opens < 12; opens++) {
        store s;
        store_init(&s, sim);
        must(&s, store_open(&s));
        assert_int_equal(s.state, expected);
        must(&s, store_begin(&s));
        assert_int_equal(pt_manifest_superblock(s.m)->open_count, opens);
        assert_int_equal(pt_manifest_superblock(s.m)->store_id, STORE_ID);
        assert_int_equal(pt_manifest_superblock(s.m)->app_id, 77);
        for (uint64_t i = 0; i < opens * 10; i++)
            must(&s, store_append(&s));
        if (opens % 3 == 0)
            must(&s, store_rewrite(&s));
        must(&s, store_append(&s));
        expected = s.state;
        store_done(&s);
        expect_state(sim, expected);
    }
    sim_free(sim);
}

static int count_names(void *arg, const char *name, bool regular_file, uint64_t size)
{
    (void)name;
    (void)regular_file;
    (void)size;
    ++*(unsigned *)arg;
    return 0;
}

static unsigned names_in(sim_env *sim)
{
    unsigned n = 0;
    assert_int_equal(sim_file_list(sim, DIR_NAME, count_names, &n), 0);
    return n;
}

/* After damage: everything, or a code and a text that names the file. */
static void expect_all_or_refused(sim_env *sim, const char *file, uint64_t expected,
                                  const char *what, uint64_t where)
{
    store s;
    store_init(&s, sim);
    peat_rc rc = store_open(&s);
    bool refused = rc == PEAT_CORRUPT || rc == PEAT_NOT_STORE || rc == PEAT_VERSION;
    if (s.wrong || (rc == PEAT_OK && s.state != expected) || (rc != PEAT_OK && !refused) ||
        (refused && strstr(error_of(&s), file) == NULL))
        fail_msg("%s %" PRIu64 " of %s: code %d, state %" PRIu64 ": %s", what, where, file, rc,
                 s.state, error_of(&s));
    if (rc == PEAT_OK && pt_manifest_superblock(s.m)->damaged_slots != 0)
        assert_string_equal(file, "PEAT");
    store_done(&s);
}

static void damage_everywhere(const char *file)
{
    sim_env *sim = store_with(12);
    size_t size = 0;
    uint8_t *data = sim_file_get(sim, DIR_NAME, file, &size);
    assert_non_null(data);
    for (uint64_t bit = 0; bit < 8 * size; bit++) {
        uint8_t mask = (uint8_t)(1u << bit % 8);
        if (bit > 8 * 1200 && bit % 61 != 0 && bit % (8 * 4096) > 8 * 100)
            continue; /* the zeros behind: a sample */
        assert_true(sim_file_flip(sim, DIR_NAME, file, bit / 8, mask));
        expect_all_or_refused(sim, file, 12, "bit", bit);
        assert_true(sim_file_flip(sim, DIR_NAME, file, bit / 8, mask));
    }
    for (size_t n = 0; n < size; n += n < 2000 ? 1 : 101) {
        sim_file_put(sim, DIR_NAME, file, data, n);
        expect_all_or_refused(sim, file, 12, "length", n);
    }
    free(data);
    sim_free(sim);
}

static void damage_to_the_manifest_is_never_silent(void **state)
{
    (void)state;
    damage_everywhere("m-000001");
}

static void damage_to_the_superblock_is_never_silent(void **state)
{
    (void)state;
    damage_everywhere("PEAT");
}

/* Either slot alone is enough, and the next writer mends the other. */
static void one_slot_is_enough(void **state)
{
    (void)state;
    for (uint64_t edits = 0; edits < 4; edits++)
        for (uint64_t slot = 0; slot < 2; slot++) {
            sim_env *sim = store_with(edits);
            for (uint64_t i = 0; i < 4096; i += 8)
                assert_true(sim_file_flip(sim, DIR_NAME, "PEAT", slot * 4096 + i, 0xff));
            expect_state(sim, edits);
            store s;
            store_init(&s, sim);
            must(&s, store_open(&s));
            assert_int_equal(pt_manifest_superblock(s.m)->damaged_slots, 1u << slot);
            must(&s, store_begin(&s));
            assert_int_equal(pt_manifest_superblock(s.m)->damaged_slots, 0);
            assert_int_equal(pt_manifest_superblock(s.m)->open_count, 2);
            must(&s, store_append(&s));
            store_done(&s);
            for (uint64_t i = 0; i < 4096; i += 8)
                assert_true(sim_file_flip(sim, DIR_NAME, "PEAT", (1 - slot) * 4096 + i, 0xff));
            expect_state(sim, edits + 1);
            sim_free(sim);
        }
}

/* An append that was cut at any byte: the store opens, and goes on in a new file. */
static void a_torn_tail_is_cut(void **state)
{
    (void)state;
    sim_env *sim = store_with(3);
    size_t whole_size = 0, peat_size = 0;
    uint8_t *peat = sim_file_get(sim, DIR_NAME, "PEAT", &peat_size);
    store s;
    store_init(&s, sim);
    must(&s, store_open(&s));
    uint64_t end = pt_manifest_superblock(s.m)->manifest_end;
    must(&s, store_begin(&s));
    must(&s, store_append(&s));
    uint64_t next = pt_manifest_superblock(s.m)->manifest_end;
    store_done(&s);
    uint8_t *whole = sim_file_get(sim, DIR_NAME, "m-000001", &whole_size);
    sim_free(sim);

    uint8_t *torn = malloc(whole_size);
    for (uint64_t n = end; n <= next; n++) {
        memcpy(torn, whole, whole_size);
        memset(torn + n, 0, next - n);
        sim_env *again = store_with(0);
        sim_file_put(again, DIR_NAME, "PEAT", peat, peat_size);
        sim_file_put(again, DIR_NAME, "m-000001", torn, whole_size);
        uint64_t expected = memcmp(torn, whole, whole_size) == 0 ? 4 : 3;
        expect_state(again, expected);
        store_init(&s, again);
        must(&s, store_open(&s));
        must(&s, store_begin(&s));
        assert_int_equal(pt_manifest_superblock(s.m)->manifest_number, n == end ? 1 : 2);
        assert_int_equal(names_in(again), 2);
        must(&s, store_append(&s));
        store_done(&s);
        expect_state(again, expected + 1);
        sim_free(again);
    }
    free(torn);
    free(whole);
    free(peat);
}

static void a_grown_manifest_is_rewritten(void **state)
{
    (void)state;
    sim_env *sim = store_with(0);
    store s;
    store_init(&s, sim);
    must(&s, store_open(&s));
    must(&s, store_begin(&s));
    while (!pt_manifest_wants_rewrite(s.m, 1000))
        must(&s, store_append(&s));
    assert_true(pt_manifest_bytes(s.m) >= 64 << 10);
    assert_false(pt_manifest_wants_rewrite(s.m, 1 << 20));
    must(&s, store_rewrite(&s));
    assert_true(pt_manifest_bytes(s.m) <= 32 << 10);
    assert_int_equal(names_in(sim), 2);
    must(&s, store_append(&s));
    uint64_t expected = s.state;
    assert_true(pt_manifest_written_bytes(s.m) > expected * 4096);
    store_done(&s);
    expect_state(sim, expected);
    sim_free(sim);
}

/* --- power cuts --- */

typedef struct life {
    uint64_t acknowledged; /* edits */
    bool created;
    uint64_t lives;
    int depth;
} life;

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b);

/* Opens or creates, appends, rewrites. */
static void live(life *l, sim_env *sim, const life *before)
{
    store s;
    store_init(&s, sim);
    if (before == NULL || !before->created)
        sim_hook_set(sim, cut_here, l);
    peat_rc rc = store_open(&s);
    if (rc == PEAT_NOT_STORE && (before == NULL || !before->created)) {
        must(&s, store_create(&s));
    } else {
        must(&s, rc);
        if (before != NULL &&
            (s.state < before->acknowledged || s.state > before->acknowledged + 1))
            fail_msg("state %" PRIu64 ", acknowledged %" PRIu64 "; %s", s.state,
                     before->acknowledged, sim_story(sim));
    }
    l->acknowledged = s.state;
    l->created = l->created || (before != NULL && before->created);
    sim_hook_set(sim, cut_here, l);
    must(&s, store_begin(&s));
    l->created = true;
    for (int i = 0; i < 6; i++) {
        must(&s, store_append(&s));
        l->acknowledged = s.state;
        if (i == 3)
            must(&s, store_rewrite(&s));
    }
    sim_hook_set(sim, NULL, NULL);
    store_done(&s);
}

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    life *l = arg;
    static const sim_cut_mode modes[] = {SIM_CUT_RANDOM, SIM_CUT_RANDOM, SIM_CUT_LOST, SIM_CUT_KEPT,
                                         SIM_CUT_PREFIX};
    if (l->depth >= 2)
        return;
    /* in the second life one kind of cut per boundary, all kinds in turn */
    size_t first = l->depth == 0 ? 0 : b->index % PT_COUNT_OF(modes);
    size_t count = l->depth == 0 ? PT_COUNT_OF(modes) : 1;
    for (size_t i = first; i < first + count; i++) {
        sim_cut cut = {
            .mode = modes[i], .seed = b->index * 31 + i, .sector_bytes = i % 2 ? 4096 : 512};
        sim_env *after = sim_clone_cut(sim, &cut);
        life next = {.depth = l->depth + 1};
        life before = *l;
        live(&next, after, &before);
        expect_state(after, next.acknowledged);
        l->lives += 1 + next.lives;
        sim_free(after);
    }
}

static void acknowledged_edits_survive_power_cuts_at_every_boundary(void **state)
{
    (void)state;
    life l = {0};
    sim_env *sim = sim_new(sim_seed(1));
    live(&l, sim, NULL);
    expect_state(sim, l.acknowledged);
    print_message("%" PRIu64 " lives\n", l.lives);
    assert_true(l.lives > 1000);
    sim_free(sim);
}

static void garbage_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        sim_cut cut = {.mode = SIM_CUT_GARBAGE,
                       .seed = b->index * 31 + seed,
                       .sector_bytes = seed % 2 ? 4096 : 512};
        sim_env *after = sim_clone_cut(sim, &cut);
        expect_state(after, *(uint64_t *)arg);
        sim_free(after);
    }
}

/* On a disk whose sectors may hold anything after a cut, one slot at a time is at risk. */
static void the_superblock_survives_garbage_in_the_sector_being_written(void **state)
{
    (void)state;
    uint64_t expected = 3;
    sim_env *sim = store_with(expected);
    store s;
    for (int i = 0; i < 4; i++) {
        store_init(&s, sim);
        must(&s, store_open(&s));
        sim_hook_set(sim, garbage_here, &expected);
        must(&s, store_begin(&s));
        must(&s, store_rewrite(&s));
        sim_hook_set(sim, NULL, NULL);
        store_done(&s);
    }
    sim_free(sim);
}

/* A record whose checksum holds and whose place in the chain does not. */
static void a_record_of_another_history_is_not_taken(void **state)
{
    (void)state;
    sim_env *sim = store_with(2);
    size_t size = 0;
    uint8_t *data = sim_file_get(sim, DIR_NAME, "m-000001", &size);
    uint8_t bytes[256];
    pt_bytes record;
    store s;
    store_init(&s, sim);
    must(&s, store_open(&s));
    const pt_superblock *sb = pt_manifest_superblock(s.m);
    for (uint64_t wrong = 0; wrong < 2; wrong++) {
        pt_manifest_place place = {.file_id = pt_get_u64(data),
                                   .chain = sb->manifest_chain ^ wrong,
                                   .end = sb->manifest_end};
        pt_bytes_init(&record, s.env);
        must(&s,
             pt_manifest_record_encode(pt_slice_of(bytes, edit_encode(3, bytes)), &record, &place));
        memcpy(data + sb->manifest_end, record.data, record.size);
        sim_file_put(sim, DIR_NAME, "m-000001", data, size);
        store other;
        store_init(&other, sim);
        must(&other, store_open(&other));
        assert_int_equal(other.state, wrong ? 2 : 3);
        pt_manifest_free(other.m);
        other.env->dir_close(other.env->ctx, other.dir);
        pt_sink_done(&other.sink);
        pt_bytes_done(&record);
    }
    store_done(&s);
    free(data);
    sim_free(sim);
}

/* --- failing calls --- */

static void a_failed_append_fences(void **state)
{
    (void)state;
    static const char *const files[] = {"m-", "PEAT"};
    static const sim_kind kinds[] = {SIM_FILE_WRITE, SIM_FILE_SYNC};
    for (unsigned i = 0; i < 4; i++) {
        sim_env *sim = store_with(2);
        store s;
        store_init(&s, sim);
        must(&s, store_open(&s));
        must(&s, store_begin(&s));
        sim_fault_add(sim, (sim_fault){.kinds = SIM_BIT(kinds[i / 2]),
                                       .at = 1,
                                       .error = EIO,
                                       .name_prefix = files[i % 2]});
        assert_int_equal(store_append(&s), PEAT_IO);
        assert_int_equal(pt_sink_fenced(&s.sink), PEAT_IO);
        uint64_t changes = sim_count(sim, SIM_CHANGES);
        assert_int_equal(store_append(&s), PEAT_IO);
        assert_int_equal(store_rewrite(&s), PEAT_IO);
        assert_int_equal(sim_count(sim, SIM_CHANGES), changes);
        store_done(&s);
        sim_free(sim);
    }
}

static peat_rc some_work(store *s, uint64_t *io_acknowledged)
{
    peat_rc rc = store_open(s);
    if (rc == PEAT_OK)
        rc = store_begin(s);
    for (int i = 0; i < 5 && rc == PEAT_OK; i++) {
        rc = store_append(s);
        *io_acknowledged = s->state;
        if (i == 2 && rc == PEAT_OK)
            rc = store_rewrite(s);
    }
    return rc;
}

/* What failed may be there or not after reopening, but it stays as it is then. */
static void each_call_may_fail(void **state)
{
    (void)state;
    static const int errors[] = {EIO, ENOSPC};
    for (size_t e = 0; e < PT_COUNT_OF(errors); e++) {
        bool hit = true;
        for (uint64_t at = 1; hit; at++) {
            sim_env *sim = store_with(2);
            store s;
            uint64_t acknowledged = 2;
            store_init(&s, sim);
            unsigned fault =
                sim_fault_add(sim, (sim_fault){.kinds = SIM_ANY, .at = at, .error = errors[e]});
            peat_rc rc = some_work(&s, &acknowledged);
            hit = sim_fault_hits(sim, fault) > 0;
            assert_true(rc == PEAT_OK || hit);
            sim_faults_clear(sim);
            if (pt_sink_fenced(&s.sink) != PEAT_OK)
                assert_int_equal(store_append(&s), pt_sink_fenced(&s.sink));
            sim_env *after = sim_clone_killed(sim);
            store_done(&s);

            store_init(&s, after);
            must(&s, store_open(&s));
            assert_true(s.state == acknowledged || s.state == acknowledged + 1);
            uint64_t found = s.state;
            must(&s, store_begin(&s));
            sim_env *cut = sim_clone_cut(after, &(sim_cut){.mode = SIM_CUT_LOST});
            store_done(&s);
            expect_state(cut, found);
            sim_free(cut);
            sim_free(after);
            sim_free(sim);
        }
    }
}

static void a_failed_create_leaves_nothing(void **state)
{
    (void)state;
    bool hit = true;
    for (uint64_t at = 1; hit; at++) {
        store s;
        store_init(&s, sim_new(1));
        unsigned fault =
            sim_fault_add(s.sim, (sim_fault){.kinds = SIM_ANY, .at = at, .error = ENOSPC});
        peat_rc rc = store_create(&s);
        hit = sim_fault_hits(s.sim, fault) > 0;
        sim_faults_clear(s.sim);
        if (rc != PEAT_OK) {
            assert_null(s.m);
            assert_int_equal(names_in(s.sim), 0);
        }
        sim_env *sim = s.sim;
        store_done(&s);
        sim_free(sim);
    }
}

static void a_full_disk_refuses_and_resumes(void **state)
{
    (void)state;
    sim_env *sim = store_with(0);
    store s;
    store_init(&s, sim);
    must(&s, store_open(&s));
    must(&s, store_begin(&s));
    sim_limit_disk(sim, sim_disk_bytes(sim) + 1000);
    peat_rc rc = PEAT_OK;
    while (rc == PEAT_OK)
        rc = store_append(&s);
    assert_int_equal(rc, PEAT_FULL);
    assert_int_equal(store_rewrite(&s), PEAT_FULL);
    assert_int_equal(pt_sink_fenced(&s.sink), PEAT_OK);
    assert_int_equal(names_in(sim), 2);
    sim_limit_disk(sim, 0);
    must(&s, store_append(&s));
    must(&s, store_rewrite(&s));
    must(&s, store_append(&s));
    uint64_t expected = s.state;
    store_done(&s);
    expect_state(sim, expected);
    sim_free(sim);
}

static void no_allocation_call_is_no_obstacle(void **state)
{
    (void)state;
    store s;
    store_init(&s, sim_new(1));
    sim_fault_add(s.sim, (sim_fault){.kinds = SIM_BIT(SIM_FILE_ALLOCATE),
                                     .at = 1,
                                     .error = EOPNOTSUPP,
                                     .sticky = true});
    must(&s, store_create(&s));
    pt_manifest_free(s.m);
    s.m = NULL;
    must(&s, store_open(&s));
    must(&s, store_begin(&s));
    for (int i = 0; i < 600; i++)
        must(&s, store_append(&s));
    sim_env *sim = s.sim;
    sim_faults_clear(sim);
    store_done(&s);
    expect_state(sim, 600);
    sim_free(sim);
}

/* --- not a store --- */

typedef struct stranger {
    const char *what;
    const char *name;
    const char *data; /* NULL: a link of that name */
    size_t size;
    peat_rc open_rc, create_rc;
    const char *text;
} stranger;

static void directories_that_are_no_store_are_named_and_left_alone(void **state)
{
    (void)state;
    static const char zeros[8192];
    const stranger strangers[] = {
        {"empty", "LOCK", "1", 1, PEAT_NOT_STORE, PEAT_OK, "PEAT is not here"},
        {"dot file", ".hidden", "1", 1, PEAT_NOT_STORE, PEAT_OK, "PEAT is not here"},
        {"foreign", "letter.txt", "dear", 4, PEAT_NOT_STORE, PEAT_NOT_STORE, "letter.txt"},
        {"almost ours", "m-1", "dear", 4, PEAT_NOT_STORE, PEAT_NOT_STORE, "m-1"},
        {"text", "PEAT", "peat bog\n", 9, PEAT_NOT_STORE, PEAT_EXISTS, "another program"},
        {"no contents", "PEAT", "", 0, PEAT_NOT_STORE, PEAT_OK, "never written"},
        {"zeros", "PEAT", zeros, 8192, PEAT_NOT_STORE, PEAT_OK, "never written"},
        {"a link", "PEAT", NULL, 0, PEAT_NOT_STORE, PEAT_NOT_STORE, "not a regular file"},
        {"lost", "t-000007", "1", 1, PEAT_CORRUPT, PEAT_EXISTS, "t-000007"},
        {"lost log", "w-000001", "1", 1, PEAT_CORRUPT, PEAT_EXISTS, "w-000001"},
        {"half made", "m-000001", "1", 1, PEAT_NOT_STORE, PEAT_OK, "PEAT is not here"},
    };
    for (size_t i = 0; i < PT_COUNT_OF(strangers); i++) {
        const stranger *t = &strangers[i];
        store s;
        store_init(&s, sim_new(1));
        if (t->data != NULL)
            sim_file_put(s.sim, DIR_NAME, t->name, t->data, t->size);
        else
            sim_plant_link(s.sim, DIR_NAME, t->name);
        peat_rc rc = store_open(&s);
        if (rc != t->open_rc || strstr(error_of(&s), t->text) == NULL)
            fail_msg("%s: open %d: %s", t->what, rc, error_of(&s));
        uint64_t removed = sim_count(s.sim, SIM_BIT(SIM_DIR_REMOVE));
        rc = store_create(&s);
        if (rc != t->create_rc)
            fail_msg("%s: create %d: %s", t->what, rc, error_of(&s));
        if (rc != PEAT_OK)
            assert_int_equal(sim_count(s.sim, SIM_BIT(SIM_DIR_REMOVE)), removed);
        sim_env *sim = s.sim;
        store_done(&s);
        sim_free(sim);
    }
}

static void a_store_is_not_created_over_another(void **state)
{
    (void)state;
    sim_env *sim = store_with(2);
    store s;
    store_init(&s, sim);
    assert_int_equal(store_create(&s), PEAT_EXISTS);
    store_done(&s);
    expect_state(sim, 2);
    assert_true(sim_file_delete(sim, DIR_NAME, "m-000001"));
    store_init(&s, sim);
    assert_int_equal(store_open(&s), PEAT_CORRUPT);
    assert_non_null(strstr(error_of(&s), "m-000001"));
    assert_int_equal(store_create(&s), PEAT_EXISTS);
    store_done(&s);
    sim_free(sim);
}

static void a_newer_format_is_refused_by_its_number(void **state)
{
    (void)state;
    sim_env *sim = store_with(1);
    uint8_t file[PT_SUPERBLOCK_FILE_BYTES];
    pt_superblock sb = {.store_id = STORE_ID, .format_version = PT_FORMAT_VERSION + 1};
    for (sb.generation = 100; sb.generation < 102; sb.generation++)
        pt_superblock_encode(&sb, file + sb.generation % 2 * PT_SUPERBLOCK_SLOT_BYTES);
    sim_file_put(sim, DIR_NAME, "PEAT", file, sizeof file);
    store s;
    store_init(&s, sim);
    assert_int_equal(store_open(&s), PEAT_VERSION);
    assert_non_null(strstr(error_of(&s), "format 2"));
    store_done(&s);
    sim_free(sim);
}

/* A manifest of an earlier time, or of another store, under the right name. */
static void a_swapped_manifest_is_refused(void **state)
{
    (void)state;
    sim_env *sim = store_of_seed(3, 1), *other = store_of_seed(9, 2);
    size_t size = 0;
    uint8_t *data = sim_file_get(other, DIR_NAME, "m-000001", &size);
    sim_file_put(sim, DIR_NAME, "m-000001", data, size);
    store s;
    store_init(&s, sim);
    assert_int_equal(store_open(&s), PEAT_CORRUPT);
    assert_non_null(strstr(error_of(&s), "m-000001 @"));
    store_done(&s);
    free(data);
    sim_free(sim);
    sim_free(other);
}

static void the_worked_example_of_the_document_is_true(void **state)
{
    (void)state;
    static const char doc[] = "src/version/manifest_format.md";
    store s;
    store_init(&s, sim_new(1));
    pt_env env = *s.env;
    env.random = doc_hex_random;
    must(&s, pt_manifest_create(&env, s.dir, &s.sink, 0x0807060504030201ULL, 0x54524150,
                                pt_slice_of("one", 3), &s.m));
    must(&s, pt_manifest_append(s.m, pt_slice_of("edit two", 8)));
    size_t size = 0;
    uint8_t *data = sim_file_get(s.sim, DIR_NAME, "PEAT", &size);
    assert_int_equal(doc_hex_compare(doc, "  ", data, size), 10);
    free(data);
    data = sim_file_get(s.sim, DIR_NAME, "m-000001", &size);
    assert_int_equal(doc_hex_compare(doc, ": ", data, size), 7);
    free(data);
    sim_env *sim = s.sim;
    store_done(&s);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edits_come_back_in_order),
        cmocka_unit_test(damage_to_the_manifest_is_never_silent),
        cmocka_unit_test(damage_to_the_superblock_is_never_silent),
        cmocka_unit_test(one_slot_is_enough),
        cmocka_unit_test(a_torn_tail_is_cut),
        cmocka_unit_test(a_grown_manifest_is_rewritten),
        cmocka_unit_test(acknowledged_edits_survive_power_cuts_at_every_boundary),
        cmocka_unit_test(the_superblock_survives_garbage_in_the_sector_being_written),
        cmocka_unit_test(a_record_of_another_history_is_not_taken),
        cmocka_unit_test(a_failed_append_fences),
        cmocka_unit_test(each_call_may_fail),
        cmocka_unit_test(a_failed_create_leaves_nothing),
        cmocka_unit_test(a_full_disk_refuses_and_resumes),
        cmocka_unit_test(no_allocation_call_is_no_obstacle),
        cmocka_unit_test(directories_that_are_no_store_are_named_and_left_alone),
        cmocka_unit_test(a_store_is_not_created_over_another),
        cmocka_unit_test(a_newer_format_is_refused_by_its_number),
        cmocka_unit_test(a_swapped_manifest_is_refused),
        cmocka_unit_test(the_worked_example_of_the_document_is_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
