/* SPDX-License-Identifier: MIT */
/*
 * history_play.c - the threads of a round. A record is complete but for `end` before its call
 * begins, so that a killed process leaves what was in flight.
 */
#include "history/history.h"
#include "peat_queue.h"
#include "world/rows.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM (2 * HISTORY_BATCH_MAX) /* records an operation may need */

typedef struct player {
    history *h;
    peat_db *db;
    uint32_t number;
    rng random;
    uint32_t writes;           /* so far */
    int tell_fd;               /* -1: nothing to tell */
    uint64_t tell_at, tell_ns; /* when it has so many records, or it is so late */
    history_thread *own;
    peat_batch *batch;
    peat_queue *queue; /* opened by the first turn of it */
    peat_buf buf;
    peat_iter *it; /* held, with the state it shows */
    peat_snapshot *snapshot;
    const history_state *held;
    bool present[HISTORY_OWNED]; /* owned keys */
    history_id scratch[HISTORY_KEYS];
    uint8_t value[HISTORY_VALUE_MAX];
    pthread_t thread;
} player;

static uint64_t pick(player *p, uint64_t n)
{
    return rng_below(&p->random, n);
}

static void must(player *p, peat_rc rc, const char *what)
{
    peat_error error;
    if (rc >= 0)
        return;
    (void)peat_db_error(p->db, &error);
    history_fail("%s: %s; first trouble: %s", what, peat_rc_name(rc), error.message);
}

/* --- recording ---------------------------------------------------------------------------- */

static history_record *begin(player *p, history_kind kind, uint32_t key, history_id id)
{
    uint64_t at = atomic_load_explicit(&p->own->count, memory_order_relaxed);
    history_record *r = &p->own->records[at];
    *r = (history_record){.start = test_now_ns(), .id = id, .key = key, .kind = kind};
    atomic_store_explicit(&p->own->count, at + 1, memory_order_release);
    return r;
}

static history_id next_id(player *p)
{
    return HISTORY_ID(p->h->round, p->number, ++p->writes);
}

static uint32_t owned_key(const player *p, uint64_t i)
{
    return HISTORY_CONTENDED + HISTORY_SHARED + p->number * HISTORY_OWNED + (uint32_t)i;
}

static uint32_t contended_key(player *p)
{
    return (uint32_t)pick(p, pick(p, 2) ? HISTORY_CONTENDED : 8);
}

/* A key of several threads is deleted once, and only when it was there when the round began. */
static bool may_delete(player *p, uint32_t key)
{
    return p->h->initial[key] != 0 && !atomic_exchange(&p->h->deleted[key], true);
}

/* --- writes ------------------------------------------------------------------------------- */

static void write_one(player *p, uint32_t key, bool gone)
{
    peat_write_options o = {.size = sizeof o, .sync = pick(p, 500) == 0};
    char text[ROWS_KEY_MAX];
    peat_slice k = peat_bytes(text, rows_key(key, text));
    history_id id = next_id(p);
    size_t size = gone ? 0 : rows_value(key, id, HISTORY_VALUE_MAX, p->value);
    history_record *r = begin(p, gone ? HISTORY_DELETE : HISTORY_PUT, key, id);
    must(p, gone ? peat_delete(p->db, &o, k) : peat_put(p->db, &o, k, peat_bytes(p->value, size)),
         "a write");
    r->end = test_now_ns();
}

static void write_contended(player *p)
{
    uint32_t key = contended_key(p);
    write_one(p, key, pick(p, 30) == 0 && may_delete(p, key));
}

static void write_owned(player *p)
{
    uint64_t i = pick(p, HISTORY_OWNED);
    bool gone = p->present[i] && pick(p, 3) == 0;
    write_one(p, owned_key(p, i), gone);
    p->present[i] = !gone;
}

typedef struct item {
    uint32_t key;
    bool gone;
} item;

