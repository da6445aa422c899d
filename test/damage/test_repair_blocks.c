/* SPDX-License-Identifier: MIT */
/*
 * test_repair_blocks.c - damage to a table of many blocks takes the blocks that it touches, and no
 * other, whatever becomes of the index.
 *
 * The undamaged store says which block holds which key. After the repair every newest version that
 * lies in a block the damage did not touch is in the new store. It may be doubtful only when the
 * damaged table is its own or a newer one, and a block is lost there between whose neighbours the
 * key lies (above the last key of the one before, up to the first key of the one behind): that is
 * where a newer version may have been. All else that comes out was written, and what is certain is
 * the newest. With --campaign: test/proof/repair.sh.
 * ctest: timeout=300
 */
#include "blocks_world.h"
#include "world/test.h"

#define NEW_DIR "mended"
#define SECTOR  512u

typedef enum kind { CUT, ZEROS, FLIP, BAD, KINDS } kind;

typedef struct damage {
    kind kind;
    size_t table;
    uint64_t from, to; /* what it touches */
    bool index_too;
} damage;

typedef struct outcome {
    uint8_t certain[BLOCKS_KEYS], doubtful[BLOCKS_KEYS];
    char why[200];
} outcome;

typedef struct tally {
    uint64_t trials, bad, kept, lost, doubtful;
} tally;

/* ---- damage ---- */

/* An environment in which sectors of one file cannot be read. One thread, one at a time. */
static struct {
    const peat_env *inner;
    peat_env env;
    const damage *d;
    const char *name;
    peat_env_file *file;
} disk;

static int bad_open(void *ctx, peat_env_dir *dir, const char *name, unsigned flags,
                    peat_env_file **ret_file)
{
    int e = disk.inner->file_open(ctx, dir, name, flags, ret_file);
    if (e == 0 && (flags & PEAT_ENV_FILE_WRITE) == 0 && strcmp(name, disk.name) == 0)
        disk.file = *ret_file;
    return e;
}

static void bad_close(void *ctx, peat_env_file *file)
{
    if (file == disk.file)
        disk.file = NULL;
    disk.inner->file_close(ctx, file);
}

static int bad_read(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t n,
                    size_t *ret_n)
{
    if (file == disk.file && offset < disk.d->to && disk.d->from < offset + n)
        return EIO;
    return disk.inner->file_read(ctx, file, offset, buf, n, ret_n);
}

static const peat_env *bad_disk(const peat_env *inner, const damage *d, const char *name)
{
    disk.inner = inner;
    disk.env = *inner;
    disk.d = d;
    disk.name = name;
    disk.file = NULL;
    disk.env.file_open = bad_open;
    disk.env.file_close = bad_close;
    disk.env.file_read = bad_read;
    return &disk.env;
}

static damage choose(const blocks_world *w, rng *r)
{
    damage d = {.kind = (kind)(rng_next(r) % KINDS)};
    d.table = rng_next(r) % w->table_count;
    const pt_table_meta *m = &w->tables[d.table].meta;
    uint64_t end = m->section[PT_SECTION_INDEX].offset;
    d.from = rng_next(r) % end;
    d.to = d.kind == CUT ? m->file_bytes : d.from + 1;
    d.index_too = d.kind == CUT || rng_next(r) % 3 != 0;
    if (d.kind == ZEROS || d.kind == BAD) {
        d.from -= d.from % SECTOR;
        uint64_t most = rng_next(r) % 4 == 0 ? 100 : 3;
        d.to = d.from + SECTOR * (1 + rng_next(r) % most);
        d.to = d.to < end ? d.to : end; /* the index has its own damage */
    }
    return d;
}

static void apply(const blocks_world *w, sim_env *sim, const damage *d)
{
    const blocks_table *t = &w->tables[d->table];
    const pt_table_meta *m = &t->meta;
    size_t size = 0;
    uint8_t *data = sim_file_get(sim, BLOCKS_DIR, t->name, &size);
    if (d->kind == CUT)
        size = d->from;
    if (d->kind == ZEROS)
        memset(data + d->from, 0, d->to - d->from);
    if (d->kind == FLIP)
        data[d->from] ^= 0x10;
    if (d->index_too && d->kind != CUT)
        data[m->section[PT_SECTION_INDEX].offset + 4] ^= 1;
    sim_file_put(sim, BLOCKS_DIR, t->name, data, size);
    free(data);
}

