/* SPDX-License-Identifier: MIT */
/*
 * test_validate.c - a commit that is refused before it is logged leaves no trace: not for readers,
 * in sequences, figures, memory or the log, not when calls fail around it and not after a cut. And
 * what the function is told is enough to validate a transaction. ctest: timeout=300
 */
#include "write/write_kit.h"
#include "support/result_codes.h"

#include <sched.h>

#define FEW   (&shapes[0])
#define WRONG 0x80000000u /* ids from here on are those of commits that are refused */

/* --- the function --- */

typedef struct asked {
    peat_rc answer;
    uint64_t taken, first;
    unsigned times;
} asked;

static peat_rc answer(void *ctx, uint64_t taken_seq, uint64_t first_seq)
{
    asked *a = ctx;
    a->taken = taken_seq;
    a->first = first_seq;
    a->times++;
    return a->answer;
}

/* --- what there is --- */

typedef struct trace {
    uint64_t seq_next, seq_published, log_position, log_bytes, disk_calls, image;
    size_t memtable_used, immutables;
    const pt_mem *active;
    peat_statistics stats;
} trace;

static trace look(write_kit *k)
{
    pt_store *s = k->db.store;
    trace t;
    memset(&t, 0, sizeof t);
    t.seq_next = s->seq_next;
    t.seq_published = atomic_load(&s->published.seq);
    if (s->log != NULL) {
        pt_log_stats l;
        pt_log_get_stats(s->log, &l);
        t.log_position = pt_log_position(s->log);
        t.log_bytes = l.record_bytes + l.written_bytes;
    }
    t.disk_calls = sim_count(k->sim, SIM_DISK);
    t.image = sim_image_hash(k->sim);
    t.memtable_used = pt_memtable_get_stats(s->active->table).used_bytes;
    t.active = s->active;
    pt_view *v = pt_store_view(s);
    t.immutables = v->immutable_count;
    pt_view_unref(v);
    t.stats.size = sizeof t.stats;
    assert_int_equal(peat_stats(&k->db, &t.stats), PEAT_OK);
    return t;
}

static void expect_same(const trace *a, const trace *b, const char *what)
{
    if (memcmp(a, b, sizeof *a) == 0)
        return;
    fail_msg("%s: sequences %llu, %llu to %llu, %llu; log at %llu, %llu to %llu, %llu; calls %llu "
             "to %llu; memtable %zu to %zu, waiting %zu to %zu; or the figures differ",
             what, (unsigned long long)a->seq_next, (unsigned long long)a->seq_published,
             (unsigned long long)b->seq_next, (unsigned long long)b->seq_published,
             (unsigned long long)a->log_position, (unsigned long long)a->log_bytes,
             (unsigned long long)b->log_position, (unsigned long long)b->log_bytes,
             (unsigned long long)a->disk_calls, (unsigned long long)b->disk_calls, a->memtable_used,
             b->memtable_used, a->immutables, b->immutables);
}

/* Every shape: refused with this code, and what was there is all there is. */
static void refuse_all(write_kit *k, bool sync, peat_rc code)
{
    for (size_t i = 0; i < SHAPES; i++) {
        asked a = {.answer = code};
        trace before = look(k);
        assert_int_equal(kit_commit(k, &shapes[i], WRONG, sync, answer, &a), code);
        trace after = look(k);
        expect_same(&before, &after, shapes[i].name);
        assert_int_equal(a.times, 1);
        assert_int_equal(a.taken, before.seq_next - 1);
        assert_int_equal(a.first, before.seq_next);
        assert_false(kit_is_there(&k->db, &shapes[i], WRONG));
    }
}

static void nothing_wrong(void *ctx, struct peat_db *db)
{
    const uint32_t *count = ctx;
    for (size_t i = 0; i < SHAPES; i++)
        assert_false(kit_is_there(db, &shapes[i], WRONG));
    for (uint32_t id = 1; id <= *count; id++)
        assert_true(kit_is_there(db, FEW, id));
}

