/* SPDX-License-Identifier: MIT */
/*
 * test_taps.c - who listens to a store is told of its commits in the order of sequences, when
 * readers see them; and of what is durable when it is: a power cut in that moment leaves it.
 * ctest: timeout=300
 */
#include "write/write_kit.h"

#include <time.h>

#define COMMITS_MAX 4000u

typedef struct told {
    uint64_t first, last;
    uint32_t id;
    const write_shape *shape;
    peat_rc rc;
} told;

/* A listener. Its taps are called by one thread at a time each, so it needs no lock; what others
 * look at is atomic. */
typedef struct listener {
    write_kit k;
    told commits[COMMITS_MAX]; /* in the order in which they were told */
    _Atomic uint32_t count;
    _Atomic uint64_t published, durable;
    _Atomic uint32_t inside_published, inside_durable;
    uint32_t durable_calls, cuts;
    bool look;     /* readers are asked in every call */
    unsigned cut;  /* so often the power is cut in every call */
    bool is_quiet; /* nothing may be told */
    pthread_mutex_t mu;
    pthread_cond_t told; /* of what is durable */
} listener;

static const write_shape *shape_of_count(uint64_t n)
{
    for (size_t i = 0; i < SHAPES; i++)
        if (shapes[i].keys == n)
            return &shapes[i];
    fail_msg("no commit has %llu operations", (unsigned long long)n);
    return NULL;
}

static void hear_published(void *ctx, uint64_t first_seq, uint64_t last_seq, pt_slice payload)
{
    listener *l = ctx;
    pt_cursor ops = pt_cursor_of(payload.data, payload.size);
    pt_entry e;
    assert_int_equal(atomic_fetch_add(&l->inside_published, 1), 0);
    assert_false(l->is_quiet);
    assert_int_equal(first_seq, atomic_load(&l->published) + 1);
    assert_int_equal(pt_op_next(&ops, &e), PEAT_OK);
    assert_true(atomic_load(&l->count) < COMMITS_MAX);
    told *c = &l->commits[atomic_load(&l->count)];
    *c = (told){.first = first_seq,
                .last = last_seq,
                .id = kit_id_of(e.key),
                .shape = shape_of_count(last_seq - first_seq + 1)};
    if (l->look)
        assert_true(kit_is_there(&l->k.db, c->shape, c->id));
    atomic_fetch_add(&l->count, 1);
    atomic_store(&l->published, last_seq);
    atomic_fetch_sub(&l->inside_published, 1);
}

typedef struct cut_check {
    const listener *l;
    uint64_t seq;
} cut_check;

static void expect_durable(void *ctx, struct peat_db *db)
{
    const cut_check *c = ctx;
    for (uint32_t i = 0; i < atomic_load(&c->l->count); i++) {
        const told *t = &c->l->commits[i];
        bool there = kit_is_there(db, t->shape, t->id);
        if (t->last <= c->seq && !there)
            fail_msg("told that %llu is durable, and commit %u of %llu to %llu was lost",
                     (unsigned long long)c->seq, (unsigned)t->id, (unsigned long long)t->first,
                     (unsigned long long)t->last);
    }
}

static void hear_durable(void *ctx, uint64_t seq)
{
    listener *l = ctx;
    assert_int_equal(atomic_fetch_add(&l->inside_durable, 1), 0);
    assert_false(l->is_quiet);
    assert_true(seq > atomic_load(&l->durable));
    assert_true(seq <= atomic_load(&l->published)); /* told of that before */
    for (unsigned i = 0; i < l->cut; i++) {
        cut_check c = {.l = l, .seq = seq};
        sim_cut cut = {.mode = i == 0 ? SIM_CUT_LOST : SIM_CUT_RANDOM, .seed = seq};
        kit_look_at(&l->k, sim_clone_cut(l->k.sim, &cut), expect_durable, &c);
        l->cuts++;
    }
    l->durable_calls++;
    (void)pthread_mutex_lock(&l->mu);
    atomic_store(&l->durable, seq);
    (void)pthread_cond_broadcast(&l->told);
    (void)pthread_mutex_unlock(&l->mu);
    atomic_fetch_sub(&l->inside_durable, 1);
}

