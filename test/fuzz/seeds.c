/* SPDX-License-Identifier: MIT */
/*
 * seeds.c - valid inputs: files of stores that are written here in the simulated environment, cut
 * into what each target takes. Every input is given twice, as it is and with FUZZ_REPAIR.
 */
#include "base/hash.h"
#include "entry/batch.h"
#include "fuzz/fuzz.h"
#include "fuzz/fuzz_open.h"
#include "log/log.h"
#include "log/log_format.h"
#include "model/model.h"
#include "table/table_internal.h"

#include <stdlib.h>

#define STORE_ID 0x1122334455667788ULL /* as in fuzz_log.c */

typedef struct seeding {
    fuzz_seed_fn take;
    void *ctx;
    sim_env *sim;
    uint8_t *bytes; /* the input under way */
    size_t size, capacity;
    size_t files; /* of a directory, taken so far */
} seeding;

static void add(seeding *s, const void *data, size_t size)
{
    if (s->size + size > s->capacity) {
        s->capacity = 2 * (s->size + size);
        s->bytes = realloc(s->bytes, s->capacity);
        FUZZ_REQUIRE(s->bytes != NULL, "there is memory");
    }
    if (size != 0)
        memcpy(s->bytes + s->size, data, size);
    s->size += size;
}

static void add_number(seeding *s, uint64_t number, size_t size)
{
    uint8_t p[8];
    pt_put_u64(p, number);
    add(s, p, size);
}

static void begin(seeding *s)
{
    s->size = 0;
    add_number(s, 0, 1);
}

static void end(seeding *s, const fuzz_target *target, unsigned flags)
{
    if (s->size > target->size_max)
        return;
    s->bytes[0] = (uint8_t)flags;
    s->take(s->ctx, target, s->bytes, s->size);
    s->bytes[0] = (uint8_t)(flags | FUZZ_REPAIR);
    s->take(s->ctx, target, s->bytes, s->size);
}

static size_t without_zeros(const uint8_t *data, size_t size)
{
    while (size > 0 && data[size - 1] == 0)
        size--;
    return size;
}

/* --- pieces of a table --- */

static void piece(seeding *s, unsigned kind, const uint8_t *data, size_t size)
{
    begin(s);
    add_number(s, kind, 1);
    add(s, data, size);
    end(s, &fuzz_pieces, 0);
}

static void seed_index(seeding *s, const pt_table_meta *m, const uint8_t *data, size_t size)
{
    begin(s);
    add_number(s, 1, 1);
    add_number(s, m->block_count, 4);
    add_number(s, m->entries, 4);
    add_number(s, m->section[PT_SECTION_INDEX].offset, 8);
    add(s, data, size);
    end(s, &fuzz_pieces, 0);
}

/* The first block: it ends where the second begins, as the index says, or after a page. */
static size_t first_block_size(const pt_table_meta *m, const uint8_t *file)
{
    uint64_t at = m->section[PT_SECTION_INDEX].offset;
    uint64_t samples[64];
    pt_index x;
    if (m->block_count >= 512 ||
        pt_index_view(&x, pt_slice_of(file + at, m->section[PT_SECTION_INDEX].size - 8),
                      m->block_count, m->entries, at, samples) != NULL)
        return 0;
    return x.offsets != NULL ? (size_t)pt_index_offset(&x, 1) : (size_t)pt_min_u64(at, 4096);
}

static void seed_table(seeding *s, const uint8_t *file, size_t size)
{
    pt_table_meta m;
    size_t trailer = size - PT_TABLE_TRAILER_BYTES, n = pt_get_u32(file + trailer);
    const uint8_t *meta = file + trailer - n;
    FUZZ_REQUIRE(pt_table_meta_decode(pt_slice_of(meta, n), &m) == PEAT_OK, "a table has a footer");
    piece(s, 6, meta, n);
    seed_index(s, &m, file + m.section[PT_SECTION_INDEX].offset,
               (size_t)m.section[PT_SECTION_INDEX].size - 8);
    for (unsigned k = PT_SECTION_FILTER; k <= PT_SECTION_LOCATOR; k++)
        if (m.section[k].size != 0)
            piece(s, k + 1, file + m.section[k].offset, (size_t)m.section[k].size - 8);
    n = m.entries != 0 ? first_block_size(&m, file) : 0;
    if (n > 8)
        piece(s, m.codec == PT_CODEC_NONE ? 0 : m.codec == PT_CODEC_LZ4 ? 4 : 5, file, n - 8);
    begin(s);
    add(s, file, size);
    end(s, &fuzz_table, 0);
}