TEST(what_is_refused_leaves_no_trace)
{
    for (unsigned way = 0; way < 4; way++) {
        write_kit k = {.no_log = way & 1};
        bool sync = way & 2;
        uint32_t count = 0;
        kit_open(&k);
        refuse_all(&k, sync, PEAT_CANCELLED); /* into nothing */
        while (count < 200) {
            kit_must_commit(&k, FEW, ++count, false);
            if (count % 50 == 0)
                refuse_all(&k, sync, count % 100 == 0 ? PEAT_CANCELLED : PEAT_INVALID);
        }
        uint32_t none = 0;
        kit_look_at(&k, sim_clone_killed(k.sim), nothing_wrong, k.no_log ? &none : &count);
        kit_look_at(&k, sim_clone_cut(k.sim, &(sim_cut){.mode = SIM_CUT_KEPT}), nothing_wrong,
                    k.no_log ? &none : &count);
        asked good = {.answer = PEAT_OK};
        uint64_t next = k.db.store->seq_next;
        assert_int_equal(kit_commit(&k, FEW, ++count, sync, answer, &good), PEAT_OK);
        assert_int_equal(good.first, next); /* as if nobody had been refused */
        nothing_wrong(&count, &k.db);
        kit_end(&k);
    }
}

/* Where room is given back, one may be refused for ever. */
TEST(refusals_take_no_room)
{
    write_kit k = {0};
    asked a = {.answer = PEAT_CANCELLED};
    kit_open(&k);
    kit_must_commit(&k, FEW, 1, false);
    trace before = look(&k);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(kit_commit(&k, &shapes[i % 2], WRONG, false, answer, &a), PEAT_CANCELLED);
    trace after = look(&k);
    expect_same(&before, &after, "5000 refusals");
    kit_end(&k);
}

/* As little as what the log has no room for. */
TEST(a_full_disk_takes_no_room_either)
{
    write_kit k = {0};
    kit_open(&k);
    kit_must_commit(&k, FEW, 1, false);
    const write_shape *large = &shapes[3];
    size_t used = pt_memtable_get_stats(k.db.store->active->table).used_bytes;
    (void)sim_fault_add(k.sim, (sim_fault){.kinds = SIM_BIT(SIM_FILE_CREATE),
                                           .at = 1,
                                           .error = ENOSPC,
                                           .sticky = true,
                                           .name_prefix = "w-"});
    uint32_t id = 1;
    peat_rc rc = PEAT_OK;
    while (rc == PEAT_OK)
        rc = kit_commit(&k, &shapes[1], ++id, false, NULL, NULL);
    assert_int_equal(rc, PEAT_FULL);
    used = pt_memtable_get_stats(k.db.store->active->table).used_bytes;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(kit_commit(&k, &shapes[1], WRONG, false, NULL, NULL), PEAT_FULL);
        assert_int_equal(kit_commit(&k, large, WRONG, false, NULL, NULL), PEAT_FULL);
    }
    assert_int_equal(pt_memtable_get_stats(k.db.store->active->table).used_bytes, used);
    assert_false(kit_is_there(&k.db, &shapes[1], WRONG) || kit_is_there(&k.db, large, WRONG));
    sim_faults_clear(k.sim);
    kit_must_commit(&k, &shapes[1], id, false);
    kit_end(&k);
}

/* Not asked, because nothing can be written anyway. */
TEST(nobody_is_asked_for_what_cannot_be_written)
{
    write_kit k = {0};
    asked a = {.answer = PEAT_CANCELLED};
    kit_open(&k);
    kit_must_commit(&k, FEW, 1, true);
    (void)sim_fault_add(k.sim, (sim_fault){.kinds = SIM_BIT(SIM_FILE_SYNC), .at = 1, .error = EIO});
    assert_int_equal(kit_commit(&k, FEW, 2, true, NULL, NULL), PEAT_IO);
    sim_faults_clear(k.sim);
    for (size_t i = 0; i < SHAPES; i++)
        assert_int_equal(kit_commit(&k, &shapes[i], WRONG, false, answer, &a), PEAT_IO);
    assert_int_equal(a.times, 0);
    assert_int_equal(kit_close(&k), PEAT_IO);
    kit_end(&k);
}

/* --- failing calls and cuts --- */

#define STORY_COMMITS 48

/* Commits of all shapes by turns, every third refused, some with sync. What was acknowledged is
 * kept; a store that stopped writing is opened again. */
typedef struct story {
    write_kit k;
    bool acked[STORY_COMMITS];
    uint32_t begun, durable; /* commits */
    unsigned refused;
} story;

static const write_shape *shape_of(uint32_t id)
{
    return &shapes[id * 7 % 11 % SHAPES];
}

static bool is_wrong(uint32_t id)
{
    return id % 3 == 2;
}

