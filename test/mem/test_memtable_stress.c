/* SPDX-License-Identifier: MIT */
/*
 * test_memtable_stress.c - writers and readers side by side. Every value is a function of its key
 * and sequence, so a torn or misplaced entry shows; writers tell how far they are, so that a reader
 * can demand what must be there. Under ThreadSanitizer this is the proof of the locking rules.
 */
/* ctest: timeout=240 */
#include "mem/mem_model.h"
#include "world/settings.h"
#include "world/sanitizer.h"
#include "world/sim.h"

#define WRITERS  3
#define READERS  2
#define WATCHERS 8
#define ROUNDS   TEST_SAMPLE(60000u, 6000u, 6000u)

typedef struct arena_war {
    sim_env *sim;
    pt_memtable *m;
    key_shape shape;
    uint64_t key_count; /* keys are shared by all writers; fewer keys, more versions */
    bool downwards;     /* every key before all others: the whole leaf moves for each of them */
    atomic_ulong next_seq;
    atomic_ulong written[WRITERS]; /* entries this writer has added */
    uint64_t *seqs[WRITERS];       /* of its i-th entry, valid below `written` */
    atomic_int wrong;
} arena_war;

typedef struct soldier {
    arena_war *war;
    unsigned number;
} soldier;

/* The key of a writer's i-th entry. */
static size_t key_of(const arena_war *w, unsigned writer, uint64_t i, uint8_t *key)
{
    uint64_t id = pt_mix(i * WRITERS + writer) % w->key_count;
    if (w->downwards)
        id = w->key_count - (i * WRITERS + writer);
    else if (w->shape == KEYS_DECIMAL && w->key_count > ROUNDS)
        id = i * WRITERS + writer; /* ascending: everyone at the right edge */
    rng r = {.state = id};
    return key_make(w->shape, &r, id, key);
}

static size_t value_of(pt_slice key, uint64_t seq, uint8_t *value)
{
    uint64_t word = pt_mix(pt_hash(key.data, key.size) ^ seq);
    size_t n = 8 * (1 + word % 6);
    for (size_t i = 0; i < n; i += 8)
        pt_put_u64(value + i, word + i);
    return n;
}

static bool entry_is_whole(const pt_entry *e)
{
    uint8_t value[64];
    size_t n = value_of(e->key, e->seq, value);
    return pt_slice_equal(e->value, pt_slice_of(value, n)) && e->kind == PT_KIND_PUT;
}

static void check(arena_war *w, bool ok, int code)
{
    if (!ok)
        atomic_store(&w->wrong, code);
}

static void *write_side(void *arg)
{
    const soldier *s = arg;
    arena_war *w = s->war;
    uint8_t key[MODEL_KEY_MAX], value[64];
    for (uint64_t i = 0; i < ROUNDS; i++) {
        pt_entry e = {.key = pt_slice_of(key, key_of(w, s->number, i, key)),
                      .seq = atomic_fetch_add(&w->next_seq, 1),
                      .kind = PT_KIND_PUT};
        e.value = pt_slice_of(value, value_of(e.key, e.seq, value));
        check(w, pt_memtable_reserve(w->m, 1, e.key.size, e.value.size), 1);
        pt_memtable_add(w->m, &e);
        w->seqs[s->number][i] = e.seq;
        atomic_store_explicit(&w->written[s->number], i + 1, memory_order_release);
        pt_entry found;
        check(w, pt_memtable_get(w->m, e.key, e.seq, &found) && entry_equal(&found, &e), 2);
    }
    return NULL;
}

/* An entry that was added before we looked must be found, newer versions or not. */
static void demand(arena_war *w, rng *r, pt_iter *it)
{
    unsigned writer = (unsigned)rng_below(r, WRITERS);
    uint64_t written = atomic_load_explicit(&w->written[writer], memory_order_acquire);
    if (written == 0)
        return;
    uint64_t i = rng_below(r, written), seq = w->seqs[writer][i];
    uint8_t bytes[MODEL_KEY_MAX];
    pt_slice key = pt_slice_of(bytes, key_of(w, writer, i, bytes));
    pt_entry found;
    check(w, pt_memtable_get(w->m, key, seq, &found) && found.seq == seq && entry_is_whole(&found),
          3);
    check(w,
          pt_memtable_get(w->m, key, PT_SEQ_MAX, &found) && found.seq >= seq &&
              entry_is_whole(&found),
          4);
    check(w, pt_iter_seek(it, key) == PEAT_OK && pt_slice_equal(it->at.key, key), 5);
    peat_rc rc = PEAT_OK;
    while (rc == PEAT_OK && pt_slice_equal(it->at.key, key) && it->at.seq > seq)
        rc = pt_iter_next(it);
    check(w, rc == PEAT_OK && pt_slice_equal(it->at.key, key) && it->at.seq == seq, 6);
    check(w, pt_iter_seek_for_prev(it, key) == PEAT_OK && pt_slice_equal(it->at.key, key), 7);
}

