/* SPDX-License-Identifier: MIT */
/* model_generate.c - a script from a seed: options, a mood (what it does most), operations. */
#include "model/model.h"

#include <stdlib.h>

#define SLOW_OPS 1500 /* on a real disk, and where scans of all are frequent */
#define HUGE_OPS 300  /* with keys of 64 KiB */

typedef struct generator {
    rng r;
    model_options options; /* of the open in force */
    size_t ids;
    uint64_t hot;        /* most operations stay among so many ids */
    uint32_t next_value; /* no value seed comes twice */
    unsigned big_values; /* in 10,000 values, so many of MiB size */
    unsigned spread;     /* operations that cost as much as a scan of all come so much less often */
    uint64_t weight[MODEL_KIND_COUNT], weight_sum;
} generator;

static void choose_mood(generator *g)
{
    static const uint64_t base[MODEL_KIND_COUNT] = {
#define MODEL_OP_WEIGHT(name, fields, weight, class) weight,
        MODEL_OP_LIST(MODEL_OP_WEIGHT)
#undef MODEL_OP_WEIGHT
    };
    static const model_class class_of[MODEL_KIND_COUNT] = {
#define MODEL_OP_CLASS(name, fields, weight, class) MODEL_##class,
        MODEL_OP_LIST(MODEL_OP_CLASS)
#undef MODEL_OP_CLASS
    };
    static const uint64_t factors[] = {1, 4, 4, 8, 16};
    uint64_t factor[MODEL_CLASS_COUNT];
    for (int c = 0; c < MODEL_CLASS_COUNT; c++)
        factor[c] = factors[rng_below(&g->r, 5)];
    for (int k = 0; k < MODEL_KIND_COUNT; k++)
        g->weight_sum += g->weight[k] =
            base[k] * factor[class_of[k]] * (class_of[k] == MODEL_RARE ? 1 : g->spread);
}

static int64_t some_key(generator *g)
{
    uint64_t limit = rng_below(&g->r, 4) ? g->hot : g->ids;
    return (int64_t)rng_below(&g->r, limit);
}

static model_value some_value(generator *g)
{
    uint64_t size, dice = rng_below(&g->r, 10000);
    if (g->spread > 4)
        dice = dice < 100 ? 900 : dice < 9500 ? 3500 : dice; /* many operations, small values */
    if (dice < g->big_values)
        size = ((uint64_t)1 << 20) + rng_below(&g->r, 3 << 20);
    else if (dice < 150)
        size = 65536 + rng_below(&g->r, 400000);
    else if (dice < 900)
        size = 1000 + rng_below(&g->r, 20000);
    else if (dice < 3500)
        size = 64 + rng_below(&g->r, 1000);
    else if (dice < 9500)
        size = rng_below(&g->r, 64);
    else
        size = 0;
    return (model_value){(uint32_t)size, ++g->next_value};
}

static void some_items(generator *g, model_op *op)
{
    op->items = calloc(MODEL_BATCH_MAX, sizeof *op->items);
    op->item_count = rng_below(&g->r, MODEL_BATCH_MAX + 1);
    for (size_t i = 0; i < op->item_count; i++) {
        op->items[i].kind = (model_item_kind)rng_below(&g->r, 3);
        op->items[i].key = (uint32_t)some_key(g);
        op->items[i].value = some_value(g);
    }
}

static void some_options(generator *g, model_op *op)
{
    if (rng_below(&g->r, 2) && op->kind != MODEL_open) {
        model_options fresh;
        model_options_random(&g->r, &fresh);
        fresh.field[MODEL_OPTION_keys] = g->options.field[MODEL_OPTION_keys];
        fresh.field[MODEL_OPTION_disk] = g->options.field[MODEL_OPTION_disk];
        g->options = fresh;
    }
    op->options = malloc(sizeof *op->options);
    *op->options = g->options;
}