/* While calls fail: whatever a get returns, it is no value. */
static void expect_nothing(story *t, uint32_t id)
{
    char text[24];
    peat_buf buf = PEAT_BUF_INIT;
    for (uint32_t i = 0; i < shape_of(id)->keys; i++)
        if (peat_get(&t->k.db, NULL, kit_key(id, i, text), &buf) == PEAT_OK)
            fail_msg("%s was refused and is there", text);
    peat_buf_free(&buf);
}

static void step(story *t, uint32_t id)
{
    asked a = {.answer = is_wrong(id) ? PEAT_CANCELLED : PEAT_OK};
    bool sync = id % 5 == 0;
    t->begun = id + 1;
    peat_rc rc = kit_commit(&t->k, shape_of(id), id, sync, answer, &a);
    t->acked[id] = rc == PEAT_OK;
    if (is_wrong(id))
        assert_true(rc < 0 && (a.times != 0) == (rc == PEAT_CANCELLED));
    else
        assert_true(rc != PEAT_CANCELLED);
    t->refused += rc == PEAT_CANCELLED;
    if (rc == PEAT_OK && sync)
        t->durable = id + 1;
    if (is_wrong(id))
        expect_nothing(t, id);
}

static void run(story *t)
{
    for (uint32_t id = 0; id < STORY_COMMITS && t->k.db.store != NULL; id++)
        step(t, id);
}

typedef struct expectation {
    const story *t;
    bool killed; /* all that was acknowledged is there; else what was durable */
} expectation;

/* Nothing of what was refused; what was acknowledged; no hole behind it. */
static void judge(void *ctx, struct peat_db *db)
{
    const expectation *e = ctx;
    const story *t = e->t;
    bool hole = false;
    for (uint32_t id = 0; id < STORY_COMMITS; id++) {
        bool there = kit_is_there(db, shape_of(id), id);
        if (there && (is_wrong(id) || id >= t->begun))
            fail_msg("commit %u is there and should not", (unsigned)id);
        if (is_wrong(id) || !t->acked[id])
            continue;
        if (!there && (e->killed || id < t->durable))
            fail_msg("commit %u is lost", (unsigned)id);
        if (there && hole)
            fail_msg("commit %u is there, and one before it is not", (unsigned)id);
        hole = hole || !there;
    }
}

TEST(no_failing_call_shows_what_was_refused)
{
    TEST_NOT_FOR_THREADS();
    result_codes_expect(ENOSPC);
    static const sim_fault faults[] = {
        {.kinds = SIM_DISK, .error = EIO},
        {.kinds = SIM_DISK, .error = EIO, .sticky = true},
        {.kinds = SIM_DISK, .error = ENOSPC, .keep = SIM_KEEP_NONE},
        {.kinds = SIM_DISK, .error = ENOSPC, .keep = SIM_KEEP_NONE, .sticky = true},
        {.kinds = SIM_MEMORY, .error = ENOMEM},
        {.kinds = SIM_MEMORY, .error = ENOMEM, .sticky = true},
    };
    unsigned points = 0, refused = 0;
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        uint64_t hits = 1;
        for (uint64_t at = 1; hits != 0; at += 1 + at / TEST_SAMPLE(8, 4, 8)) {
            story t = {0};
            kit_open(&t.k);
            sim_fault fault = faults[f];
            fault.at = at;
            unsigned number = sim_fault_add(t.k.sim, fault);
            run(&t);
            hits = sim_fault_hits(t.k.sim, number);
            sim_env *cut = sim_clone_cut(t.k.sim, &(sim_cut){.mode = SIM_CUT_RANDOM, .seed = at});
            /* a log whose sync has failed may have lost what was not durable */
            bool killed = pt_sink_write_failure(&t.k.db.store->sink) == PEAT_OK;
            kit_look_at(&t.k, sim_clone_killed(t.k.sim), judge,
                        &(expectation){.t = &t, .killed = killed});
            kit_look_at(&t.k, cut, judge, &(expectation){.t = &t});
            sim_faults_clear(t.k.sim);
            (void)!kit_close(&t.k);
            kit_must_open(&t.k);
            judge(&(expectation){.t = &t, .killed = killed}, &t.k.db);
            refused += t.refused;
            points += hits != 0;
            kit_end(&t.k);
        }
    }
    print_message("%u points, %u refusals\n", points, refused);
    assert_true(points > 100 && refused > points);
}