static size_t choose_items(player *p, item *items)
{
    size_t n = 0, wanted = 1 + pick(p, HISTORY_BATCH_MAX - 2);
    items[n++] = (item){.key = HISTORY_COUNTER(p->number)};
    for (size_t i = 0; i < wanted; i++) {
        uint32_t key = HISTORY_CONTENDED + (uint32_t)pick(p, HISTORY_SHARED);
        uint64_t own = pick(p, HISTORY_OWNED);
        bool twice = false, owned = pick(p, 4) == 0;
        if (owned)
            key = owned_key(p, own);
        for (size_t j = 0; j < n; j++)
            twice = twice || items[j].key == key;
        if (twice)
            continue;
        bool gone =
            owned ? p->present[own] && pick(p, 4) == 0 : pick(p, 40) == 0 && may_delete(p, key);
        if (owned)
            p->present[own] = !gone;
        items[n++] = (item){.key = key, .gone = gone};
    }
    return n;
}

static void add_item(player *p, const item *i, history_id id)
{
    char text[ROWS_KEY_MAX];
    peat_slice k = peat_bytes(text, rows_key(i->key, text));
    void *room = NULL;
    if (i->gone) {
        must(p, peat_batch_delete(p->batch, k), "batch_delete");
        return;
    }
    size_t size = rows_value(i->key, id, HISTORY_VALUE_MAX, p->value);
    if (id % 2 == 0) {
        must(p, peat_batch_put(p->batch, k, peat_bytes(p->value, size)), "batch_put");
        return;
    }
    must(p, peat_batch_put_reserve(p->batch, k, size, &room), "batch_put_reserve");
    memcpy(room, p->value, size);
}

static void write_batch(player *p)
{
    peat_write_options o = {.size = sizeof o, .sync = pick(p, 500) == 0};
    item items[HISTORY_BATCH_MAX];
    size_t n = choose_items(p, items);
    history_id id = next_id(p);
    peat_batch_clear(p->batch);
    for (size_t i = 0; i < n; i++)
        add_item(p, &items[i], id);
    history_record *r = NULL;
    for (size_t i = 0; i < n; i++)
        r = begin(p, items[i].gone ? HISTORY_DELETE : HISTORY_PUT, items[i].key, id);
    for (size_t i = 0; i < n; i++)
        r[-(ptrdiff_t)i].start = r[1 - (ptrdiff_t)n].start; /* one call */
    must(p, peat_write(p->db, &o, p->batch), "write");
    uint64_t end = test_now_ns();
    for (size_t i = 0; i < n; i++)
        r[-(ptrdiff_t)i].end = end;
}

/* --- reads -------------------------------------------------------------------------------- */

/* In one call, which sees one state however often it is asked. */
static history_id look_up_twice(player *p, const peat_read_options *o, uint32_t key, peat_slice k)
{
    peat_slice keys[3] = {k, k, k};
    peat_pinned pins[3] = {PEAT_PINNED_INIT, PEAT_PINNED_INIT, PEAT_PINNED_INIT};
    peat_rc rcs[3];
    history_id ids[3];
    must(p, peat_multi_get_pinned(p->db, o, 3, keys, pins, rcs), "a multi-get");
    for (int i = 0; i < 3; i++) {
        must(p, rcs[i], "a read of many");
        peat_slice v = peat_bytes(pins[i].data, pins[i].size);
        ids[i] = rcs[i] == PEAT_OK ? history_check_value(key, v, "multi_get") : 0;
        peat_unpin(&pins[i]);
    }
    if (ids[1] != ids[0] || ids[2] != ids[0])
        history_fail("key %u in one multi-get: %llx, %llx and %llx", key,
                     (unsigned long long)ids[0], (unsigned long long)ids[1],
                     (unsigned long long)ids[2]);
    return ids[0];
}

static history_id look_up(player *p, const peat_read_options *o, uint32_t key)
{
    char text[ROWS_KEY_MAX];
    peat_slice k = peat_bytes(text, rows_key(key, text));
    peat_pinned pin = PEAT_PINNED_INIT;
    uint64_t way = pick(p, 5);
    bool pinned = way == 0;
    if (way == 1)
        return look_up_twice(p, o, key, k);
    peat_rc rc = pinned ? peat_get_pinned(p->db, o, k, &pin) : peat_get(p->db, o, k, &p->buf);
    must(p, rc, "a read");
    peat_slice v = pinned ? peat_bytes(pin.data, pin.size) : peat_bytes(p->buf.data, p->buf.size);
    history_id id = rc == PEAT_OK ? history_check_value(key, v, "get") : 0;
    peat_unpin(&pin);
    return id;
}

