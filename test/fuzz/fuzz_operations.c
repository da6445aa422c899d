/* SPDX-License-Identifier: MIT */
/*
 * fuzz_operations.c - bytes as calls of the interface, run against the oracle of the model test.
 * Input: flags (not used), options (one byte each), then operations: kind u8 and a few bytes for
 * each of its fields (MODEL_OP_LIST). Any bytes are a script; without threads a run is the same
 * every time.
 */
#include "fuzz/fuzz.h"
#include "model/model.h"

#include <stdlib.h>

#define OPS_MAX     64
#define VALUE_BYTES ((uint64_t)96 << 10) /* of a script: keeps a run within milliseconds */

typedef struct reader {
    pt_cursor c;
    model_keys keys;
    uint64_t bytes_left;
    uint32_t next_value;
} reader;

static int64_t number(reader *r, int64_t limit)
{
    return limit <= 0 ? 0 : (limit <= 256 ? pt_cursor_u8(&r->c) : fuzz_u16(&r->c)) % limit;
}

/* A power of two between 2^low and 2^high, or the derived size. */
static int64_t some_size(reader *r, int64_t low, int64_t high)
{
    int64_t n = number(r, high - low + 2);
    return n == 0 ? 0 : (int64_t)1 << (low + n - 1);
}

static void some_options(reader *r, int64_t keys, model_options *ret)
{
    int64_t *f = ret->field;
    memset(ret, 0, sizeof *ret);
    f[MODEL_OPTION_keys] = keys;
    f[MODEL_OPTION_written] = number(r, 2);
    f[MODEL_OPTION_events] = number(r, 4) == 3;
    f[MODEL_OPTION_threads] = -1;
    f[MODEL_OPTION_memory] = (int64_t)1 << (20 + number(r, 8) / 7);
    f[MODEL_OPTION_compression] = number(r, 4);
    f[MODEL_OPTION_memtable] = some_size(r, 10, 17);
    f[MODEL_OPTION_block] = some_size(r, 11, 14);
    f[MODEL_OPTION_partition] = some_size(r, 12, 16);
    f[MODEL_OPTION_table] = some_size(r, 11, 15);
    f[MODEL_OPTION_segment] = some_size(r, 12, 16);
    f[MODEL_OPTION_no_log] = number(r, 8) == 7;
    f[MODEL_OPTION_space] = number(r, 2) ? 0 : 105 + number(r, 255);
}

static model_value some_value(reader *r)
{
    static const uint32_t sizes[] = {0, 1, 7, 30, 100, 300, 1000, 4000, 5000, 20000, 40000};
    uint32_t size = sizes[number(r, sizeof sizes / sizeof *sizes)];
    if (size > r->bytes_left)
        size = 0;
    r->bytes_left -= size;
    return (model_value){size, ++r->next_value};
}

static void some_items(reader *r, model_op *op)
{
    op->items = calloc(MODEL_BATCH_MAX, sizeof *op->items);
    op->item_count = (size_t)number(r, MODEL_BATCH_MAX + 1);
    for (size_t i = 0; i < op->item_count; i++)
        op->items[i] = (model_item){.kind = (model_item_kind)number(r, 3),
                                    .key = (uint32_t)number(r, (int64_t)r->keys.ids),
                                    .value = some_value(r)};
}

static void some_field(reader *r, char letter, model_op *op)
{
    int64_t ids = (int64_t)r->keys.ids;
    if (letter == 'k')
        op->key = number(r, ids);
    else if (letter == 'K')
        op->key2 = number(r, ids + 1) - 1;
    else if (letter == 'v')
        op->value = some_value(r);
    else if (letter == 'n')
        op->n = 1 + number(r, 16);
    else if (letter == 's')
        op->slot = number(r, MODEL_SLOTS);
    else if (letter == '@')
        op->snapshot = number(r, MODEL_SLOTS + 1) - 1;
    else if (letter == 'f')
        op->flag = number(r, 2);
    else if (letter == 'p')
        op->prefix = number(r, 2) ? number(r, ids) : -1;
    else if (letter == 'b')
        some_items(r, op);
}

/* lower <= upper, and a prefix no longer than its key: what the calls ask of their caller. */
static void make_lawful(reader *r, model_op *op)
{
    if (op->kind == MODEL_load || op->kind == MODEL_wipe)
        op->value.size %= 400;
    if (op->kind == MODEL_iter) {
        size_t most = op->prefix < 0 ? 0 : r->keys.by_id[op->prefix].size;
        op->n = op->prefix < 0 ? 0 : (int64_t)((size_t)op->n % (most + 1));
    }
    if (op->kind != MODEL_iter && op->kind != MODEL_compact && op->kind != MODEL_size)
        return;
    if (op->key2 >= 0 && r->keys.rank_of_id[op->key] > r->keys.rank_of_id[op->key2]) {
        int64_t key = op->key;
        op->key = op->key2;
        op->key2 = key;
    }
    if (op->kind == MODEL_compact && op->key == op->key2)
        op->key2 = -1;
}

static void some_op(reader *r, int64_t keys, model_script *script)
{
    static const char *const fields[MODEL_KIND_COUNT] = {
#define FUZZ_FIELDS(name, fields, weight, class) fields,
        MODEL_OP_LIST(FUZZ_FIELDS)
#undef FUZZ_FIELDS
    };
    model_op op = {.snapshot = -1, .prefix = -1, .key2 = -1};
    op.kind = (model_kind)number(r, MODEL_KIND_COUNT);
    if (op.kind == MODEL_open)
        op.kind = MODEL_put;
    for (const char *f = fields[op.kind]; *f != '\0'; f++) {
        if (*f == 'o') {
            op.options = malloc(sizeof *op.options);
            some_options(r, keys, op.options);
        } else {
            some_field(r, *f, &op);
        }
    }
    make_lawful(r, &op);
    model_script_add(script, &op);
}

static size_t run(const uint8_t *data, size_t size)
{
    reader r = {.c = pt_cursor_of(data, size), .bytes_left = VALUE_BYTES};
    model_script script = {.seed = 1};
    model_op open = {.kind = MODEL_open};
    uint64_t operations = 0, option_sets = 0;
    (void)pt_cursor_u8(&r.c);
    int64_t keys = number(&r, MODEL_KEY_STYLES);
    model_keys_init(&r.keys, keys);
    open.options = malloc(sizeof *open.options);
    some_options(&r, keys, open.options);
    model_script_add(&script, &open);
    while (pt_cursor_left(&r.c) != 0 && script.count < OPS_MAX)
        some_op(&r, keys, &script);
    model_run(&script, stderr, &operations, &option_sets); /* ends the process on a mismatch */
    model_script_done(&script);
    model_keys_done(&r.keys);
    return (size_t)operations;
}

const fuzz_target fuzz_operations = {.name = "operations", .run = run, .size_max = 1024};
