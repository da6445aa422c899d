/* SPDX-License-Identifier: MIT */
/* model_run.c - runs a script: writes, point reads, and the comparing of values. */
#include "model/model_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int model_lie_kind = -1;

/* --- comparing --- */

void model_fail(model_state *m, const char *format, ...)
{
    va_list args;
    (void)fprintf(m->report, "operation %zu of %zu: ", m->op, m->script->count);
    model_op_print(&m->script->ops[m->op], m->report);
    va_start(args, format);
    (void)vfprintf(m->report, format, args);
    va_end(args);
    (void)fprintf(m->report, "\n");
    if (m->db != NULL) {
        peat_error error;
        (void)peat_db_error(m->db, &error);
        if (error.message[0] != '\0')
            (void)fprintf(m->report, "the store says: %s\n", error.message);
    }
    (void)fflush(m->report);
    _Exit(MODEL_EXIT_MISMATCH);
}

void model_expect(model_state *m, peat_rc found, peat_rc expected, const char *call)
{
    if (found != expected)
        model_fail(m, "%s: expected %s, found %s", call, peat_rc_name(expected),
                   peat_rc_name(found));
}

static const uint8_t *expected_bytes(model_state *m, model_value value)
{
    if (value.size > m->expected_capacity) {
        m->expected_capacity = 2 * (size_t)value.size;
        m->expected = realloc(m->expected, m->expected_capacity);
    }
    model_value_fill(value, m->expected);
    return m->expected;
}

static bool is_value(model_state *m, peat_slice found, model_value value)
{
    return found.size == value.size &&
           (value.size == 0 || memcmp(found.data, expected_bytes(m, value), value.size) == 0);
}

/* Which version of which key these bytes are, for the report. */
static void name_bytes(model_state *m, peat_slice found, char *ret_text, size_t capacity)
{
    for (size_t rank = 0; rank < m->oracle.ranks; rank++)
        for (size_t i = 0; i < m->oracle.of_rank[rank].count; i++) {
            const model_version *v = &m->oracle.of_rank[rank].versions[i];
            if (!v->deleted && v->value.size != 0 && is_value(m, found, v->value)) {
                (void)snprintf(ret_text, capacity,
                               "v%u.%u, which commit %" PRIu64 " gave to rank %zu", v->value.size,
                               v->value.seed, v->seq, rank);
                return;
            }
        }
    (void)snprintf(ret_text, capacity, "%zu bytes that were never written", found.size);
}

void model_expect_value(model_state *m, size_t rank, peat_slice found, model_value value,
                        const char *call)
{
    char text[160];
    if (is_value(m, found, value))
        return;
    name_bytes(m, found, text, sizeof text);
    model_fail(m, "%s of rank %zu: expected v%u.%u, found %s", call, rank, value.size, value.seed,
               text);
}

void model_expect_get(model_state *m, const peat_snapshot *snapshot, uint64_t seq, size_t rank,
                      bool no_fill)
{
    peat_read_options options = {
        .size = sizeof options, .snapshot = snapshot, .no_cache_fill = no_fill};
    const model_version *v = model_oracle_get(&m->oracle, rank, seq);
    peat_rc rc = peat_get(m->db, &options, m->keys.by_rank[rank], &m->buf);
    model_expect(m, rc, v ? PEAT_OK : PEAT_NOT_FOUND, "peat_get");
    if (v != NULL)
        model_expect_value(m, rank, peat_bytes(m->buf.data, m->buf.size), v->value, "peat_get");
}

enum { MANY = 24 };

/* In one call the keys that a loop of gets asks for, the first of them once more. */
static void expect_many(model_state *m, const model_op *op, const peat_snapshot *snapshot,
                        uint64_t seq)
{
    peat_read_options options = {
        .size = sizeof options, .snapshot = snapshot, .no_cache_fill = op->flag};
    size_t n = 1, ranks[MANY + 1] = {model_rank_of(m, op->key)};
    peat_slice keys[MANY + 1] = {m->keys.by_rank[ranks[0]]};
    peat_buf values[MANY + 1] = {PEAT_BUF_INIT};
    peat_rc rcs[MANY + 1];
    for (int64_t i = 0; i < op->n && n <= MANY; i++, n++) {
        ranks[n] = model_rank_of(m, op->key + i);
        keys[n] = m->keys.by_rank[ranks[n]];
    }
    model_expect(m, peat_multi_get(m->db, &options, n, keys, op->n % 4 == 3 ? NULL : values, rcs),
                 PEAT_OK, "peat_multi_get");
    for (size_t i = 0; i < n; i++) {
        const model_version *v = model_oracle_get(&m->oracle, ranks[i], seq);
        model_expect(m, rcs[i], v ? PEAT_OK : PEAT_NOT_FOUND, "a key of peat_multi_get");
        if (v != NULL && op->n % 4 != 3)
            model_expect_value(m, ranks[i], peat_bytes(values[i].data, values[i].size), v->value,
                               "peat_multi_get");
        peat_buf_free(&values[i]);
    }
}