static void cut_here(void *arg, sim_env *sim, const sim_boundary *b)
{
    story *t = arg;
    if (b->index % TEST_SAMPLE(1, 3, 3) != 0)
        return;
    sim_env *cut = sim_clone_cut(
        sim, &(sim_cut){.mode = (sim_cut_mode)(b->index % (SIM_CUT_PREFIX + 1)), .seed = b->index});
    kit_look_at(&t->k, cut, judge, &(expectation){.t = t});
    kit_look_at(&t->k, sim_clone_killed(sim), judge, &(expectation){.t = t, .killed = true});
}

TEST(no_cut_shows_what_was_refused)
{
    TEST_NOT_FOR_THREADS();
    for (uint64_t seed = 1; seed <= 2; seed++) {
        story t = {0};
        kit_open(&t.k);
        sim_stores(t.k.sim, seed == 2);
        sim_hook_set(t.k.sim, cut_here, &t);
        run(&t);
        sim_hook_set(t.k.sim, NULL, NULL);
        assert_int_equal(t.refused, STORY_COMMITS / 3);
        kit_end(&t.k);
    }
}

/* --- beside one another --- */

#define THREADS 4
#define ROUNDS  300

typedef struct writer {
    write_kit *k;
    uint32_t number;
    unsigned accepted, operations;
} writer;

static uint32_t id_in(const writer *w, uint32_t round)
{
    return w->number * 1000 + round;
}

static peat_rc refuse_some(void *ctx, uint64_t taken_seq, uint64_t first_seq)
{
    assert_true(first_seq == taken_seq + 1);
    return *(const uint32_t *)ctx % 3 == 0 ? PEAT_CANCELLED : PEAT_OK;
}

static void *write_beside_others(void *arg)
{
    writer *w = arg;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const write_shape *shape = i % 50 == 0 ? &shapes[2] : &shapes[i % 2];
        peat_rc rc = kit_commit(w->k, shape, id_in(w, i), i % 40 == 0, refuse_some, &i);
        assert_int_equal(rc, i % 3 == 0 ? PEAT_CANCELLED : PEAT_OK);
        w->accepted += rc == PEAT_OK;
        w->operations += rc == PEAT_OK ? shape->keys : 0;
    }
    return NULL;
}

TEST(committers_beside_the_refused_lose_nothing)
{
    for (int threads = 0; threads <= 2; threads += 2) {
        write_kit k = {.threads = threads};
        writer w[THREADS];
        pthread_t t[THREADS];
        uint64_t operations = 0;
        kit_open(&k);
        for (uint32_t i = 0; i < THREADS; i++) {
            w[i] = (writer){.k = &k, .number = i + 1};
            assert_int_equal(pthread_create(&t[i], NULL, write_beside_others, &w[i]), 0);
        }
        for (uint32_t i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(t[i], NULL), 0);
            operations += w[i].operations;
            assert_int_equal(w[i].accepted, ROUNDS - ROUNDS / 3);
        }
        assert_int_equal(k.db.store->seq_next - 1, operations);
        assert_int_equal(atomic_load(&k.db.store->published.seq), operations);
        for (int again = 0; again < 2; again++) {
            for (uint32_t i = 0; i < THREADS; i++)
                for (uint32_t j = 0; j < ROUNDS; j++) {
                    const write_shape *shape = j % 50 == 0 ? &shapes[2] : &shapes[j % 2];
                    assert_int_equal(kit_is_there(&k.db, shape, id_in(&w[i], j)), j % 3 != 0);
                }
            assert_int_equal(kit_close(&k), PEAT_OK);
            kit_must_open(&k);
        }
        kit_end(&k);
    }
}

/* --- what it is for --- */

#define COUNTERS 3
#define RING     64
#define ADDS     300

/* Counters that are read, and written one larger if nobody wrote them since. The ring holds which
 * counter each recent commit has written; the tap fills it. */
typedef struct bank {
    write_kit k;
    _Atomic uint32_t ring[RING];
    _Atomic uint64_t told;
    _Atomic uint32_t conflicts, too_old;
} bank;

typedef struct transaction {
    bank *b;
    uint32_t counter;
    uint64_t seen; /* its reads are as of then */
} transaction;

static void fill_ring(void *ctx, uint64_t first_seq, uint64_t last_seq, pt_slice payload)
{
    bank *b = ctx;
    pt_cursor ops = pt_cursor_of(payload.data, payload.size);
    pt_entry e;
    assert_int_equal(first_seq, last_seq);
    assert_int_equal(pt_op_next(&ops, &e), PEAT_OK);
    atomic_store(&b->ring[last_seq % RING], kit_id_of(e.key));
    atomic_store(&b->told, last_seq);
}