/* Until a thread of the store has told it; a minute at the most. */
static void wait_for_durable(listener *l, uint64_t seq)
{
    struct timespec end;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    (void)pthread_mutex_lock(&l->mu);
    int e = 0;
    while (e == 0 && atomic_load(&l->durable) < seq)
        e = pthread_cond_timedwait(&l->told, &l->mu, &end);
    (void)pthread_mutex_unlock(&l->mu);
    assert_int_equal(e, 0);
}

static listener *listener_new(void)
{
    listener *l = calloc(1, sizeof *l);
    assert_non_null(l);
    assert_int_equal(pthread_mutex_init(&l->mu, NULL), 0);
    assert_int_equal(pthread_cond_init(&l->told, NULL), 0);
    return l;
}

static listener *listen(write_kit k)
{
    listener *l = listener_new();
    l->k = k;
    l->k.taps = (pt_taps){.published_fn = hear_published,
                          .published_ctx = l,
                          .durable_fn = hear_durable,
                          .durable_ctx = l};
    l->look = true;
    l->cut = 2;
    kit_open(&l->k);
    return l;
}

/* What is told at the end is all there was. */
static void stop(listener *l)
{
    assert_int_equal(kit_close(&l->k), PEAT_OK);
    assert_int_equal(atomic_load(&l->durable), atomic_load(&l->published));
    kit_end(&l->k);
    free(l);
}

/* --- one thread --- */

TEST(each_commit_is_told_once_it_is_seen)
{
    for (unsigned no_log = 0; no_log < 2; no_log++) {
        listener *l = listen((write_kit){.no_log = no_log});
        for (uint32_t id = 0; id < 60; id++) {
            kit_must_commit(&l->k, &shapes[id % SHAPES], id, false);
            assert_int_equal(atomic_load(&l->count), id + 1);
            assert_int_equal(l->commits[id].id, id);
            assert_int_equal(atomic_load(&l->published), l->k.db.store->seq_next - 1);
        }
        stop(l);
    }
}

static void expect_all_durable(listener *l, const char *how)
{
    if (atomic_load(&l->durable) != atomic_load(&l->published))
        fail_msg("%s: %llu of %llu were told to be durable", how,
                 (unsigned long long)atomic_load(&l->durable),
                 (unsigned long long)atomic_load(&l->published));
}

TEST(what_is_durable_is_told_when_it_is)
{
    listener *l = listen((write_kit){0});
    uint32_t id = 0;
    for (size_t i = 0; i < SHAPES; i++) {
        uint32_t calls = l->durable_calls;
        kit_must_commit(&l->k, &shapes[i], id++, false);
        kit_must_commit(&l->k, &shapes[0], id++, false);
        assert_int_equal(l->durable_calls, calls); /* nothing was synced */
        kit_must_commit(&l->k, &shapes[i], id++, true);
        expect_all_durable(l, "a commit with sync");
        kit_must_commit(&l->k, &shapes[i], id++, false);
        assert_int_equal(pt_write_sync(l->k.db.store), PEAT_OK);
        expect_all_durable(l, "peat_sync");
        calls = l->durable_calls;
        assert_int_equal(pt_write_sync(l->k.db.store), PEAT_OK);
        assert_int_equal(l->durable_calls, calls); /* nothing new */
        kit_must_commit(&l->k, &shapes[i], id++, false);
        sim_clock_advance(l->k.sim, (uint64_t)1000001 * 1000000);
        kit_must_commit(&l->k, &shapes[0], id++, false);
        expect_all_durable(l, "the interval");
    }
    kit_must_commit(&l->k, &shapes[1], id++, false);
    assert_true(l->cuts >= 6 * SHAPES);
    stop(l); /* closing tells of the last */
}

TEST(without_a_log_a_flush_tells)
{
    listener *l = listen((write_kit){.no_log = true});
    uint32_t id = 0;
    for (size_t i = 0; i < SHAPES; i++) {
        kit_must_commit(&l->k, &shapes[0], id++, false);
        kit_must_commit(&l->k, &shapes[i], id++, true);
        expect_all_durable(l, "a commit with sync");
        kit_must_commit(&l->k, &shapes[i], id++, false);
        assert_int_equal(pt_switch_flush(l->k.db.store), PEAT_OK);
        expect_all_durable(l, "peat_flush");
    }
    kit_must_commit(&l->k, &shapes[0], id++, false);
    stop(l);
}

