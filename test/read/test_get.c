/* SPDX-License-Identifier: MIT */
/*
 * test_get.c - gets as objects (read/get.h): 64 of them in one thread, each with its own reads,
 * which are supplied in random order, fail, or are given up, while sections and blocks are let go.
 * The answers are those of the blocking call.
 */
#include "api/handle.h"
#include "read/get.h"
#include "world/kit.h"
#include "world/random.h"

#define JOBS 64u
#define KEYS 1500
#define OLD  1000 /* keys that have two versions, the older one seen by a snapshot */

typedef struct job {
    pt_get get;
    pt_read_options options;
    uint8_t key[64];
    size_t key_size;
    int number;
    bool active, failing; /* what it needs will be refused */
} job;

typedef struct world {
    kit *k;
    pt_store *store;
    peat_snapshot *snapshot;
    rng random;
    job jobs[JOBS];
    unsigned found, absent, failed, supplied, waited, given_up, refused, held;
} world;

static void internal_key(job *j, int number)
{
    uint8_t *p = j->key;
    *p++ = 0, *p++ = 0, *p++ = 0, *p++ = PT_KEYSPACE_DEFAULT;
    int n = snprintf((char *)p, sizeof j->key - 4, "key-%06d", number);
    j->number = number;
    j->key_size = 4 + (size_t)n;
}

static void begin(world *w, job *j, int number, bool old)
{
    internal_key(j, number);
    j->options = (pt_read_options){.has_seq = old, .seq = old ? w->snapshot->link.seq : 0};
    j->active = true;
    j->failing = false;
    pt_get_begin(&j->get, w->store, &j->options, pt_slice_of(j->key, j->key_size));
}

static void end(job *j)
{
    pt_get_end(&j->get);
    j->active = false;
}

/* As no part of the store does: what it needs, from the file, by hand. */
static uint8_t *read_wanted(const job *j, size_t *ret_size)
{
    pt_get_wanted wanted;
    pt_get_wanted_of(&j->get, &wanted);
    uint8_t *bytes = malloc(wanted.size);
    assert_non_null(bytes);
    assert_ok(pt_table_read(wanted.table, wanted.offset, bytes, wanted.size, wanted.what));
    *ret_size = wanted.size;
    return bytes;
}

static void supply(world *w, job *j)
{
    size_t size;
    uint8_t *bytes = read_wanted(j, &size);
    w->supplied++;
    if (rng_below(&w->random, 24) == 0) { /* a bit has changed on the way */
        bytes[rng_below(&w->random, size)] ^= 16;
        w->refused++;
        pt_get_supply(&j->get, PEAT_OK, pt_slice_of(bytes, size));
        assert_int_equal(pt_get_step(&j->get), PT_GET_FAILED);
        assert_int_equal(j->get.rc, PEAT_CORRUPT);
    } else if (rng_below(&w->random, 24) == 0) {
        w->refused++;
        pt_get_supply(&j->get, PEAT_IO, (pt_slice){0});
        assert_int_equal(pt_get_step(&j->get), PT_GET_FAILED);
        assert_int_equal(j->get.rc, PEAT_IO);
    } else {
        pt_get_supply(&j->get, PEAT_OK, pt_slice_of(bytes, size));
    }
    free(bytes);
}

/* Whether it has a value, for this one. */
static bool is_there(const job *j)
{
    return j->number < KEYS && (j->options.has_seq || j->number % 7 != 3);
}

static void check_found(const job *j)
{
    char head[32];
    bool old = j->options.has_seq || j->number >= OLD;
    int n = snprintf(head, sizeof head, "%s%d ", old ? "" : "new ", j->number);
    const pt_entry *e = &j->get.entry;
    assert_true(is_there(j));
    assert_true(e->value.size >= (size_t)n);
    assert_memory_equal(e->value.data, head, (size_t)n);
}

/* One step of one of them; true when it has ended. */
static bool step(world *w, job *j)
{
    switch (pt_get_step(&j->get)) {
    case PT_GET_FOUND:
        check_found(j);
        if (j->get.patient && rng_below(&w->random, 4) == 0) { /* once more, later */
            pt_get_hold(&j->get);
            w->held++;
            return false;
        }
        w->found++;
        end(j);
        return true;
    case PT_GET_ABSENT:
        w->absent++;
        assert_false(is_there(j));
        end(j);
        return true;
    case PT_GET_FAILED:
        w->failed++;
        assert_true(j->get.rc == PEAT_IO || j->get.rc == PEAT_CORRUPT);
        end(j);
        return true;
    case PT_GET_WAITS:
        assert_false(j->get.patient);
        w->waited++;
        return false;
    case PT_GET_NEEDS:
        if (rng_below(&w->random, 30) == 0) {
            w->given_up++;
            end(j);
            return true;
        }
        if (rng_below(&w->random, 3) == 0) /* else later, after others */
            supply(w, j);
        return false;
    }
    return false;
}