/* --- writes --- */

size_t model_rank_of(const model_state *m, int64_t id)
{
    return m->keys.rank_of_id[(uint64_t)id % m->keys.ids];
}

static peat_slice key_of(const model_state *m, int64_t id)
{
    return m->keys.by_id[(uint64_t)id % m->keys.ids];
}

static void remember(model_state *m, const model_op *op, int64_t id, const model_value *value)
{
    if (model_lie_kind != (int)op->kind)
        model_oracle_set(&m->oracle, model_rank_of(m, id), value);
}

static void put_one(model_state *m, const model_op *op, int64_t id, model_value value)
{
    peat_write_options options = {.size = sizeof options, .sync = op->flag};
    const uint8_t *bytes = expected_bytes(m, value);
    model_expect(m, peat_put(m->db, &options, key_of(m, id), peat_bytes(bytes, value.size)),
                 PEAT_OK, "peat_put");
    m->oracle.seq++;
    remember(m, op, id, &value);
}

static void delete_one(model_state *m, const model_op *op, int64_t id)
{
    peat_write_options options = {.size = sizeof options, .sync = op->flag};
    model_expect(m, peat_delete(m->db, &options, key_of(m, id)), PEAT_OK, "peat_delete");
    m->oracle.seq++;
    remember(m, op, id, NULL);
}

static void add_item(model_state *m, peat_batch *batch, const model_item *item)
{
    peat_slice key = key_of(m, item->key);
    peat_rc rc;
    void *room = NULL;
    m->batch_bytes_min += key.size + (item->kind == MODEL_ITEM_DELETE ? 0 : item->value.size);
    if (item->kind == MODEL_ITEM_DELETE) {
        rc = peat_batch_delete(batch, key);
    } else if (item->kind == MODEL_ITEM_PUT) {
        rc = peat_batch_put(batch, key,
                            peat_bytes(expected_bytes(m, item->value), item->value.size));
    } else {
        rc = peat_batch_put_reserve(batch, key, item->value.size, &room);
        if (rc == PEAT_OK && item->value.size != 0)
            model_value_fill(item->value, room);
    }
    model_expect(m, rc, PEAT_OK, "adding to the batch");
    m->operations++;
}

typedef struct walking {
    model_state *m;
    const model_op *op;
    size_t next;
} walking;

static peat_rc see_operation(void *ctx, const peat_batch_op *found)
{
    walking *w = ctx;
    if (w->next == w->op->item_count)
        model_fail(w->m, "peat_batch_each: more than %zu operations", w->next);
    const model_item *item = &w->op->items[w->next++];
    bool deleted = item->kind == MODEL_ITEM_DELETE;
    if (found->kind != (deleted ? PEAT_BATCH_DELETE : PEAT_BATCH_PUT) ||
        scan_compare(found->key, key_of(w->m, item->key)) != 0)
        model_fail(w->m, "peat_batch_each: operation %zu is another", w->next - 1);
    if (!deleted)
        model_expect_value(w->m, model_rank_of(w->m, item->key), found->value, item->value,
                           "peat_batch_each");
    return PEAT_OK;
}