/* ---- judgement ---- */

__attribute__((format(printf, 2, 3))) static void wrong(outcome *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (o->why[0] == '\0')
        (void)vsnprintf(o->why, sizeof o->why, format, args);
    va_end(args);
}

static const blocks_world *now_world;
static outcome *now_outcome;

static void take(peat_slice key, peat_slice value, uint8_t *versions)
{
    static uint8_t expected[64 << 10];
    char text[16] = "";
    memcpy(text, key.data, key.size < 16 ? key.size : 15);
    uint32_t k = (uint32_t)strtoul(text + 1, NULL, 10);
    uint8_t version = value.size < 9 ? 0 : (uint8_t)(((const char *)value.data)[8] - '0');
    if (k >= BLOCKS_KEYS || blocks_key(k, text) != key.size ||
        memcmp(text, key.data, key.size) != 0 || version < 1 || version > 2 ||
        blocks_value(now_world, k, version, expected) != value.size ||
        memcmp(expected, value.data, value.size) != 0)
        wrong(now_outcome, "%s was never written like this", text);
    else
        versions[k] = version;
}

static bool take_doubtful(void *ctx, peat_slice key, peat_slice value)
{
    (void)ctx;
    take(key, value, now_outcome->doubtful);
    return true;
}

static bool touched(const blocks_block *b, const damage *d)
{
    return b->offset < d->to && d->from < b->offset + b->size;
}

/* A newer version of the key may have been in a block of the damaged table that was touched. */
static bool may_doubt(const blocks_world *w, const damage *d, uint32_t key)
{
    const blocks_table *t = &w->tables[d->table];
    if (!t->top && w->tables[w->table_of[key]].top)
        return false;
    for (size_t i = 0; i < t->count;) {
        size_t from = i;
        while (i < t->count && touched(&t->blocks[i], d))
            i++;
        bool above = from == 0 || key > t->blocks[from - 1].last;
        bool below = i == t->count || key <= t->blocks[i].first;
        if (i > from && above && below)
            return true;
        i += i == from;
    }
    return false;
}

static void judge(const blocks_world *w, const damage *d, outcome *o, tally *io)
{
    for (uint32_t key = 0; key < BLOCKS_KEYS; key++) {
        uint8_t truth = w->newest[key];
        const blocks_block *b = &w->tables[w->table_of[key]].blocks[w->block_of[key]];
        bool lost = w->table_of[key] == d->table && touched(b, d);
        if (o->certain[key] != 0 && o->certain[key] != truth)
            wrong(o, "key %" PRIu32 " is certain, and was overwritten or deleted", key);
        if (lost || truth == 0) {
            io->lost += lost;
            continue;
        }
        io->kept += o->certain[key] == truth;
        io->doubtful += o->doubtful[key] == truth;
        if (o->certain[key] == truth || (o->doubtful[key] == truth && may_doubt(w, d, key)))
            continue;
        wrong(o, "key %" PRIu32 " of the intact block @%" PRIu64 " of %s is %s", key, b->offset,
              w->tables[w->table_of[key]].name, o->doubtful[key] == truth ? "doubtful" : "missing");
    }
}

static void mend(const blocks_world *w, sim_env *sim, const damage *d, outcome *o)
{
    model_open open;
    peat_error e;
    peat_db *db = NULL;
    peat_iter *it = NULL;
    const peat_env *env = sim_peat(sim);
    if (d->kind == BAD)
        env = bad_disk(env, d, w->tables[d->table].name);
    blocks_options(w, env, &open);
    peat_repair_options repair = {
        .size = sizeof repair, .open = &open.options, .doubtful_fn = take_doubtful};
    now_world = w;
    now_outcome = o;
    peat_rc rc = peat_repair(BLOCKS_DIR, NEW_DIR, &repair, NULL, &e);
    if (rc != PEAT_OK) {
        wrong(o, "repair: %s, %s", peat_rc_name(rc), e.message);
        return;
    }
    blocks_options(w, sim_peat(sim), &open);
    assert_ok(peat_open(NEW_DIR, &open.options, &db, NULL));
    assert_ok(peat_iter_open(db, NULL, &it));
    while (peat_iter_next(it) == PEAT_OK)
        take(peat_iter_key(it), peat_iter_value(it), o->certain);
    peat_iter_close(it);
    assert_ok(peat_close(db));
    if (!sim_is_clean(sim))
        wrong(o, "something was left open or allocated");
}