static void read_one(player *p)
{
    peat_read_options o = {.size = sizeof o, .no_cache_fill = pick(p, 8) == 0};
    uint32_t key = pick(p, 3) ? contended_key(p) : (uint32_t)pick(p, HISTORY_KEYS);
    if (p->snapshot != NULL && pick(p, 8) == 0) {
        o.snapshot = p->snapshot;
        history_id id = look_up(p, &o, key);
        if (id != p->held->seen[key])
            history_fail("key %u at a snapshot: %llx, but a scan of it saw %llx", key,
                         (unsigned long long)id, (unsigned long long)p->held->seen[key]);
        atomic_fetch_add(&p->h->other_calls, 1);
        return;
    }
    history_record *r = begin(p, HISTORY_GET, key, 0);
    r->id = look_up(p, &o, key);
    r->end = test_now_ns();
}

/* --- the queue ---------------------------------------------------------------------------- */

#define TURN_MAX HISTORY_BATCH_MAX

static void submit_put(player *p, history_record **ret_record, bool sync, uint64_t tag)
{
    peat_write_options o = {.size = sizeof o, .sync = sync};
    char text[ROWS_KEY_MAX];
    uint32_t key = contended_key(p);
    history_id id = next_id(p);
    size_t size = rows_value(key, id, HISTORY_VALUE_MAX, p->value);
    *ret_record = begin(p, HISTORY_PUT, key, id);
    must(p,
         peat_queue_put(p->queue, NULL, &o, peat_bytes(text, rows_key(key, text)),
                        peat_bytes(p->value, size), tag),
         "a put of the queue");
}

static void submit_get(player *p, history_record **ret_record, uint64_t tag)
{
    char text[ROWS_KEY_MAX];
    uint32_t key = contended_key(p);
    *ret_record = begin(p, HISTORY_GET, key, 0);
    must(p, peat_queue_get(p->queue, NULL, NULL, peat_bytes(text, rows_key(key, text)), tag),
         "a get of the queue");
}

static void end_turn(player *p, history_record *const *records, size_t n)
{
    peat_completion done[TURN_MAX];
    size_t count = 0, some;
    peat_rc rc;
    while ((rc = peat_queue_poll(p->queue, done, 1 + pick(p, TURN_MAX), PEAT_QUEUE_WAIT, &some)) ==
           PEAT_OK) {
        uint64_t end = test_now_ns();
        for (size_t i = 0; i < some; i++, count++) {
            history_record *r = records[done[i].tag];
            must(p, done[i].rc, "an operation of the queue");
            if (r->end != 0)
                history_fail("an operation of a queue has ended twice");
            if (r->kind == HISTORY_GET && done[i].rc == PEAT_OK)
                r->id = history_check_value(r->key, done[i].value, "queue_get");
            r->end = end;
        }
    }
    must(p, rc, "a poll");
    if (rc != PEAT_END || count != n)
        history_fail("%zu of %zu operations of a queue have ended", count, n);
}

/* Several at once. Writes are all synced or none, so that they end in their order. */
static void use_queue(player *p)
{
    history_record *records[TURN_MAX];
    size_t n = 1 + pick(p, TURN_MAX);
    bool sync = pick(p, 100) == 0;
    if (p->queue == NULL)
        must(p, peat_queue_open(p->db, NULL, &p->queue), "queue_open");
    for (size_t i = 0; i < n; i++) {
        if (pick(p, 3) == 0)
            submit_put(p, &records[i], sync, i);
        else
            submit_get(p, &records[i], i);
    }
    end_turn(p, records, n);
}

/* --- states ------------------------------------------------------------------------------- */

/* The iterator still shows the state it was opened on. */
static void drop_held(player *p)
{
    if (p->it != NULL) {
        history_scan(p->it, (unsigned)pick(p, 4), p->scratch);
        for (uint32_t k = 0; k < HISTORY_KEYS; k++)
            if (p->scratch[k] != p->held->seen[k])
                history_fail("key %u: an open iterator shows %llx, and %llx before", k,
                             (unsigned long long)p->scratch[k],
                             (unsigned long long)p->held->seen[k]);
        atomic_fetch_add(&p->h->scanned_rows, HISTORY_KEYS);
    }
    peat_iter_close(p->it);
    peat_snapshot_close(p->snapshot);
    p->it = NULL;
    p->snapshot = NULL;
}