/* Sections go, as under pressure; blocks go by themselves, the cache is small: it would hold all of
 * them with what others leave to it. */
static void let_go(world *w)
{
    const pt_version_set *v = &w->store->version_set;
    if (v->table_count == 0 || rng_below(&w->random, 40) != 0)
        return;
    pt_table *t = v->tables[rng_below(&w->random, v->table_count)]->table;
    pt_table_unload(t, (pt_section)rng_below(&w->random, PT_SECTION_RANGES));
    pt_cache_limit(w->store->cache, PEAT_MEMORY_BYTES_MIN / 3);
    pt_epoch_collect(&w->store->epoch);
}

static void put_new(kit *k, int i)
{
    char key[32], value[300];
    memset(value, 'n', sizeof value);
    int n = snprintf(value, sizeof value, "new %d ", i);
    value[n] = 'x';
    (void)snprintf(key, sizeof key, "key-%06d", i);
    assert_ok(peat_put(k->db, NULL, peat_str(key), peat_bytes(value, sizeof value)));
}

/* Flushed runs over a settled one, the newest versions in memory, and tombstones. */
static void fill(world *w)
{
    kit *k = w->k;
    put_many(k, KEYS, 100);
    assert_ok(peat_settle(k->db, 60000));
    assert_ok(peat_snapshot_open(k->db, &w->snapshot));
    for (int i = 0; i < OLD; i++)
        put_new(k, i);
    for (int i = 3; i < KEYS; i += 7) {
        char key[32];
        (void)snprintf(key, sizeof key, "key-%06d", i);
        assert_ok(peat_delete(k->db, NULL, peat_str(key)));
    }
    assert_ok(peat_flush(k->db));
    for (int i = 0; i < OLD; i += 50) /* and some are in memory */
        if (i % 7 != 3)
            put_new(k, i);
}

static int world_new(void **state)
{
    world *w = calloc(1, sizeof *w);
    w->random.state = 11;
    *state = w;
    return kit_new((void **)&w->k);
}

/* Close would wait for those that are under way. */
static int world_end(void **state)
{
    world *w = *state;
    for (size_t i = 0; i < JOBS; i++)
        if (w->jobs[i].active)
            end(&w->jobs[i]);
    peat_snapshot_close(w->snapshot);
    int rc = kit_end((void **)&w->k);
    free(w);
    return rc;
}

#define TEST_WORLD(name) TEST_WITH(name, world *w, world_new, world_end)

static void world_open(world *w)
{
    kit *k = w->k;
    make_tiny(k);
    k->options.memory_bytes = PEAT_MEMORY_BYTES_MIN;
    kit_must_open(k);
    w->store = k->db->store;
    fill(w);
}

/* Another open: nothing is resident. */
static void world_reopen(world *w)
{
    peat_snapshot_close(w->snapshot);
    kit_reopen(w->k);
    w->store = w->k->db->store;
    assert_ok(peat_snapshot_open(w->k->db, &w->snapshot));
}

TEST_WORLD(many_in_one_thread_answer_as_the_blocking_call_does)
{
    world_open(w);
    for (int round = 0; round < 60000; round++) {
        job *j = &w->jobs[rng_below(&w->random, JOBS)];
        if (!j->active) {
            begin(w, j, (int)rng_below(&w->random, KEYS + 100), rng_below(&w->random, 3) == 0);
            if (rng_below(&w->random, 2) == 0)
                pt_get_be_patient(&j->get);
        }
        (void)step(w, j);
        let_go(w);
    }
    for (size_t i = 0; i < JOBS; i++)
        if (w->jobs[i].active)
            end(&w->jobs[i]);
    assert_true(w->found > 3000 && w->absent > 500 && w->supplied > 1000);
    assert_true(w->waited > 100 && w->given_up > 50 && w->refused > 50 && w->held > 50);
    assert_true(w->failed >= w->refused);
    /* and the blocking call finds the same, whatever failed before */
    for (int i = 0; i < KEYS; i += 11) {
        char key[32];
        (void)snprintf(key, sizeof key, "key-%06d", i);
        peat_rc rc = peat_get(w->k->db, NULL, peat_str(key), &w->k->buf);
        assert_int_equal(rc, i % 7 == 3 ? PEAT_NOT_FOUND : PEAT_OK);
    }
    assert_int_equal(stats_of(w->k->db).pinned_bytes, 0);
}