/* The newest entry stays where it is while its leaf moves, is divided and left behind. It is asked
 * for again and again by more threads than there are cores, so that some are stopped on their way
 * to it: 15 to 40 in a fight on two busy cores. */
static void watch(arena_war *w, unsigned writer)
{
    uint64_t written = atomic_load_explicit(&w->written[writer], memory_order_acquire);
    if (written == 0)
        return;
    uint8_t bytes[MODEL_KEY_MAX];
    pt_slice key = pt_slice_of(bytes, key_of(w, writer, written - 1, bytes));
    pt_entry found;
    for (int i = 0; i < 100; i++)
        check(w, pt_memtable_get(w->m, key, PT_SEQ_MAX, &found), 14);
}

/* A walk never goes back, never sees a torn entry. */
static void walk(arena_war *w, rng *r, pt_iter *it)
{
    bool forward = rng_below(r, 2);
    uint8_t bytes[MODEL_KEY_MAX];
    size_t n = key_of(w, 0, rng_below(r, ROUNDS), bytes);
    peat_rc rc = forward ? pt_iter_seek(it, pt_slice_of(bytes, n))
                         : pt_iter_seek_for_prev(it, pt_slice_of(bytes, n));
    pt_entry last = {0};
    for (int i = 0; rc == PEAT_OK && i < 200; i++) {
        check(w, entry_is_whole(&it->at), 8);
        int c = i == 0 ? 0 : model_order(&last, &it->at);
        check(w, i == 0 || (forward ? c < 0 : c > 0), 9);
        last = it->at;
        rc = forward ? pt_iter_next(it) : pt_iter_prev(it);
    }
    check(w, rc == PEAT_OK || rc == PEAT_END, 10);
}

static bool still_writing(arena_war *w)
{
    for (unsigned i = 0; i < WRITERS; i++)
        if (atomic_load(&w->written[i]) < ROUNDS)
            return true;
    return false;
}

static void *read_side(void *arg)
{
    const soldier *s = arg;
    arena_war *w = s->war;
    rng r = {.state = test_seed(1) + s->number};
    pt_iter *it = NULL;
    if (pt_memtable_iter_new(w->m, &it) != PEAT_OK)
        abort();
    while (still_writing(w)) {
        for (int i = 0; i < 20; i++)
            demand(w, &r, it);
        walk(w, &r, it);
        pt_memtable_stats stats = pt_memtable_get_stats(w->m);
        check(w, stats.entries <= (uint64_t)WRITERS * ROUNDS, 11);
        uint64_t entries, bytes;
        pt_memtable_measure(w->m, pt_slice_of("", 0), pt_slice_of("\377", 1), &entries, &bytes);
        check(w, entries <= (uint64_t)WRITERS * ROUNDS && bytes <= entries * 400, 15);
    }
    pt_iter_done(it);
    return NULL;
}

static void *watch_side(void *arg)
{
    const soldier *s = arg;
    while (still_writing(s->war))
        watch(s->war, s->number % WRITERS);
    return NULL;
}

static void everything_is_there(arena_war *w)
{
    pt_iter *it = NULL;
    assert_ok(pt_memtable_iter_new(w->m, &it));
    uint64_t forward = 0, backward = 0;
    peat_rc rc = pt_iter_first(it);
    for (; rc == PEAT_OK; rc = pt_iter_next(it), forward++)
        check(w, entry_is_whole(&it->at), 12);
    for (rc = pt_iter_last(it); rc == PEAT_OK; rc = pt_iter_prev(it), backward++)
        check(w, entry_is_whole(&it->at), 13);
    pt_iter_done(it);
    assert_int_equal(forward, (uint64_t)WRITERS * ROUNDS);
    assert_int_equal(backward, forward);
}