static void record_state(player *p)
{
    uint64_t at = atomic_load_explicit(&p->own->states, memory_order_relaxed);
    drop_held(p);
    if (at == p->h->states_max)
        return;
    history_state *s = &p->own->seen[at];
    peat_iter_options o = {.size = sizeof o};
    s->complete = false;
    s->start = test_now_ns();
    if (pick(p, 2))
        must(p, peat_snapshot_open(p->db, &p->snapshot), "snapshot_open");
    o.snapshot = p->snapshot;
    if (p->snapshot != NULL)
        s->end = test_now_ns();
    must(p, peat_iter_open(p->db, &o, &p->it), "iter_open");
    if (p->snapshot == NULL)
        s->end = test_now_ns();
    history_scan(p->it, (unsigned)pick(p, 4), s->seen);
    s->complete = true;
    p->held = s;
    atomic_fetch_add(&p->h->scanned_rows, HISTORY_KEYS);
    atomic_store_explicit(&p->own->states, at + 1, memory_order_release);
}

/* --- upkeep ------------------------------------------------------------------------------- */

static void keep_up(player *p)
{
    uint64_t what = pick(p, 16);
    if (what == 0) {
        history_record *r = begin(p, HISTORY_FLUSH, 0, 0);
        must(p, peat_flush(p->db), "flush");
        r->end = test_now_ns();
    } else if (what == 1) {
        char low[2] = {"0123456789abcdef"[pick(p, 16)], '\0'};
        must(p, peat_compact(p->db, peat_str(low), peat_unbounded(), NULL), "compact");
    } else if (what == 2) {
        must(p, peat_settle(p->db, 0), "settle");
    } else if (what < 5) {
        must(p, peat_sync(p->db), "sync");
    } else {
        must(p, peat_work(p->db, 1, NULL), "work");
    }
    atomic_fetch_add(&p->h->other_calls, 1);
}

static void step(player *p)
{
    uint64_t dice = pick(p, 4000);
    if (dice < 2)
        record_state(p);
    else if (dice < 10)
        keep_up(p);
    else if (dice < 1000)
        write_contended(p);
    else if (dice < 1500)
        write_owned(p);
    else if (dice < 2000)
        write_batch(p);
    else if (dice < 2400)
        use_queue(p);
    else
        for (int i = 0; i < 4; i++)
            read_one(p);
}

static void *play(void *arg)
{
    player *p = arg;
    for (;;) {
        uint64_t count = atomic_load_explicit(&p->own->count, memory_order_relaxed);
        if (count + ROOM > p->h->records_max || test_now_ns() > p->h->deadline)
            break;
        if (p->tell_fd >= 0 && (count >= p->tell_at || test_now_ns() > p->tell_ns)) {
            (void)!write(p->tell_fd, "k", 1);
            p->tell_fd = -1;
        }
        step(p);
    }
    drop_held(p);
    peat_queue_close(p->queue);
    peat_buf_free(&p->buf);
    peat_batch_free(p->batch);
    return NULL;
}

void history_play(history *h, peat_db *db, int tell_fd, uint64_t tell_at)
{
    player *players = calloc(h->threads, sizeof *players);
    for (uint32_t i = 0; i < h->threads; i++) {
        player *p = &players[i];
        p->h = h;
        p->db = db;
        p->number = i;
        p->own = &h->thread[i];
        p->random.state = h->seed * 1000003 + h->round * 16 + i;
        p->tell_fd = i == 0 ? tell_fd : -1;
        p->tell_at = tell_at;
        p->tell_ns = h->deadline - h->deadline_ns / h->records_max * tell_at;
        must(p, peat_batch_new(&p->batch), "batch_new");
        for (uint32_t k = 0; k < HISTORY_OWNED; k++)
            p->present[k] = h->initial[owned_key(p, k)] != 0;
    }
    for (uint32_t i = 0; i < h->threads; i++)
        if (pthread_create(&players[i].thread, NULL, play, &players[i]) != 0)
            history_fail("no thread");
    for (uint32_t i = 0; i < h->threads; i++)
        (void)pthread_join(players[i].thread, NULL);
    free(players);
}