/* The first half is added, then operations that are taken back; the second half is appended. */
static void fill_batch(model_state *m, const model_op *op)
{
    size_t half = op->item_count / 2;
    peat_batch_clear(m->batch);
    peat_batch_clear(m->part);
    m->batch_bytes_min = 0;
    for (size_t i = 0; i < half; i++)
        add_item(m, m->batch, &op->items[i]);
    size_t mark = peat_batch_mark(m->batch), bytes_min = m->batch_bytes_min;
    for (size_t i = half; i < op->item_count; i++)
        add_item(m, i % 2 != 0 ? m->batch : m->part, &op->items[i]);
    model_expect(m, peat_batch_rollback_to(m->batch, mark), PEAT_OK, "peat_batch_rollback_to");
    model_expect(m, peat_batch_rollback_to(m->part, 0), PEAT_OK, "peat_batch_rollback_to");
    m->batch_bytes_min = bytes_min;
    for (size_t i = half; i < op->item_count; i++)
        add_item(m, m->part, &op->items[i]);
    model_expect(m, peat_batch_append(m->batch, m->part), PEAT_OK, "peat_batch_append");
    if (peat_batch_bytes(m->batch) < m->batch_bytes_min)
        model_fail(m, "peat_batch_bytes: %zu, less than its keys and values",
                   peat_batch_bytes(m->batch));
    if (peat_batch_count(m->batch) != op->item_count)
        model_fail(m, "peat_batch_count: expected %zu, found %zu", op->item_count,
                   peat_batch_count(m->batch));
    walking w = {.m = m, .op = op};
    model_expect(m, peat_batch_each(m->batch, see_operation, &w), PEAT_OK, "peat_batch_each");
}

static void write_batch(model_state *m, const model_op *op)
{
    peat_write_options options = {.size = sizeof options, .sync = op->flag};
    const model_op *filled = op->kind == MODEL_batch ? op : m->batch_op;
    if (filled == NULL)
        return;
    if (m->batch == NULL)
        model_expect(m, peat_batch_new(&m->batch), PEAT_OK, "peat_batch_new");
    if (m->part == NULL)
        model_expect(m, peat_batch_new(&m->part), PEAT_OK, "peat_batch_new");
    if (op->kind == MODEL_batch)
        fill_batch(m, op);
    m->batch_op = filled;
    model_expect(m, peat_write(m->db, &options, m->batch), PEAT_OK, "peat_write");
    m->oracle.seq++;
    for (size_t i = 0; i < filled->item_count; i++) {
        bool deleted = filled->items[i].kind == MODEL_ITEM_DELETE;
        remember(m, op, filled->items[i].key, deleted ? NULL : &filled->items[i].value);
    }
}

static void write_op(model_state *m, const model_op *op)
{
    if (op->kind == MODEL_put)
        put_one(m, op, op->key, op->value);
    else if (op->kind == MODEL_del)
        delete_one(m, op, op->key);
    else if (op->kind == MODEL_batch || op->kind == MODEL_again)
        write_batch(m, op);
    for (int64_t i = 0; i < op->n && op->kind == MODEL_load; i++, m->operations++)
        put_one(m, op, op->key + i, (model_value){op->value.size, op->value.seed + (uint32_t)i});
    for (int64_t i = 0; i < op->n && op->kind == MODEL_wipe; i++, m->operations++)
        delete_one(m, op, op->key + i);
}

/* --- reads --- */

/* The state a read looks at: of a snapshot slot, or the present one. */
static uint64_t moment_of(const model_state *m, const model_op *op,
                          const peat_snapshot **ret_snapshot)
{
    const model_snapshot_slot *slot = op->snapshot < 0 ? NULL : &m->snapshots[op->snapshot];
    *ret_snapshot = slot ? slot->snapshot : NULL;
    return *ret_snapshot ? slot->seq : m->oracle.seq;
}

static void pin_op(model_state *m, const model_op *op)
{
    model_pin_slot *slot = &m->pins[op->slot];
    peat_read_options options = {.size = sizeof options, .no_cache_fill = op->flag};
    uint64_t seq = moment_of(m, op, &options.snapshot);
    const model_version *v = model_oracle_get(&m->oracle, model_rank_of(m, op->key), seq);
    model_unpin(m, slot);
    peat_rc rc = peat_get_pinned(m->db, &options, key_of(m, op->key), &slot->pin);
    model_expect(m, rc, v ? PEAT_OK : PEAT_NOT_FOUND, "peat_get_pinned");
    if (v == NULL)
        return;
    slot->held = true;
    slot->rank = model_rank_of(m, op->key);
    slot->value = v->value;
    model_expect_value(m, slot->rank, peat_bytes(slot->pin.data, slot->pin.size), v->value,
                       "peat_get_pinned");
}

void model_unpin(model_state *m, model_pin_slot *slot)
{
    if (slot->held)
        model_expect_value(m, slot->rank, peat_bytes(slot->pin.data, slot->pin.size), slot->value,
                           "the bytes still pinned");
    peat_unpin(&slot->pin);
    slot->held = false;
}