static void fight_for(key_shape shape, uint64_t key_count, bool downwards)
{
    arena_war w = {.shape = shape, .key_count = key_count, .downwards = downwards};
    w.sim = sim_new(1);
    sim_heap_maps(w.sim);
    atomic_init(&w.next_seq, 1);
    assert_ok(pt_memtable_new(sim_peat(w.sim), (size_t)WRITERS * ROUNDS * 320, &w.m));
    unsigned count = WRITERS + READERS + (downwards ? WATCHERS : 0);
    pthread_t threads[WRITERS + READERS + WATCHERS];
    soldier soldiers[WRITERS + READERS + WATCHERS];
    for (unsigned i = 0; i < WRITERS; i++) {
        w.seqs[i] = calloc(ROUNDS, sizeof(uint64_t));
        assert_non_null(w.seqs[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        soldiers[i] = (soldier){.war = &w, .number = i};
        void *(*side)(void *) = i < WRITERS             ? write_side
                                : i < WRITERS + READERS ? read_side
                                                        : watch_side;
        assert_int_equal(pthread_create(&threads[i], NULL, side, &soldiers[i]), 0);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    everything_is_there(&w);
    if (atomic_load(&w.wrong) != 0)
        fail_msg("check %d failed; repeat with SEED=%llu", atomic_load(&w.wrong),
                 (unsigned long long)test_seed(1));
    pt_memtable_unref(w.m);
    for (unsigned i = 0; i < WRITERS; i++)
        free(w.seqs[i]);
    sim_end(w.sim);
}

#define TEST_FIGHT(name, times, ...)                                                               \
    TEST(name)                                                                                     \
    {                                                                                              \
        for (int i = 0; i < (times); i++)                                                          \
            fight_for(__VA_ARGS__);                                                                \
    }
#define ANY_NUMBER (UINT64_C(1) << 40)

/* --- at the right edge --- */

/* More writers than cores, all of ascending keys, so that now and then one is stopped while it
 * divides the last leaf, and the others go on at the edge: what they add is not in its way. */
#define EDGE_WRITERS 16
#define EDGE_TABLES  TEST_SAMPLE(16u, 4u, 3u)
#define EDGE_KEYS    (UINT64_C(1) << TEST_SAMPLE(18, 16, 14))

typedef struct edge {
    pt_memtable *m;
    atomic_ulong next;
    atomic_ulong lost;
} edge;

static pt_slice edge_key(uint64_t id, uint8_t key[12])
{
    memset(key, 0, 12);
    for (unsigned i = 0; i < 8; i++)
        key[11 - i] = (uint8_t)(id >> (8 * i));
    return pt_slice_of(key, 12);
}

static bool edge_has(edge *e, uint64_t id)
{
    uint8_t key[12];
    pt_entry found;
    return pt_memtable_get(e->m, edge_key(id, key), PT_SEQ_MAX, &found) && found.seq == id;
}

static void *append(void *arg)
{
    edge *e = arg;
    uint8_t key[12];
    for (;;) {
        uint64_t first = atomic_fetch_add(&e->next, 4);
        if (first > EDGE_KEYS)
            return NULL;
        for (uint64_t id = first; id < first + 4; id++) {
            pt_entry entry = {.key = edge_key(id, key), .seq = id, .kind = PT_KIND_PUT};
            if (!pt_memtable_reserve(e->m, 1, entry.key.size, 0))
                abort();
            pt_memtable_add(e->m, &entry);
        }
        for (uint64_t id = first; id < first + 4; id++)
            if (!edge_has(e, id))
                atomic_fetch_add(&e->lost, 1);
    }
}

TEST(nothing_is_lost_while_the_last_leaf_is_divided)
{
    sim_env *sim = sim_new(1);
    sim_heap_maps(sim);
    for (unsigned i = 0; i < EDGE_TABLES; i++) {
        pthread_t threads[EDGE_WRITERS];
        edge e = {.m = NULL};
        atomic_init(&e.next, 1);
        assert_ok(pt_memtable_new(sim_peat(sim), (EDGE_KEYS + EDGE_WRITERS * 4) * 128, &e.m));
        for (unsigned t = 0; t < EDGE_WRITERS; t++)
            assert_int_equal(pthread_create(&threads[t], NULL, append, &e), 0);
        for (unsigned t = 0; t < EDGE_WRITERS; t++)
            assert_int_equal(pthread_join(threads[t], NULL), 0);
        assert_int_equal(atomic_load(&e.lost), 0);
        for (uint64_t id = 1; id <= EDGE_KEYS; id++)
            if (!edge_has(&e, id))
                fail_msg("key %llu is lost", (unsigned long long)id);
        pt_memtable_unref(e.m);
    }
    sim_end(sim);
}

TEST_FIGHT(random_keys_survive_writers_and_readers, 1, KEYS_RANDOM, ANY_NUMBER, false)
TEST_FIGHT(decimal_keys_survive_writers_and_readers, 1, KEYS_DECIMAL, ROUNDS, false)
TEST_FIGHT(ascending_keys_survive_writers_and_readers, 1, KEYS_DECIMAL, ANY_NUMBER, false)
TEST_FIGHT(descending_keys_survive_writers_and_readers, 3, KEYS_DECIMAL, ANY_NUMBER, true)
TEST_FIGHT(a_few_hot_keys_survive_writers_and_readers, 1, KEYS_PATHS, 300, false)
TEST_FIGHT(keys_outside_survive_writers_and_readers, 1, KEYS_LATE_OUTSIDE, 20000, false)
TEST_FIGHT(shrinking_prefixes_survive_writers_and_readers, 3, KEYS_SPACES, 2000, false)
