/* SPDX-License-Identifier: MIT */
/* damage_world.c - see damage.h. */
#include "damage.h"
#include "state/durable.h"
#include "api/handle.h"
#include "world/test.h"

/* The segment in which the log of every world ends. */
#define NEWEST "w-000004"

const char *damage_end_name(damage_end end)
{
    static const char *const names[DAMAGE_ENDS] = {"closed", "cut", "latest", "idle", "merge"};
    return names[end];
}

size_t damage_key(size_t key, char ret_text[32])
{
    /* of different lengths, so that no block has fixed widths */
    return (size_t)snprintf(ret_text, 32, "key/%04zu%.*s", key, (int)(key % 5), "xxxxx");
}

size_t damage_value(size_t key, uint8_t version, char ret_text[128])
{
    static const char filler[] = "a line of words that a codec likes, a line of words, a line, a "
                                 "line of words that a codec likes, and so on";
    return (size_t)snprintf(ret_text, 128, "%zu.%u %.*s", key, version,
                            (int)(50 + (key * 7 + version) % 50), filler);
}

uint8_t damage_version(const damage_world *w, size_t key, size_t commits)
{
    for (size_t i = commits; i-- > 0;)
        if (w->commits[i].key == key)
            return w->commits[i].version;
    return w->base[key];
}

void damage_options(const damage_world *w, sim_env *sim, model_open *ret_open)
{
    ret_open->host = (peat_host){.size = sizeof ret_open->host, .env = sim_peat(sim)};
    ret_open->test = (peat_test_options){.size = sizeof ret_open->test,
                                         .memtable_bytes = 64 << 10,
                                         .block_bytes = 4096,
                                         .partition_bytes = 8192,
                                         .table_bytes = 16384,
                                         .segment_bytes = 8192};
    ret_open->options = (peat_options){.size = sizeof ret_open->options,
                                       .memory_bytes = PEAT_MEMORY_BYTES_MIN,
                                       .threads = PEAT_THREADS_NONE,
                                       .sync_interval_ms = 1000000,
                                       .compression = w->compression,
                                       .host = &ret_open->host,
                                       .test = &ret_open->test};
}

/* ---- files ---- */

typedef struct adding {
    sim_env *sim;
    damage_file **files;
    size_t *count;
} adding;

static int add_file(void *arg, const char *name, bool regular_file, uint64_t size)
{
    adding *a = arg;
    (void)size;
    if (!regular_file || strcmp(name, "LOCK") == 0)
        return 0;
    damage_file *grown = realloc(*a->files, (*a->count + 1) * sizeof *grown);
    if (grown == NULL)
        abort();
    *a->files = grown;
    damage_file *f = &grown[(*a->count)++];
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    f->data = sim_file_get(a->sim, DAMAGE_DIR, name, &f->size);
    return 0;
}

/* All files as they are now; those that will be other ones at the end are the old ones. */
static void remember_files(damage_world *w, sim_env *sim)
{
    adding a = {.sim = sim, .files = &w->old, .count = &w->old_count};
    (void)sim_file_list(sim, DAMAGE_DIR, add_file, &a);
}

static void free_files(damage_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(files[i].data);
    free(files);
}

/* ---- history ---- */

static void put_version(damage_world *w, peat_db *db, size_t key, uint8_t version)
{
    char k[32], v[128];
    peat_slice name = peat_bytes(k, damage_key(key, k));
    if (version == 0)
        assert_ok(peat_delete(db, NULL, name));
    else
        assert_ok(peat_put(db, NULL, name, peat_bytes(v, damage_value(key, version, v))));
    w->base[key] = version;
}

/* A bottom run in several partitions, then two upper runs above it, one with deletes. */
static void fill_tables(damage_world *w, sim_env *sim, peat_db *db, rng *random)
{
    for (size_t i = 0; i < DAMAGE_KEYS - 10; i++)
        put_version(w, db, i, 1);
    remember_files(w, sim);
    assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
    for (size_t slice = 0; slice < 2; slice++) {
        for (int i = 0; i < 12; i++) {
            size_t key = rng_below(random, DAMAGE_KEYS - 10);
            put_version(w, db, key, rng_below(random, 4) == 0 ? 0 : (uint8_t)(2 + slice));
        }
        remember_files(w, sim);
        assert_ok(peat_flush(db));
    }
}

/* Each commit is a batch: one key, and the number of commits. */
static void write_commit(damage_world *w, peat_db *db, size_t i, rng *random, bool sync)
{
    char k[32], v[128], count[16];
    peat_batch *batch = NULL;
    peat_write_options options = {.size = sizeof options, .sync = sync};
    size_t key = rng_below(random, DAMAGE_KEYS - 5);
    uint8_t version = rng_below(random, 5) == 0 ? 0 : (uint8_t)(10 + i);
    assert_ok(peat_batch_new(&batch));
    if (version == 0)
        assert_ok(peat_batch_delete(batch, peat_bytes(k, damage_key(key, k))));
    else
        assert_ok(peat_batch_put(batch, peat_bytes(k, damage_key(key, k)),
                                 peat_bytes(v, damage_value(key, version, v))));
    int n = snprintf(count, sizeof count, "%zu", i + 1);
    assert_ok(peat_batch_put(batch, peat_str("count"), peat_bytes(count, (size_t)n)));
    assert_ok(peat_write(db, &options, batch));
    peat_batch_free(batch);
    w->commits[i].key = (uint8_t)key;
    w->commits[i].version = version;
    w->commit_count = i + 1;
}

