/* SPDX-License-Identifier: MIT */
/* blocks_world.c - see blocks_world.h. */
#include "blocks_world.h"

#include "world/test.h"

#define NOT_HERE UINT32_MAX

size_t blocks_key(uint32_t key, char ret_text[16])
{
    return (size_t)snprintf(ret_text, 16, "k%06" PRIu32, key);
}

/* Now and then one that needs a block of its own, in turn of noise and of words. */
size_t blocks_value(const blocks_world *w, uint32_t key, uint8_t version, uint8_t *ret_bytes)
{
    char text[32];
    rng r;
    r.state = key * 3 + version;
    size_t n =
        w->shape == BLOCKS_PAGES ? 40 : 20 + rng_next(&r) % (w->shape == BLOCKS_PLAIN ? 60 : 200);
    if (w->shape == BLOCKS_LARGE && key % 300 == 7)
        n = 17000 + rng_next(&r) % 30000;
    for (size_t i = 0; i < n; i++)
        ret_bytes[i] = key % 2 != 0 ? (uint8_t)rng_next(&r) : (uint8_t)('0' + (i / 9 + key) % 12);
    (void)snprintf(text, sizeof text, "%07" PRIu32 ".%u", key, version);
    memcpy(ret_bytes, text, 9);
    return n;
}

void blocks_options(const blocks_world *w, const peat_env *env, model_open *ret_open)
{
    ret_open->host = (peat_host){.size = sizeof ret_open->host, .env = env};
    ret_open->test = (peat_test_options){.size = sizeof ret_open->test,
                                         .memtable_bytes = 4 << 20,
                                         .block_bytes = w->shape == BLOCKS_PAGES ? 4096 : 16384,
                                         .segment_bytes = 1 << 20};
    ret_open->options = (peat_options){.size = sizeof ret_open->options,
                                       .memory_bytes = 32 << 20,
                                       .threads = PEAT_THREADS_NONE,
                                       .compression = w->codec,
                                       .host = &ret_open->host,
                                       .test = &ret_open->test};
}

static void put(const blocks_world *w, peat_db *db, uint32_t key, uint8_t version)
{
    static uint8_t value[64 << 10];
    char k[16];
    peat_slice name = peat_bytes(k, blocks_key(key, k));
    if (version == 0)
        assert_ok(peat_delete(db, NULL, name));
    else
        assert_ok(
            peat_put(db, NULL, name, peat_bytes(value, blocks_value(w, key, version, value))));
}

/* ---- what lies where ---- */

static uint32_t key_of(pt_salvage_buffer *b, uint32_t slot, const pt_env *env)
{
    pt_bytes key;
    char text[16] = "";
    pt_bytes_init(&key, env);
    assert_ok(pt_salvage_put_key(&key, &b->view, slot));
    memcpy(text, key.data + PT_KEYSPACE_BYTES, key.size - PT_KEYSPACE_BYTES);
    pt_bytes_done(&key);
    return (uint32_t)strtoul(text + 1, NULL, 10);
}

static void map_blocks(blocks_world *w, blocks_table *t, pt_salvage *s, const pt_env *env)
{
    pt_salvage_buffer b;
    pt_salvage_buffer_init(&b, env);
    t->count = s->count;
    t->blocks = calloc(s->count, sizeof *t->blocks);
    for (size_t i = 0; i < s->count; i++) {
        assert_ok(pt_salvage_read(s, i, &s->extents[i], &b));
        t->blocks[i] = (blocks_block){.offset = s->extents[i].offset,
                                      .size = s->extents[i].size,
                                      .first = key_of(&b, 0, env),
                                      .last = key_of(&b, b.view.count - 1, env)};
        for (uint32_t slot = 0; slot < b.view.count; slot++) {
            uint32_t key = key_of(&b, slot, env);
            if (w->block_of[key] != NOT_HERE && !t->top)
                continue; /* a newer one is there */
            w->block_of[key] = (uint32_t)i;
            w->table_of[key] = (uint8_t)(t - w->tables);
        }
    }
    pt_salvage_buffer_done(&b);
}

static int map_table(void *arg, const char *name, bool regular_file, uint64_t size)
{
    blocks_world *w = arg;
    (void)size;
    if (!regular_file || name[0] != 't')
        return 0;
    assert_true(w->table_count < BLOCKS_TABLES);
    (void)snprintf(w->tables[w->table_count++].name, PT_TABLE_NAME_SIZE, "%s", name);
    return 0;
}

static void map_world(blocks_world *w)
{
    const pt_env *env = sim_peat(w->sim);
    pt_dir *dir = NULL;
    pt_sink sink;
    pt_epoch epoch;
    pt_sink_init(&sink);
    pt_epoch_init(&epoch);
    memset(w->block_of, 0xff, sizeof w->block_of);
    assert_int_equal(env->dir_open(env->ctx, BLOCKS_DIR, 0, &dir), 0);
    assert_int_equal(env->dir_list(env->ctx, dir, map_table, w), 0);
    for (int top = 1; top >= 0; top--) {
        for (size_t i = 0; i < w->table_count; i++) {
            blocks_table *t = &w->tables[i];
            pt_file *file = NULL;
            pt_bytes bytes;
            pt_table *opened = NULL;
            pt_salvage *s = NULL;
            pt_bytes_init(&bytes, env);
            assert_int_equal(env->file_open(env->ctx, dir, t->name, 0, &file), 0);
            assert_ok(pt_salvage_footer_read(env, file, &bytes, &t->meta));
            env->file_close(env->ctx, file);
            t->top = t->meta.run_kind != PT_RUN_BOTTOMMOST;
            if (t->top == (top != 0)) {
                assert_ok(pt_table_new(env, dir, &sink, &epoch, &t->meta, &opened));
                assert_ok(pt_salvage_new(env, opened, &s));
                map_blocks(w, t, s, env);
                pt_salvage_free(s);
                pt_table_free(opened);
            }
            pt_bytes_done(&bytes);
        }
    }
    env->dir_close(env->ctx, dir);
    pt_epoch_done(&epoch);
    pt_sink_done(&sink);
}

void blocks_world_make(blocks_world *w, peat_compression codec, blocks_shape s, uint64_t seed)
{
    model_open open;
    peat_db *db = NULL;
    rng r;
    memset(w, 0, sizeof *w);
    r.state = seed;
    w->seed = seed;
    w->codec = codec;
    w->shape = s;
    w->sim = sim_new(seed);
    blocks_options(w, sim_peat(w->sim), &open);
    assert_ok(peat_open(BLOCKS_DIR, &open.options, &db, NULL));
    for (uint32_t key = 0; key < BLOCKS_KEYS; key++)
        put(w, db, key, w->newest[key] = 1);
    assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
    uint32_t step = 2 + (uint32_t)(rng_next(&r) % 5);
    for (uint32_t key = (uint32_t)(rng_next(&r) % 9); key < BLOCKS_KEYS;
         key += 7 + (uint32_t)(rng_next(&r) % step)) /* so few that no merge is due at the close */
        put(w, db, key, w->newest[key] = rng_next(&r) % 5 == 0 ? 0 : 2);
    assert_ok(peat_flush(db));
    assert_ok(peat_close(db));
    map_world(w);
    size_t tops = 0;
    for (size_t i = 0; i < w->table_count; i++)
        tops += w->tables[i].top;
    assert_true(tops != 0 && tops < w->table_count);
}

void blocks_world_done(blocks_world *w)
{
    for (size_t i = 0; i < w->table_count; i++)
        free(w->tables[i].blocks);
    sim_free(w->sim);
}