/* lower <= upper, or no upper bound. */
static void order_bounds(const model_keys *k, model_op *op)
{
    if (op->key >= 0 && op->key2 >= 0 && k->rank_of_id[op->key] > k->rank_of_id[op->key2]) {
        int64_t key = op->key;
        op->key = op->key2;
        op->key2 = key;
    }
    if (op->kind == MODEL_compact && op->key == op->key2)
        op->key2 = -1;
}

static void some_range(generator *g, const model_keys *k, model_op *op)
{
    op->key = rng_below(&g->r, 2) ? some_key(g) : -1;
    op->key2 = rng_below(&g->r, 2) ? some_key(g) : -1;
    order_bounds(k, op);
    op->prefix = rng_below(&g->r, 4) ? -1 : some_key(g);
    op->n = op->prefix < 0 ? 0 : (int64_t)rng_below(&g->r, k->by_id[op->prefix].size + 1);
}

static model_op some_op(generator *g, const model_keys *k)
{
    model_op op = {.snapshot = -1, .prefix = -1, .key2 = -1};
    uint64_t dice = rng_below(&g->r, g->weight_sum);
    while (dice >= g->weight[op.kind])
        dice -= g->weight[op.kind++];
    op.key = some_key(g);
    op.slot = (int64_t)rng_below(&g->r, MODEL_SLOTS);
    op.snapshot = rng_below(&g->r, 2) ? -1 : (int64_t)rng_below(&g->r, MODEL_SLOTS);
    op.flag = rng_below(&g->r, 6) == 0;
    op.n = 1 + (int64_t)rng_below(&g->r, rng_below(&g->r, 4) ? 6 : 60);
    if (g->spread > 4 && op.kind != MODEL_work && op.kind != MODEL_cancel)
        op.n *= 1 + (int64_t)rng_below(&g->r, 10);
    op.value = some_value(g);
    if (op.kind == MODEL_iter || op.kind == MODEL_compact || op.kind == MODEL_size)
        some_range(g, k, &op);
    if (op.kind == MODEL_load) {
        op.value.size %= 2000;
        op.n = 1 + (int64_t)rng_below(&g->r, g->ids / 4);
        if (g->spread > 4)
            op.value.size %= 100;
        g->next_value += (uint32_t)op.n;
    }
    if (op.kind == MODEL_wipe)
        op.n = 1 + (int64_t)rng_below(&g->r, g->ids / 4);
    if (op.kind == MODEL_batch)
        some_items(g, &op);
    if (op.kind == MODEL_reopen || op.kind == MODEL_read_only || op.kind == MODEL_kill ||
        op.kind == MODEL_copy)
        some_options(g, &op);
    return op;
}

/* ---- queues ---- */

/* Neighbours in the order of keys, put at one end and taken from the other or from the same one. */
typedef struct queue {
    generator *g;
    rng r; /* of its own: the rest of a script stays as it was */
    uint32_t *id_of_rank;
    model_script *script;
} queue;

static void queue_op(queue *q, model_kind kind, size_t rank)
{
    model_op op = {.kind = kind, .key = -1, .key2 = -1, .prefix = -1, .snapshot = -1, .n = 1};
    op.slot = (int64_t)rng_below(&q->r, MODEL_SLOTS);
    if (kind == MODEL_put || kind == MODEL_del)
        op.key = q->id_of_rank[rank];
    if (kind == MODEL_put)
        op.value = (model_value){(uint32_t)rng_below(&q->r, 40), ++q->g->next_value};
    if (kind == MODEL_iter && rng_below(&q->r, 3) == 0)
        op.snapshot = (int64_t)rng_below(&q->r, MODEL_SLOTS);
    model_script_add(q->script, &op);
}

static void look(queue *q, bool back)
{
    if (rng_below(&q->r, 3) != 0)
        queue_op(q, MODEL_iter, 0);
    queue_op(q, back ? MODEL_last : MODEL_first, 0);
    if (rng_below(&q->r, 4) == 0)
        queue_op(q, rng_below(&q->r, 2) ? MODEL_next : MODEL_prev, 0);
}