/* Where the records of the newest segment end, for now: what follows is zeros. */
static size_t written_to(sim_env *sim)
{
    size_t size = 0, n;
    uint8_t *data = sim_file_get(sim, DAMAGE_DIR, NEWEST, &size);
    for (n = size - 128; n > 128 && data[n - 1] == 0;)
        n--;
    free(data);
    return (n + 15) / 16 * 16;
}

static void fill_log(damage_world *w, sim_env *sim, peat_db *db, rng *random)
{
    for (size_t i = 0; i < DAMAGE_COMMITS; i++) {
        bool begun = sim_file_exists(sim, DAMAGE_DIR, NEWEST);
        if (i == 3 || i == 50)
            remember_files(w, sim);
        bool last = i + 1 == DAMAGE_COMMITS;
        bool sync = i == 29 || i == 59 || i + 1 == DAMAGE_SYNCED;
        write_commit(w, db, i, random, sync || (last && w->end == DAMAGE_LATEST));
        if (!begun && sim_file_exists(sim, DAMAGE_DIR, NEWEST))
            w->before_newest = i;
        if (i + 1 == DAMAGE_SYNCED)
            w->window_at = written_to(sim);
    }
}

/* What a thread of the store does when nothing was written for half a second. */
static void fall_idle(peat_db *db)
{
    pt_store *s = db->store;
    pt_mutex_lock(&s->commit_mu);
    assert_ok(pt_log_idle(s->log));
    pt_mutex_unlock(&s->commit_mu);
    assert_ok(pt_durable_note(s, true));
}

/* In the middle of the first table that the merge writes. */
typedef struct catcher {
    sim_env *caught;
    int writes;
} catcher;

static void catch_merge(void *arg, sim_env *sim, const sim_boundary *b)
{
    catcher *c = arg;
    if (b->kind == SIM_FILE_SYNC && b->name[0] == 't' && ++c->writes == 2)
        c->caught = sim_clone_killed(sim);
}

/* What is written and not synced stays as it was written: this is about damage, not about cuts. */
static sim_env *settle_disk(sim_env *sim)
{
    sim_env *kept = sim_clone_cut(sim, &(sim_cut){.mode = SIM_CUT_KEPT});
    sim_free(sim);
    return kept;
}

void damage_world_make(damage_world *w, damage_end end, peat_compression compression, uint64_t seed)
{
    model_open open;
    peat_db *db = NULL;
    rng random = {seed * 977 + 5};
    catcher merging = {0};
    sim_env *sim = sim_new(seed);
    *w = (damage_world){.end = end, .compression = compression, .seed = seed, .newest = NEWEST};
    damage_options(w, sim, &open);
    assert_ok(peat_open(DAMAGE_DIR, &open.options, &db, NULL));
    fill_tables(w, sim, db, &random);
    if (end == DAMAGE_MERGE) {
        sim_hook_set(sim, catch_merge, &merging);
        assert_ok(peat_compact(db, peat_unbounded(), peat_unbounded(), NULL));
        sim_hook_set(sim, NULL, NULL);
        if (merging.caught == NULL)
            abort();
    } else {
        fill_log(w, sim, db, &random);
    }
    if (end == DAMAGE_IDLE)
        fall_idle(db);
    sim_env *after = end == DAMAGE_MERGE ? merging.caught : NULL;
    if (end == DAMAGE_CUT || end == DAMAGE_LATEST || end == DAMAGE_IDLE)
        after = sim_clone_killed(sim);
    assert_ok(peat_close(db));
    if (after != NULL)
        sim_free(sim);
    w->sim = settle_disk(after != NULL ? after : sim);
    bool told = end == DAMAGE_CLOSED || end == DAMAGE_IDLE;
    w->promised = end == DAMAGE_MERGE ? 0 : told ? DAMAGE_COMMITS : DAMAGE_SYNCED;
    w->promised_less = told || end == DAMAGE_MERGE ? w->promised : w->before_newest;
    adding a = {.sim = w->sim, .files = &w->files, .count = &w->file_count};
    (void)sim_file_list(w->sim, DAMAGE_DIR, add_file, &a);
}

void damage_world_done(damage_world *w)
{
    free_files(w->files, w->file_count);
    free_files(w->old, w->old_count);
    sim_free(w->sim);
}

sim_env *damage_world_copy(const damage_world *w, const char *dir)
{
    sim_env *sim = sim_new(w->seed + 1);
    for (size_t i = 0; i < w->file_count; i++)
        sim_file_put(sim, dir, w->files[i].name, w->files[i].data, w->files[i].size);
    return sim;
}

const damage_file *damage_find(const damage_world *w, const char *begin)
{
    for (size_t i = 0; i < w->file_count; i++)
        if (strncmp(w->files[i].name, begin, strlen(begin)) == 0)
            return &w->files[i];
    return NULL;
}