/* --- a store's directory --- */

static int seed_one_table(void *arg, const char *name, bool regular_file, uint64_t size)
{
    seeding *s = arg;
    size_t n = 0;
    if (!regular_file || name[0] != 't' || size < 64)
        return 0;
    uint8_t *file = sim_file_get(s->sim, "db", name, &n);
    seed_table(s, file, n);
    free(file);
    return 0;
}

static void add_heads(seeding *s)
{
    size_t n = 0;
    uint8_t *peat = sim_file_get(s->sim, "db", "PEAT", &n);
    add(s, peat + 8, 64);
    add(s, peat + 4096 + 8, 64);
    free(peat);
}

static int add_file(void *arg, const char *name, bool regular_file, uint64_t size)
{
    seeding *s = arg;
    size_t n = 0;
    static const char letters[] = "mwt";
    const char *letter = strchr(letters, name[0]);
    if (!regular_file || letter == NULL || name[1] != '-' || s->files >= 11)
        return 0;
    (void)size;
    uint8_t *file = sim_file_get(s->sim, "db", name, &n);
    if (name[0] != 't') /* a segment's second header is made again */
        n = without_zeros(file, name[0] == 'w' ? n - PT_LOG_SEGMENT_HEADER : n);
    add_number(s, (uint64_t)(letter - letters) + 1, 1);
    add_number(s, strtoull(name + 2, NULL, 10), 1);
    add_number(s, n, 2);
    add(s, file, n);
    free(file);
    s->files++;
    return 0;
}

static void seed_directory(seeding *s)
{
    begin(s);
    add_number(s, 0, 2); /* kind and number of PEAT */
    add_number(s, 128, 2);
    add_heads(s);
    s->files = 0;
    (void)sim_file_list(s->sim, "db", add_file, s);
    end(s, &fuzz_store, 0);
}

static void seed_manifest(seeding *s)
{
    size_t n = 0, peat_size = 0;
    uint8_t *file = sim_file_get(s->sim, "db", "m-000001", &n);
    uint8_t *peat = sim_file_get(s->sim, "db", "PEAT", &peat_size);
    begin(s);
    add_number(s, 0, 2);
    add_heads(s);
    add_number(s, 0, 1);
    add(s, file, without_zeros(file, n));
    end(s, &fuzz_manifest, 0);
    begin(s);
    add_number(s, 0, 2);
    for (size_t slot = 0; slot < 2 * 4096; slot += 4096)
        pt_put_u32(peat + slot + 16, 2);
    add(s, peat + 8, 64);
    add(s, peat + 4096 + 8, 64);
    memset(peat, 0, FUZZ_NAMES_BYTES);
    memcpy(peat, "\x0blong-prefix", 12);
    add(s, peat, FUZZ_NAMES_BYTES);
    add_number(s, 0, 1);
    add(s, file, without_zeros(file, n));
    end(s, &fuzz_manifest, FUZZ_NAMES);
    free(file);
    free(peat);
}

static peat_rc take_stream(void *ctx, const void *data, size_t size)
{
    add(ctx, data, size);
    return PEAT_OK;
}

/* Keys and values of a shape; some overwritten, some deleted, some in a batch. */
static void fill(peat_db *db, unsigned shape, unsigned from, unsigned to)
{
    static const char *const forms[] = {"k%03u", "user/%u/name", "%08u", "%u"};
    peat_batch *batch = NULL;
    FUZZ_REQUIRE(peat_batch_new(&batch) == PEAT_OK, "there is memory");
    for (unsigned i = from; i < to; i++) {
        char key[40], value[800];
        size_t size = shape == 1 ? 300 + i % 400 : 4 + i * 7 % 40;
        (void)snprintf(key, sizeof key, forms[shape % 4], i * 37 % 1000);
        for (size_t k = 0; k < size; k++)
            value[k] = (char)(k % 16 < 9 ? 'a' + (char)(i % 20) : (char)pt_mix(i + k));
        FUZZ_REQUIRE((i % 9 == 8 ? peat_delete(db, NULL, peat_str(key))
                      : i % 5 == 4
                          ? peat_batch_put(batch, peat_str(key), peat_bytes(value, size))
                          : peat_put(db, NULL, peat_str(key), peat_bytes(value, size))) == PEAT_OK,
                     "a store takes writes");
    }
    FUZZ_REQUIRE(peat_write(db, NULL, batch) == PEAT_OK, "and batches");
    peat_batch_free(batch);
}