static void snapshot_op(model_state *m, const model_op *op)
{
    model_snapshot_slot *slot = &m->snapshots[op->slot];
    peat_snapshot_close(slot->snapshot);
    slot->snapshot = NULL;
    if (op->kind == MODEL_snapshot) {
        model_expect(m, peat_snapshot_open(m->db, &slot->snapshot), PEAT_OK, "peat_snapshot_open");
        slot->seq = m->oracle.seq;
    }
}

static void exists_op(model_state *m, const model_op *op)
{
    peat_read_options options = {.size = sizeof options, .no_cache_fill = op->flag};
    uint64_t seq = moment_of(m, op, &options.snapshot);
    bool there = model_oracle_get(&m->oracle, model_rank_of(m, op->key), seq) != NULL;
    model_expect(m, peat_exists(m->db, &options, key_of(m, op->key)),
                 there ? PEAT_OK : PEAT_NOT_FOUND, "peat_exists");
    bool has = !there;
    model_expect(m, peat_has(m->db, &options, key_of(m, op->key), &has), PEAT_OK, "peat_has");
    if (has != there)
        model_fail(m, "peat_has: %d where peat_exists says %d", has, there);
}

static void read_op(model_state *m, const model_op *op)
{
    const peat_snapshot *snapshot;
    uint64_t seq = moment_of(m, op, &snapshot);
    if (op->kind == MODEL_reads)
        expect_many(m, op, snapshot, seq);
    for (int64_t i = 0; i < op->n && op->kind == MODEL_reads; i++, m->operations++)
        model_expect_get(m, snapshot, seq, model_rank_of(m, op->key + i), op->flag);
    if (op->kind == MODEL_reads)
        return;
    if (op->kind == MODEL_get)
        model_expect_get(m, snapshot, seq, model_rank_of(m, op->key), op->flag);
    else if (op->kind == MODEL_exists)
        exists_op(m, op);
    else if (op->kind == MODEL_pin)
        pin_op(m, op);
    else if (op->kind == MODEL_unpin)
        model_unpin(m, &m->pins[op->slot]);
    else
        snapshot_op(m, op);
}

/* --- all --- */

static void run_op(model_state *m, const model_op *op)
{
    switch (op->kind) {
    case MODEL_put:
    case MODEL_del:
    case MODEL_batch:
    case MODEL_load:
    case MODEL_wipe:
    case MODEL_again:
        write_op(m, op);
        break;
    case MODEL_get:
    case MODEL_reads:
    case MODEL_exists:
    case MODEL_pin:
    case MODEL_unpin:
    case MODEL_snapshot:
    case MODEL_release:
        read_op(m, op);
        break;
    case MODEL_sync:
    case MODEL_flush:
    case MODEL_compact:
    case MODEL_settle:
    case MODEL_work:
    case MODEL_check:
    case MODEL_size:
    case MODEL_stats:
    case MODEL_shape:
    case MODEL_cancel:
    case MODEL_busy:
        model_upkeep_op(m, op);
        break;
    case MODEL_open:
    case MODEL_copy:
    case MODEL_reopen:
    case MODEL_read_only:
    case MODEL_kill:
        model_life_op(m, op);
        break;
    case MODEL_async:
        model_async_op(m, op);
        break;
    case MODEL_iter:
    case MODEL_first:
    case MODEL_last:
    case MODEL_next:
    case MODEL_prev:
    case MODEL_seek:
    case MODEL_seek_for_prev:
    case MODEL_fill:
    case MODEL_fill_back:
    case MODEL_end:
    case MODEL_refresh:
    case MODEL_scan:
    case MODEL_KIND_COUNT:
        model_scan_op(m, op);
        break;
    }
}

/* Of many calls: each was counted when it was made. */
static bool is_counted(model_kind kind)
{
    return kind == MODEL_load || kind == MODEL_wipe || kind == MODEL_reads || kind == MODEL_next ||
           kind == MODEL_prev || kind == MODEL_scan || kind == MODEL_async;
}

void model_run(const model_script *s, FILE *report, uint64_t *ret_operations,
               uint64_t *ret_option_sets)
{
    model_state m = {.script = s, .report = report, .buf = PEAT_BUF_INIT};
    if (s->count != 0 && s->ops[0].kind == MODEL_open) {
        model_life_begin(&m, &s->ops[0]);
        for (m.op = 1; m.op < s->count; m.op++) {
            run_op(&m, &s->ops[m.op]);
            m.operations += !is_counted(s->ops[m.op].kind);
        }
        m.op = s->count - 1; /* the end is reported as part of the last one */
        model_life_end(&m);
    }
    *ret_operations = m.operations;
    *ret_option_sets = m.option_sets;
}
