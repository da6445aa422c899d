/* SPDX-License-Identifier: MIT */
/*
 * test_walks.c - random walks of several iterators over a store that is written, flushed and merged
 * meanwhile, and whose reads and allocations fail at times; every answer against a list of all
 * changes. What an iterator or a fill has shown is looked at again before the next call on it.
 * ctest: label=single
 *
 *     PEAT_SEED=7 PEAT_WALKS=1000 api_test_walks      as many stores, from that seed on
 */
#include "world/kit.h"
#include "world/random.h"
#include "world/settings.h"

enum { KEYS = 400, KEY_MAX = 300, CHANGES = 60, WALKS = 4, SNAPSHOTS = 3, ROWS = 50 };

typedef struct change {
    uint32_t time;
    int32_t size; /* below 0: deleted */
} change;

typedef struct item {
    uint8_t key[KEY_MAX];
    size_t size, count;
    change changes[CHANGES];
} item;

typedef struct shown {
    peat_slice key, value;
    size_t at;
} shown;

typedef struct walk {
    peat_iter *it;
    uint32_t time;
    size_t lower, upper; /* items within bounds: [lower, upper) */
    bool keys_only, filled;
    enum { NEW, ON, ENDED } place;
    peat_rc ended; /* PEAT_BUSY: some error */
    size_t at, row_count;
    shown now, rows[ROWS];
} walk;

typedef struct world {
    kit *k;
    rng random;
    uint64_t seed, steps;
    uint32_t time;
    size_t n, value_max;
    item items[KEYS];
    bool faulty; /* reads may fail */
    walk walks[WALKS];
    struct {
        peat_snapshot *is;
        uint32_t time;
    } snapshots[SNAPSHOTS];
} world;