/* Whoever has a sequence publishes without this lock: the wait ends. */
static peat_rc unwritten_since(void *ctx, uint64_t taken_seq, uint64_t first_seq)
{
    transaction *t = ctx;
    (void)first_seq;
    while (atomic_load(&t->b->told) < taken_seq)
        sched_yield();
    if (taken_seq - t->seen >= RING) {
        atomic_fetch_add(&t->b->too_old, 1);
        return PEAT_CANCELLED;
    }
    for (uint64_t seq = t->seen + 1; seq <= taken_seq; seq++)
        if (atomic_load(&t->b->ring[seq % RING]) == t->counter) {
            atomic_fetch_add(&t->b->conflicts, 1);
            return PEAT_CANCELLED;
        }
    return PEAT_OK;
}

/* `between`: another one is added between what this one reads and writes. */
static peat_rc add_one(bank *b, uint32_t counter, bool between)
{
    transaction t = {.b = b, .counter = counter};
    char text[24];
    uint64_t value = 0;
    peat_snapshot *snapshot = NULL;
    peat_buf buf = PEAT_BUF_INIT;
    pt_batch ops;
    assert_int_equal(peat_snapshot_open(&b->k.db, &snapshot), PEAT_OK);
    t.seen = snapshot->link.seq;
    peat_read_options as_of = {.size = sizeof as_of, .snapshot = snapshot};
    peat_slice key = kit_key(counter, 0, text);
    peat_rc rc = peat_get(&b->k.db, &as_of, key, &buf);
    assert_true(rc == PEAT_OK || rc == PEAT_NOT_FOUND);
    if (rc == PEAT_OK)
        memcpy(&value, buf.data, sizeof value);
    peat_buf_free(&buf);
    peat_snapshot_close(snapshot);
    value++;
    if (between)
        assert_int_equal(add_one(b, counter, false), PEAT_OK);
    else
        sched_yield();
    pt_batch_init(&ops, peat_env_default());
    assert_int_equal(pt_batch_put(&ops, PT_KEYSPACE_DEFAULT, pt_slice_of(key.data, key.size),
                                  pt_slice_of(&value, sizeof value)),
                     PEAT_OK);
    pt_write_request c = {.payload = pt_bytes_slice(&ops.bytes),
                          .count = 1,
                          .key_bytes = ops.key_bytes,
                          .value_bytes = ops.value_bytes,
                          .validate_fn = unwritten_since,
                          .validate_ctx = &t};
    rc = pt_write_commit(b->k.db.store, &c);
    pt_batch_done(&ops);
    return rc;
}

typedef struct clerk {
    bank *b;
    uint32_t number;
} clerk;

static void *add_beside_others(void *arg)
{
    clerk *c = arg;
    for (uint32_t i = 0; i < ADDS; i++) {
        peat_rc rc = PEAT_CANCELLED;
        while (rc == PEAT_CANCELLED)
            rc = add_one(c->b, (c->number + i) % COUNTERS, false);
        assert_int_equal(rc, PEAT_OK);
    }
    return NULL;
}

TEST(a_ring_of_recent_writes_validates_transactions)
{
    bank *b = calloc(1, sizeof *b);
    clerk c[THREADS];
    pthread_t t[THREADS];
    b->k.taps = (pt_taps){.published_fn = fill_ring, .published_ctx = b};
    kit_open(&b->k);
    assert_int_equal(add_one(b, 0, true), PEAT_CANCELLED);
    assert_int_equal(atomic_load(&b->conflicts), 1);
    for (uint32_t i = 0; i < THREADS; i++) {
        c[i] = (clerk){.b = b, .number = i};
        assert_int_equal(pthread_create(&t[i], NULL, add_beside_others, &c[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < COUNTERS; i++) {
        char text[24];
        peat_buf buf = PEAT_BUF_INIT;
        uint64_t value;
        assert_int_equal(peat_get(&b->k.db, NULL, kit_key(i, 0, text), &buf), PEAT_OK);
        memcpy(&value, buf.data, sizeof value);
        peat_buf_free(&buf);
        sum += value;
    }
    print_message("%u conflicts, %u too old\n", atomic_load(&b->conflicts),
                  atomic_load(&b->too_old));
    assert_int_equal(sum, THREADS * ADDS + 1); /* none was overwritten unseen */
    assert_int_equal(b->k.db.store->seq_next - 1, sum);
    kit_end(&b->k);
    free(b);
}