static void load_sections(world *w)
{
    const pt_version_set *v = &w->store->version_set;
    for (size_t i = 0; i < v->table_count; i++)
        for (int s = 0; s < PT_SECTION_RANGES; s++)
            if (v->tables[i]->meta->section[s].size != 0)
                assert_ok(pt_table_load(v->tables[i]->table, (pt_section)s));
}

/* All for one block that is in nobody's memory: one leads. */
static void all_ask(world *w, int number)
{
    load_sections(w);
    for (unsigned i = 0; i < JOBS; i++) {
        begin(w, &w->jobs[i], number, true);
        pt_get_state s = pt_get_step(&w->jobs[i].get);
        assert_int_equal(s, i == 0 ? PT_GET_NEEDS : PT_GET_WAITS);
    }
}

static void read_and_supply(job *j)
{
    size_t size;
    uint8_t *bytes = read_wanted(j, &size);
    pt_get_supply(&j->get, PEAT_OK, pt_slice_of(bytes, size));
    free(bytes);
}

TEST_WORLD(one_read_serves_all_who_want_the_block)
{
    world_open(w);
    world_reopen(w);
    all_ask(w, 1201);
    for (unsigned i = 1; i < JOBS; i++)
        assert_int_equal(pt_get_step(&w->jobs[i].get), PT_GET_WAITS);
    read_and_supply(&w->jobs[0]);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(pt_get_step(&w->jobs[i].get), PT_GET_FOUND);
        check_found(&w->jobs[i]);
        end(&w->jobs[i]);
    }
    assert_int_equal(stats_of(w->k->db).pinned_bytes, 0);
}

TEST_WORLD(when_who_leads_gives_up_the_next_one_leads)
{
    world_open(w);
    world_reopen(w);
    all_ask(w, 1300);
    for (unsigned i = 0; i + 2 < JOBS; i++) { /* one after the other */
        end(&w->jobs[i]);
        assert_int_equal(pt_get_step(&w->jobs[i + 1].get), PT_GET_NEEDS);
        assert_int_equal(pt_get_step(&w->jobs[JOBS - 1].get), PT_GET_WAITS);
    }
    pt_get_supply(&w->jobs[JOBS - 2].get, PEAT_IO, (pt_slice){0});
    for (unsigned i = JOBS - 2; i < JOBS; i++) {
        assert_int_equal(pt_get_step(&w->jobs[i].get), PT_GET_FAILED);
        assert_int_equal(w->jobs[i].get.rc, PEAT_IO);
        end(&w->jobs[i]);
    }
    begin(w, &w->jobs[0], 1300, true); /* nothing of all that is left */
    assert_int_equal(pt_get_step(&w->jobs[0].get), PT_GET_NEEDS);
    read_and_supply(&w->jobs[0]);
    assert_int_equal(pt_get_step(&w->jobs[0].get), PT_GET_FOUND);
    end(&w->jobs[0]);
    assert_int_equal(stats_of(w->k->db).pinned_bytes, 0);
}

/* Neither waits for the other, and both have the block afterwards. */
TEST_WORLD(a_patient_get_neither_leads_nor_waits)
{
    job *patient = &w->jobs[0], *other = &w->jobs[1];
    world_open(w);
    for (int patient_first = 0; patient_first < 2; patient_first++) {
        world_reopen(w);
        load_sections(w);
        begin(w, patient, 1201, true);
        pt_get_be_patient(&patient->get);
        assert_int_equal(pt_get_step(&patient->get), PT_GET_NEEDS);
        begin(w, other, 1201, true);
        assert_int_equal(pt_get_step(&other->get), PT_GET_NEEDS);
        read_and_supply(patient_first ? patient : other);
        read_and_supply(patient_first ? other : patient);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(pt_get_step(&w->jobs[i].get), PT_GET_FOUND);
            check_found(&w->jobs[i]);
            assert_true(pt_get_holds_entry(&w->jobs[i].get));
            end(&w->jobs[i]);
        }
        assert_int_equal(stats_of(w->k->db).pinned_bytes, 0);
    }
}