#define EXPECT(w, x)                                                                               \
    do {                                                                                           \
        if (!(x))                                                                                  \
            fail_msg("PEAT_SEED=%" PRIu64 ", step %" PRIu64 ": %s", (w)->seed, (w)->steps, #x);    \
    } while (0)

static size_t below(world *w, size_t n)
{
    return (size_t)rng_below(&w->random, n);
}

/* ---- the list ---- */

static peat_slice key_of(const world *w, size_t i)
{
    return peat_bytes(w->items[i].key, w->items[i].size);
}

static void make_items(world *w)
{
    size_t prefix = below(w, 2) ? 240 + below(w, 30) : below(w, 20);
    w->n = 20 + below(w, KEYS - 20);
    for (size_t i = 0; i < w->n; i++) {
        memset(w->items[i].key, 'p', prefix);
        char *rest = (char *)w->items[i].key + prefix;
        w->items[i].size =
            prefix + (size_t)snprintf(rest, 16, "%04zu%.*s", i, (int)(i % 9), "zzzzzzzz");
    }
    w->items[0].size = 0; /* the empty key */
}

static const change *visible(const world *w, size_t i, uint32_t time)
{
    const item *e = &w->items[i];
    size_t c = e->count;
    while (c > 0 && e->changes[c - 1].time > time)
        c--;
    return c > 0 && e->changes[c - 1].size >= 0 ? &e->changes[c - 1] : NULL;
}

static uint8_t value_byte(uint32_t time, size_t i)
{
    return (uint8_t)((time * 2654435761U >> (i % 4) * 8) + (i >> 2));
}

/* ---- writes and upkeep ---- */

static void write_some(world *w)
{
    static uint8_t value[1 << 17];
    size_t from = below(w, w->n), how = below(w, 3);
    for (size_t c = below(w, 60); c > 0; c--) {
        size_t i = how == 0 ? below(w, w->n) : how == 1 ? (from + c) % w->n : from;
        item *e = &w->items[i];
        if (i % 11 == 10 || e->count == CHANGES)
            continue; /* some are never written: what seeks look for in vain */
        int32_t size = below(w, 5) == 0 ? -1 : (int32_t)below(w, w->value_max);
        w->time++;
        for (int32_t b = 0; b < size; b++)
            value[b] = value_byte(w->time, (size_t)b);
        peat_slice v = peat_bytes(value, size < 0 ? 0 : (size_t)size);
        EXPECT(w, (size < 0 ? peat_delete(w->k->db, NULL, key_of(w, i))
                            : peat_put(w->k->db, NULL, key_of(w, i), v)) == PEAT_OK);
        e->changes[e->count++] = (change){w->time, size};
    }
}

static void change_snapshot(world *w)
{
    size_t s = below(w, SNAPSHOTS);
    peat_snapshot_close(w->snapshots[s].is);
    w->snapshots[s].time = w->time;
    EXPECT(w, peat_snapshot_open(w->k->db, &w->snapshots[s].is) == PEAT_OK);
}

static void upkeep(world *w)
{
    size_t what = below(w, 4);
    peat_db *db = w->k->db;
    EXPECT(w, (what == 0   ? peat_flush(db)
               : what == 1 ? peat_compact(db, key_of(w, below(w, w->n)), peat_unbounded(), NULL)
               : what == 2 ? peat_work(db, 1 + below(w, 3), NULL)
                           : peat_settle(db, PEAT_WAIT_FOREVER)) == PEAT_OK);
}

/* ---- walks ---- */

static void expect_shown(world *w, const walk *a, const shown *s)
{
    const change *c = visible(w, s->at, a->time);
    const item *e = &w->items[s->at];
    EXPECT(w, c != NULL && s->key.size == e->size);
    EXPECT(w, e->size == 0 || memcmp(s->key.data, e->key, e->size) == 0);
    EXPECT(w, s->value.size == (a->keys_only ? 0 : (size_t)c->size));
    const uint8_t *v = s->value.data;
    for (size_t i = 0; i < s->value.size; i++)
        EXPECT(w, v[i] == value_byte(c->time, i));
}

static void look_again(world *w, const walk *a)
{
    if (a->place == ON)
        expect_shown(w, a, &a->now);
    for (size_t r = 0; r < a->row_count; r++)
        expect_shown(w, a, &a->rows[r]);
}

static void open_walk(world *w, walk *a)
{
    size_t s = below(w, SNAPSHOTS), lo = 1 + below(w, w->n - 1), hi = 1 + below(w, w->n - 1);
    peat_iter_options o = {.size = sizeof o, .keys_only = below(w, 6) == 0};
    *a = (walk){.time = w->time, .upper = w->n, .keys_only = o.keys_only};
    if (below(w, 2) && w->snapshots[s].is != NULL) {
        o.snapshot = w->snapshots[s].is;
        a->time = w->snapshots[s].time;
    }
    if (below(w, 3) == 0)
        o.lower = key_of(w, a->lower = lo);
    if (below(w, 3) == 0)
        o.upper = key_of(w, a->upper = hi);
    EXPECT(w, peat_iter_open(w->k->db, &o, &a->it) == PEAT_OK || w->faulty);
}

/* The item the walk is to stand on, from `from` on, or before it. */
static bool look_for(const world *w, const walk *a, size_t from, bool back, size_t *ret)
{
    size_t i = from > a->lower || back ? from : a->lower;
    for (; !back && i < a->upper; i++)
        if (visible(w, i, a->time) != NULL)
            return *ret = i, true;
    for (i = i < a->upper ? i : a->upper; back && i > a->lower; i--)
        if (visible(w, i - 1, a->time) != NULL)
            return *ret = i - 1, true;
    return false;
}

static bool next_place(const world *w, const walk *a, bool back, size_t *ret)
{
    if (a->place == ON)
        return look_for(w, a, back ? a->at : a->at + 1, back, ret);
    return a->place == NEW && look_for(w, a, back ? a->upper : a->lower, back, ret);
}

/* The same as before, where it had ended before. */
static void end_walk(world *w, walk *a, peat_rc rc)
{
    bool again = a->place == ENDED;
    EXPECT(w, !again || (a->ended == PEAT_BUSY ? rc < 0 : rc == a->ended));
    EXPECT(w, again || rc == PEAT_END || w->faulty);
    EXPECT(w, !peat_iter_valid(a->it) && peat_iter_key(a->it).data == NULL);
    a->place = ENDED;
    a->ended = rc;
}

static void arrive(world *w, walk *a, peat_rc rc, bool there, size_t at)
{
    EXPECT(w, rc < 0 || there == (rc == PEAT_OK));
    if (rc != PEAT_OK) {
        end_walk(w, a, rc);
        return;
    }
    EXPECT(w, peat_iter_valid(a->it));
    a->place = ON;
    a->at = at;
    a->now = (shown){peat_iter_key(a->it), peat_iter_value(a->it), at};
    expect_shown(w, a, &a->now);
}

static void fill(world *w, walk *a, bool back)
{
    peat_row rows[ROWS];
    size_t count = 7, wanted = 1 + below(w, ROWS), at = a->at;
    bool here = a->place == ON && !a->filled;
    peat_rc rc = back ? peat_iter_fill_back(a->it, rows, wanted, &count)
                      : peat_iter_fill(a->it, rows, wanted, &count);
    EXPECT(w, (rc == PEAT_OK) == (count != 0) && count <= wanted);
    EXPECT(w, rc != PEAT_END || (!here && !next_place(w, a, back, &at)));
    for (size_t r = 0; r < count; r++, here = false) {
        EXPECT(w, here || next_place(w, a, back, &at));
        a->rows[r] = (shown){rows[r].key, rows[r].value, at};
        expect_shown(w, a, &a->rows[r]);
        a->at = at;
        a->place = ON;
    }
    a->row_count = count;
    if (count == 0)
        end_walk(w, a, rc);
    else if (peat_iter_valid(a->it))
        arrive(w, a, PEAT_OK, true, at);
    else
        end_walk(w, a, PEAT_BUSY);
}

static void move(world *w, walk *a, size_t what, bool back)
{
    size_t at = 0, to = below(w, w->n);
    bool there, filling = what >= 8;
    look_again(w, a);
    a->row_count = 0;
    if (filling) {
        fill(w, a, back);
    } else if (what < 5) {
        there = next_place(w, a, back, &at);
        arrive(w, a, back ? peat_iter_prev(a->it) : peat_iter_next(a->it), there, at);
    } else if (what < 7) { /* to a key, or to the one it shows, by its own memory */
        peat_slice key = a->place == ON && below(w, 3) == 0 ? a->now.key : key_of(w, to);
        to = key.data == a->now.key.data ? a->now.at : to;
        there = look_for(w, a, to + back, back, &at);
        a->place = NEW;
        arrive(w, a, back ? peat_iter_seek_for_prev(a->it, key) : peat_iter_seek(a->it, key), there,
               at);
    } else {
        there = look_for(w, a, back ? a->upper : a->lower, back, &at);
        a->place = NEW;
        arrive(w, a, back ? peat_iter_last(a->it) : peat_iter_first(a->it), there, at);
    }
    a->filled = filling;
}

static void walk_some(world *w)
{
    walk *a = &w->walks[below(w, WALKS)];
    size_t count = 1 + below(w, (size_t)1 << below(w, 8)), what = below(w, 10);
    bool back = below(w, 2);
    if (a->it == NULL)
        open_walk(w, a);
    for (; count > 0 && a->it != NULL; count--, w->steps++) {
        move(w, a, what, back);
        what = below(w, 6) == 0 ? below(w, 10) : what;
        back = back != (below(w, 12) == 0);
    }
    if (below(w, 20) == 0) {
        look_again(w, a);
        peat_iter_close(a->it);
        *a = (walk){0};
    }
}

/* One of the next reads or allocations fails; what the walks show afterwards stays right. */
static void walk_with_faults(world *w)
{
    uint32_t kinds = below(w, 2) ? SIM_BIT(SIM_FILE_READ) : SIM_MEMORY;
    sim_fail(w->k->sim, .kinds = kinds, .at = 1 + below(w, 30), .error = EIO);
    w->faulty = true;
    walk_some(w);
    w->faulty = false;
    sim_faults_clear(w->k->sim);
}

/* ---- a life ---- */

static void open_store(world *w)
{
    static const size_t block[] = {256, 1 << 10, 0}, table[] = {16 << 10, 64 << 10, 0};
    kit *k = w->k;
    k->test.memtable_bytes = (size_t)8 << 10 << below(w, 5);
    k->test.block_bytes = block[below(w, 3)];
    k->test.table_bytes = table[below(w, 3)];
    k->test.partition_bytes = k->test.table_bytes * 2;
    k->options.memory_bytes = below(w, 3) ? PEAT_MEMORY_BYTES_MIN : 0;
    k->options.compression = below(w, 2) ? PEAT_COMPRESSION_NONE : PEAT_COMPRESSION_LZ4;
    k->options.no_log = below(w, 2);
    kit_must_open(k);
}

/* What was shown stays when the store is closed; the next call says so. */
static void close_store(world *w)
{
    for (size_t s = 0; s < SNAPSHOTS; s++) {
        peat_snapshot_close(w->snapshots[s].is);
        w->snapshots[s].is = NULL;
    }
    kit_close(w->k);
    for (size_t i = 0; i < WALKS; i++) {
        look_again(w, &w->walks[i]);
        EXPECT(w, w->walks[i].it == NULL || peat_iter_next(w->walks[i].it) == PEAT_CLOSED);
        peat_iter_close(w->walks[i].it);
        w->walks[i] = (walk){0};
    }
}

static void live(uint64_t seed)
{
    void *state = NULL;
    (void)kit_new(&state);
    world *w = calloc(1, sizeof *w);
    *w = (world){.k = state, .seed = seed, .random.state = seed * 1000003};
    w->value_max = (size_t)4 << below(w, below(w, 4) ? 9 : 15);
    make_items(w);
    open_store(w);
    for (size_t i = 0, writing = 1 + below(w, 5); i < 150; i++) {
        size_t what = below(w, 20);
        if (what < writing)
            write_some(w);
        else if (what == 7)
            upkeep(w);
        else if (what == 8)
            change_snapshot(w);
        else if (what == 9)
            walk_with_faults(w);
        else
            walk_some(w);
        if (below(w, 100) == 0) {
            close_store(w);
            open_store(w);
        }
    }
    close_store(w);
    EXPECT(w, kit_end(&state) == 0);
    free(w);
}

TEST(walks_agree_with_the_list_of_changes)
{
    uint64_t seed = sim_seed(1), count = test_number("PEAT_WALKS", 150);
    for (uint64_t i = 0; i < count; i++)
        live(seed + i);
}