/* Of what is there at open nobody is told; sequences go on. */
TEST(a_store_that_is_opened_again_tells_of_new_commits_only)
{
    for (unsigned way = 0; way < 4; way++) {
        listener *l = listen((write_kit){.no_log = way & 1});
        for (uint32_t id = 0; id < 20; id++)
            kit_must_commit(&l->k, &shapes[id % SHAPES], id, false);
        uint64_t last = atomic_load(&l->published);
        if (way & 2) { /* its log is replayed */
            sim_env *killed = sim_clone_killed(l->k.sim);
            assert_int_equal(kit_close(&l->k), PEAT_OK);
            sim_free(l->k.sim);
            l->k.sim = killed;
        } else {
            assert_int_equal(kit_close(&l->k), PEAT_OK);
        }
        l->is_quiet = true;
        kit_must_open(&l->k);
        l->is_quiet = false;
        if (!l->k.no_log || way < 2)
            assert_int_equal(l->k.db.store->seq_next - 1, last);
        atomic_store(&l->published, l->k.db.store->seq_next - 1);
        atomic_store(&l->durable, l->k.db.store->seq_next - 1);
        atomic_store(&l->count, 0);
        kit_must_commit(&l->k, &shapes[0], 100, true);
        assert_int_equal(atomic_load(&l->count), 1);
        expect_all_durable(l, "the first commit");
        stop(l);
    }
}

/* --- failing calls --- */

static void step(listener *l, uint32_t id, peat_rc *ret_rc)
{
    const write_shape *shape = &shapes[id * 5 % 7 % SHAPES];
    if (id % 8 == 7)
        (void)!pt_write_sync(l->k.db.store);
    *ret_rc = kit_commit(&l->k, shape, id, id % 4 == 3, NULL, NULL);
}

/* What was told before it failed, and what may be told from now on. */
static void expect_untold(listener *l, uint32_t id)
{
    for (uint32_t i = 0; i < atomic_load(&l->count); i++)
        if (l->commits[i].id == id && l->commits[i].first <= atomic_load(&l->durable))
            fail_msg("commit %u failed and was told to be durable", (unsigned)id);
}

TEST(no_failing_call_tells_of_what_is_not_durable)
{
    TEST_NOT_FOR_THREADS();
    static const sim_fault faults[] = {
        {.kinds = SIM_DISK, .error = EIO},
        {.kinds = SIM_DISK, .error = EIO, .sticky = true},
        {.kinds = SIM_BIT(SIM_FILE_SYNC), .error = EIO, .keep = SIM_KEEP_SOME},
        {.kinds = SIM_DISK, .error = ENOSPC, .keep = SIM_KEEP_NONE},
        {.kinds = SIM_MEMORY, .error = ENOMEM},
    };
    unsigned points = 0, failed = 0;
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        uint64_t hits = 1;
        for (uint64_t at = 1; hits != 0; at += 1 + at / 8) {
            listener *l = listen((write_kit){0});
            peat_rc rcs[32];
            sim_fault fault = faults[f];
            fault.at = at;
            l->look = false; /* gets may fail as well */
            l->cut = 1;
            unsigned number = sim_fault_add(l->k.sim, fault);
            for (uint32_t id = 0; id < 32; id++)
                step(l, id, &rcs[id]);
            hits = sim_fault_hits(l->k.sim, number);
            points += hits != 0;
            sim_faults_clear(l->k.sim);
            (void)!kit_close(&l->k);
            for (uint32_t id = 0; id < 32; id++) {
                failed += rcs[id] != PEAT_OK;
                if (rcs[id] != PEAT_OK)
                    expect_untold(l, id);
            }
            kit_end(&l->k);
            free(l);
        }
    }
    print_message("%u points, %u commits failed\n", points, failed);
    assert_true(points > 80 && failed > points);
}

/* --- many threads --- */

#define THREADS 4
#define ROUNDS  250

typedef struct writer {
    listener *l;
    uint32_t number;
} writer;

static peat_rc note_first(void *ctx, uint64_t taken_seq, uint64_t first_seq)
{
    *(uint64_t *)ctx = first_seq;
    return taken_seq + 1 == first_seq ? PEAT_OK : PEAT_INVALID;
}