static void try_damage(const blocks_world *w, const damage *d, tally *io)
{
    static const char *const names[KINDS] = {"cut", "zeros", "flip", "bad"};
    static const char *const shapes[BLOCKS_SHAPES] = {"pages", "blocks", "large ones"};
    static outcome o;
    memset(&o, 0, sizeof o);
    sim_env *sim = sim_clone_killed(w->sim);
    apply(w, sim, d);
    mend(w, sim, d, &o);
    if (o.why[0] == '\0')
        judge(w, d, &o, io);
    io->trials++;
    if (o.why[0] != '\0') {
        (void)fprintf(
            stderr, "world %" PRIu64 " (codec %d, %s), %s %s @%" PRIu64 "-%" PRIu64 "%s: %s\n",
            w->seed, (int)w->codec, shapes[w->shape], names[d->kind], w->tables[d->table].name,
            d->from, d->to, d->index_too ? " without index" : "", o.why);
        io->bad++;
    }
    sim_free(sim);
}

static void try_world(peat_compression codec, blocks_shape s, uint64_t seed, unsigned trials,
                      tally *io)
{
    blocks_world w;
    rng r;
    r.state = seed + 77;
    blocks_world_make(&w, codec, s, seed);
    for (unsigned i = 0; i < trials && io->bad < 20; i++) {
        damage d = choose(&w, &r);
        try_damage(&w, &d, io);
    }
    blocks_world_done(&w);
}

static void each_shape(peat_compression codec)
{
    tally sum = {0};
    for (int s = 0; s < BLOCKS_SHAPES; s++)
        try_world(codec, (blocks_shape)s, sim_seed(5 + (uint64_t)codec), 30, &sum);
    print_message("%" PRIu64 " repairs: %" PRIu64 " entries kept, %" PRIu64 " doubtful, %" PRIu64
                  " lost\n",
                  sum.trials, sum.kept, sum.doubtful, sum.lost);
    assert_int_equal(sum.bad, 0);
    assert_true(sum.lost != 0 && sum.kept > sum.lost);
}

TEST_LINE(TEST, blocks_without_a_codec, each_shape(PEAT_COMPRESSION_NONE))
TEST_LINE(TEST, blocks_of_lz4, each_shape(PEAT_COMPRESSION_LZ4))

TEST(blocks_of_zstd)
{
    if (pt_codec_present(PT_CODEC_ZSTD))
        each_shape(PEAT_COMPRESSION_ZSTD);
}

TEST_CAMPAIGN
{
    tally sum = {0};
    uint64_t seed = test_number("SEED", 1), n = test_number("N", UINT64_MAX);
    uint64_t end_ns = test_end_ns(60);
    unsigned codecs = pt_codec_present(PT_CODEC_ZSTD) ? 3 : 2;
    for (uint64_t i = 0; sum.trials < n && sum.bad < 20 && test_now_ns() < end_ns; i++)
        try_world((peat_compression)(1 + i % codecs), (blocks_shape)(i / codecs % BLOCKS_SHAPES),
                  seed + i, 40, &sum);
    printf("%" PRIu64 " trials, %" PRIu64 " violations; %" PRIu64
           " entries of blocks kept, %" PRIu64 " of them doubtful, %" PRIu64 " lost\n",
           sum.trials, sum.bad, sum.kept + sum.doubtful, sum.doubtful, sum.lost);
    if (sum.bad != 0)
        printf("rerun: SEED=%" PRIu64 " damage_test_repair_blocks --campaign\n", seed);
    return sum.bad != 0;
}