static void seed_store(seeding *s, unsigned shape, peat_compression compression)
{
    fuzz_options o;
    peat_db *db = NULL;
    peat_snapshot *snapshot = NULL;
    s->sim = sim_new(7 + shape);
    fuzz_options_make(&o, sim_peat(s->sim));
    o.options.compression = compression;
    o.test.partition_bytes = o.test.table_bytes = shape == 2 ? 4096 : 0;
    FUZZ_REQUIRE(peat_open("db", &o.options, &db, NULL) == PEAT_OK, "a store is made");
    fill(db, shape, 0, 60);
    FUZZ_REQUIRE(peat_snapshot_open(db, &snapshot) == PEAT_OK, "a snapshot is opened");
    fill(db, shape, 20, 50);
    FUZZ_REQUIRE(peat_flush(db) == PEAT_OK, "a store flushes");
    seed_directory(s);
    if (shape % 2 == 0)
        peat_snapshot_close(snapshot);
    (void)!peat_compact(db, peat_unbounded(), peat_unbounded(), NULL);
    fill(db, shape, 40, 75);
    FUZZ_REQUIRE(peat_flush(db) == PEAT_OK, "a store flushes");
    fill(db, shape, 10, 30);
    (void)sim_file_list(s->sim, "db", seed_one_table, s);
    seed_directory(s);
    seed_manifest(s);
    begin(s);
    FUZZ_REQUIRE(peat_export(db, NULL, take_stream, s) == PEAT_OK, "a store is exported");
    end(s, &fuzz_stream, 0);
    if (shape % 2 != 0)
        peat_snapshot_close(snapshot);
    FUZZ_REQUIRE(peat_close(db) == PEAT_OK, "a store closes");
    seed_directory(s);
    seed_manifest(s);
    sim_free(s->sim);
}

/* --- the log --- */

static int add_segment(void *arg, const char *name, bool regular_file, uint64_t size)
{
    seeding *s = arg;
    size_t n = 0;
    if (!regular_file || name[0] != 'w')
        return 0;
    uint8_t *file = sim_file_get(s->sim, "db", name, &n);
    n = without_zeros(file, n - PT_LOG_SEGMENT_HEADER); /* of the second header it is a copy */
    add_number(s, (size >> 10) - 4, 1);
    add_number(s, n, 2);
    add(s, file, n);
    free(file);
    return 0;
}

/* Records of the sizes given; idle and sealed ends too. */
static void seed_log(seeding *s, const size_t *sizes, size_t count, bool seal)
{
    const pt_env *env;
    pt_dir *dir = NULL;
    pt_sink sink;
    pt_log *log = NULL;
    pt_log_options options = {.store_id = STORE_ID,
                              .open_count = 1,
                              .serial_next = 1,
                              .segment_bytes_min = 4096,
                              .segment_bytes_max = 4096};
    uint64_t position = 0;
    s->sim = sim_new(3);
    env = sim_peat(s->sim);
    pt_sink_init(&sink);
    FUZZ_REQUIRE(env->dir_open(env->ctx, "db", PEAT_ENV_DIR_CREATE, &dir) == 0 &&
                     pt_log_new(env, dir, &sink, &options, &log) == PEAT_OK,
                 "a log is made");
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = calloc(1, sizes[i] + 1);
        memset(p, 'a' + (int)(i % 26), sizes[i] / 2);
        FUZZ_REQUIRE(pt_log_append(log, i + 1, 1, pt_slice_of(p, sizes[i]), pt_hash(p, sizes[i]),
                                   &position) == PEAT_OK,
                     "records are appended");
        free(p);
        if (i % 3 == 2)
            FUZZ_REQUIRE(pt_log_sync(log, position) == PEAT_OK, "and synced");
    }
    FUZZ_REQUIRE((seal ? pt_log_seal(log) : pt_log_write(log, position)) == PEAT_OK, "and ended");
    begin(s);
    add_number(s, 0, 2); /* serial_min, seq_min */
    (void)sim_file_list(s->sim, "db", add_segment, s);
    end(s, &fuzz_log, 0);
    end(s, &fuzz_log, 2);
    pt_log_free(log);
    env->dir_close(env->ctx, dir);
    pt_sink_done(&sink);
    sim_free(s->sim);
}