static void queue_phase(queue *q, size_t ranks)
{
    size_t head = rng_below(&q->r, ranks), tail = head, steps = 10 + rng_below(&q->r, 80);
    bool stack = rng_below(&q->r, 3) == 0, filling = true;
    for (; steps > 0; steps--) {
        filling = head == tail || (filling ? rng_below(&q->r, 12) : rng_below(&q->r, 8) == 0);
        if (filling && tail == ranks)
            return;
        look(q, rng_below(&q->r, 8) ? stack : !stack);
        if (filling)
            queue_op(q, MODEL_put, tail++);
        else
            queue_op(q, MODEL_del, stack ? --tail : head++);
    }
}

/* Operations of a queue of the store's, many at once. */
static void some_async(queue *q)
{
    model_op op = {.kind = MODEL_async, .key2 = -1, .prefix = -1, .snapshot = -1};
    op.key = (int64_t)rng_below(&q->r, q->g->hot);
    op.n = 1 + (int64_t)rng_below(&q->r, rng_below(&q->r, 4) ? 20 : 100);
    op.slot = (int64_t)rng_below(&q->r, MODEL_SLOTS);
    op.flag = rng_below(&q->r, 6) == 0;
    model_script_add(q->script, &op);
}

void model_generate(uint64_t seed, size_t count, model_script *ret_script)
{
    generator g = {.r = {seed}};
    model_keys keys;
    model_op open = {.kind = MODEL_open};
    *ret_script = (model_script){.seed = seed};
    model_options_random(&g.r, &g.options);
    model_keys_init(&keys, g.options.field[MODEL_OPTION_keys]);
    g.ids = keys.ids;
    g.hot = 1 + rng_below(&g.r, rng_below(&g.r, 2) ? 12 : keys.ids);
    /* what costs a hundred times more than the rest comes in short scripts */
    if (g.options.field[MODEL_OPTION_disk] == 1 && count > SLOW_OPS)
        count = SLOW_OPS;
    if (keys.ids < 50 && count > HUGE_OPS)
        count = HUGE_OPS;
    g.spread = 1u << (2 * rng_below(&g.r, 4));
    while (g.spread > 1 && g.spread > count / 200)
        g.spread /= 4;
    if (count > (size_t)SLOW_OPS * g.spread)
        count = (size_t)SLOW_OPS * g.spread;
    g.big_values = rng_below(&g.r, 6) || g.spread > 4 ? 0 : 15;
    choose_mood(&g);
    some_options(&g, &open);
    model_script_add(ret_script, &open);
    queue q = {.g = &g, .r = {seed + 77}, .script = ret_script};
    queue a = {.g = &g, .r = {seed + 78}, .script = ret_script};
    q.id_of_rank = calloc(keys.ids, sizeof *q.id_of_rank);
    for (uint32_t id = 0; id < keys.ids; id++)
        q.id_of_rank[keys.rank_of_id[id]] = id;
    for (size_t i = 1; i < count; i++) {
        model_op op = some_op(&g, &keys);
        model_script_add(ret_script, &op);
        if (rng_below(&q.r, 100) == 0)
            queue_phase(&q, keys.ids);
        if (rng_below(&a.r, 30 * g.spread) == 0)
            some_async(&a);
    }
    free(q.id_of_rank);
    model_keys_done(&keys);
}

void model_vary(uint64_t seed, model_script *io_script)
{
    rng r = {seed};
    for (size_t i = 0; i < io_script->count; i++) {
        model_options *o = io_script->ops[i].options, fresh;
        if (o == NULL)
            continue;
        model_options_random(&r, &fresh);
        fresh.field[MODEL_OPTION_keys] = o->field[MODEL_OPTION_keys];
        fresh.field[MODEL_OPTION_disk] = o->field[MODEL_OPTION_disk];
        *o = fresh;
    }
}