static void *write_beside_others(void *arg)
{
    writer *w = arg;
    listener *l = w->l;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const write_shape *shape = i % 60 == 59 ? &shapes[2] : &shapes[i % 2];
        uint64_t first = 0;
        bool sync = i % 3 == 0;
        assert_int_equal(kit_commit(&l->k, shape, w->number * 1000 + i, sync, note_first, &first),
                         PEAT_OK);
        assert_true(atomic_load(&l->published) >= first + shape->keys - 1);
        if (sync)
            assert_true(atomic_load(&l->durable) >= first + shape->keys - 1);
    }
    return NULL;
}

TEST(threads_are_told_of_in_one_order)
{
    for (unsigned way = 0; way < 4; way++) {
        write_kit k = {.threads = way & 1 ? 2 : 0, .no_log = way & 2, .sync_interval_ms = 2};
        listener *l = listen(k);
        writer w[THREADS];
        pthread_t t[THREADS];
        l->cut = 0;
        for (uint32_t i = 0; i < THREADS; i++) {
            w[i] = (writer){.l = l, .number = i + 1};
            assert_int_equal(pthread_create(&t[i], NULL, write_beside_others, &w[i]), 0);
        }
        for (uint32_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(t[i], NULL), 0);
        assert_int_equal(atomic_load(&l->count), THREADS * ROUNDS);
        assert_int_equal(atomic_load(&l->published), l->k.db.store->seq_next - 1);
        uint32_t next[THREADS] = {0};
        for (uint32_t i = 0; i < THREADS * ROUNDS; i++) { /* each thread's own in its order */
            uint32_t number = l->commits[i].id / 1000 - 1;
            assert_int_equal(l->commits[i].id % 1000, next[number]++);
        }
        stop(l);
    }
}

/* The power is cut beside writers: what was told by then is there. */
static void *cut_beside_writers(void *arg)
{
    listener *l = arg;
    for (unsigned i = 0; i < 40; i++) {
        cut_check c = {.l = l, .seq = atomic_load(&l->durable)};
        sim_cut cut = {.mode = i % 2 ? SIM_CUT_LOST : SIM_CUT_RANDOM, .seed = i};
        kit_look_at(&l->k, sim_clone_cut(l->k.sim, &cut), expect_durable, &c);
        l->cuts++;
    }
    return NULL;
}

TEST(a_cut_beside_writers_leaves_what_was_told)
{
    listener *l = listen((write_kit){.threads = 1, .sync_interval_ms = 2});
    writer w[2];
    pthread_t t[2], cutter;
    l->cut = 0;
    for (uint32_t i = 0; i < 2; i++) {
        w[i] = (writer){.l = l, .number = i + 1};
        assert_int_equal(pthread_create(&t[i], NULL, write_beside_others, &w[i]), 0);
    }
    assert_int_equal(pthread_create(&cutter, NULL, cut_beside_writers, l), 0);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    assert_int_equal(pthread_join(cutter, NULL), 0);
    stop(l);
}

/* Nobody calls any more: a thread of the store syncs, and tells. */
TEST(a_store_left_alone_tells_by_itself)
{
    listener *l = listen((write_kit){.threads = 1, .sync_interval_ms = 5});
    for (uint32_t id = 0; id < 5; id++) {
        kit_must_commit(&l->k, &shapes[id % 2], id, false);
        uint64_t last = atomic_load(&l->published);
        wait_for_durable(l, last);
        assert_int_equal(atomic_load(&l->durable), last);
    }
    stop(l);
}

/* --- one of the two --- */

TEST(either_may_be_alone)
{
    for (unsigned way = 0; way < 2; way++) {
        listener *l = listener_new();
        l->k.taps = way == 0 ? (pt_taps){.published_fn = hear_published, .published_ctx = l}
                             : (pt_taps){.durable_fn = hear_durable, .durable_ctx = l};
        kit_open(&l->k);
        if (way == 1) /* who is told of nothing published knows it from elsewhere */
            atomic_store(&l->published, UINT64_MAX);
        for (uint32_t id = 0; id < 40; id++)
            kit_must_commit(&l->k, &shapes[id % SHAPES], id, id % 4 == 0);
        uint64_t last = l->k.db.store->seq_next - 1;
        assert_int_equal(kit_close(&l->k), PEAT_OK);
        assert_int_equal(way == 0 ? atomic_load(&l->published) : atomic_load(&l->durable), last);
        assert_int_equal(way == 0 ? atomic_load(&l->durable) : atomic_load(&l->count), 0);
        kit_end(&l->k);
        free(l);
    }
}