static void seed_logs(seeding *s)
{
    static const size_t small[] = {0, 1, 40, 15, 16, 17, 100, 3, 64};
    static const size_t large[] = {30, 5000, 20, 3700, 900};
    seed_log(s, small, PT_COUNT_OF(small), false);
    seed_log(s, small, 4, true);
    seed_log(s, large, PT_COUNT_OF(large), false);
    seed_log(s, large, 2, true);
}

/* --- what has no file --- */

static void seed_batch(seeding *s)
{
    pt_batch b;
    pt_batch_init(&b, peat_env_default());
    FUZZ_REQUIRE(pt_batch_put(&b, 1, pt_slice_of("a", 1), pt_slice_of("xy", 2)) == PEAT_OK &&
                     pt_batch_delete(&b, 1, pt_slice_of("bc", 2)) == PEAT_OK &&
                     pt_batch_put(&b, 1, pt_slice_of("", 0), pt_slice_of("", 0)) == PEAT_OK,
                 "there is memory");
    piece(s, 7, b.bytes.data, b.bytes.size);
    pt_batch_done(&b);
}

static void seed_operations(seeding *s)
{
    rng r = {11};
    for (size_t i = 0; i < 24; i++) {
        begin(s);
        for (size_t n = 40 + 10 * i; n > 0; n--)
            add_number(s, rng_next(&r) >> 24, 1);
        s->take(s->ctx, &fuzz_operations, s->bytes, s->size);
    }
}

static void text(seeding *s, unsigned kind, const char *data, size_t size)
{
    begin(s);
    add_number(s, kind, 1);
    add(s, data, size);
    s->take(s->ctx, &fuzz_command, s->bytes, s->size);
}

#define TEXT(kind, literal) text(s, kind, literal, sizeof(literal) - 1)

static void seed_command(seeding *s)
{
    TEXT(0, "00ff10Ab");
    TEXT(1, "AAECAw==");
    TEXT(1, "+/9hYmM=");
    TEXT(2, "a\\tb\\n\\\\\\x00\\xfF");
    TEXT(3, "{\"key\":\"a\\u00e4\\ud83d\\ude00\",\"value\": [1,{\"x\":\"]\"}], \"n\":-1.5e3}");
    TEXT(3, "{\"a\":true,\"b\":null,\"c\":{\"d\":[]}}");
    TEXT(4, "\0a\t1\nb\tx\\ty\nk\\x41\t\n");
    TEXT(4, "\x21"
            "6162;YWI=\n");
    TEXT(5,
         "\0{\"key\":\"a\",\"value\":\"1\"}\n{\"key_hex\":\"6162\",\"value_base64\":\"AA==\"}\n");
    TEXT(5, "\x80{\"id\":\"7\",\"name\":\"x\"}\n");
    TEXT(6, "\0key\0value\0k2\0\0");
    TEXT(6, "\x0a"
            "6b\0"
            "YWI=\0");
    TEXT(7, "-k\0hex\0--limit=7\0dir\0-m\0"
            "2M\0-j\0key");
    TEXT(7, "--separator\0;\0-EF\0id\0--batch=10\0d\0-fjsonl\0-qsL\0-clz4\0");
    TEXT(7, "--help\0--\0-5");
}

void fuzz_make_seeds(fuzz_seed_fn take, void *ctx)
{
    seeding s = {.take = take, .ctx = ctx};
    static const peat_compression codecs[] = {PEAT_COMPRESSION_NONE, PEAT_COMPRESSION_LZ4,
                                              PEAT_COMPRESSION_NONE, PEAT_COMPRESSION_LZ4};
    for (unsigned shape = 0; shape < 4; shape++)
        seed_store(&s, shape, codecs[shape]);
#ifdef PT_HAVE_ZSTD
    seed_store(&s, 1, PEAT_COMPRESSION_ZSTD);
#endif
    seed_logs(&s);
    seed_batch(&s);
    seed_operations(&s);
    seed_command(&s);
    free(s.bytes);
}
