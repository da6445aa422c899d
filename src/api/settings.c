/* SPDX-License-Identifier: MIT */
/*
 * settings.c - see settings.h. The memory budget is divided: memtables at most a quarter (one
 * active, two immutable, each a 16th, 64 MiB at the most, 32 by default), sections of tables a
 * quarter, a merge and the holes it leaves in the heap three 16ths, windows of scans a 64th, frames
 * the rest, and what the others do not use of theirs (state/budget.c).
 */
#include "api/settings.h"

#include "api/handle.h"

#define MEMTABLE_BYTES_MIN ((size_t)64 << 10)
#define MEMTABLE_BYTES_MAX ((size_t)64 << 20)
/* Of a store that was opened without a number: larger ones would pay for writing only, and what the
 * log keeps on disk, and has to be read after a kill, goes with them. */
#define MEMTABLE_BYTES_DEFAULT_MAX ((size_t)32 << 20)
#define SEGMENT_BYTES_MIN          ((uint64_t)256 << 10)
#define SEGMENT_BYTES_MAX          ((uint64_t)64 << 20)
#define MANIFEST_BYTES_MIN         ((uint64_t)64 << 10)
/* A merge: read-ahead, the table being written, its filter. More than this it does not need. */
#define WORK_BYTES_MAX ((size_t)24 << 20)
/* Upper runs in a partition from which on a merge is due: with filters a run that misses costs a
 * get about 20 ns, and fewer would rewrite more. With the run below they are 16, as many as one
 * merge may stream with the default budget (a MiB each, a 16th of it). */
#define UPPER_RUNS_MAX 15u
/* To ask costs about as much as eight steps; to keep a range as much as 30 (two locks, two keys).
 */
#define HIDDEN_STEPS_LOOK 8u
#define HIDDEN_STEPS_NOTE 32u

static size_t clamp_size(size_t n, size_t low, size_t high)
{
    return n < low ? low : n > high ? high : n;
}

static peat_rc resolve_codec(peat_compression c, pt_codec *ret_codec)
{
    switch (c) {
    case PEAT_COMPRESSION_NONE:
        *ret_codec = PT_CODEC_NONE;
        return PEAT_OK;
    case PEAT_COMPRESSION_DEFAULT:
    case PEAT_COMPRESSION_LZ4:
        *ret_codec = PT_CODEC_LZ4;
        return PEAT_OK;
    case PEAT_COMPRESSION_ZSTD:
        *ret_codec = PT_CODEC_ZSTD;
#ifdef PT_HAVE_ZSTD
        return PEAT_OK;
#else
        return PEAT_UNSUPPORTED;
#endif
    }
    return PEAT_INVALID;
}

/* A store that was opened without a thought keeps what is hot where there is memory for it, and on
 * a small machine or in a small container, too, leaves room for the program and for the page cache
 * (doc/decisions/022-default-budget.md). */
static size_t default_memory(const pt_env *env)
{
    uint64_t limit = pt_memory_limit(env);
    if (limit == 0)
        return PEAT_MEMORY_BYTES_DEFAULT;
    size_t share = (size_t)pt_min_u64(limit / 8, PEAT_MEMORY_BYTES_DEFAULT_MAX);
    if (share < PEAT_MEMORY_BYTES_DEFAULT_MIN)
        share = (size_t)pt_min_u64(limit / 4, PEAT_MEMORY_BYTES_DEFAULT_MIN);
    return share > PEAT_MEMORY_BYTES_MIN ? share : PEAT_MEMORY_BYTES_MIN;
}

static void divide_memory(pt_settings *s, size_t memtable_max)
{
    s->memtable_bytes = clamp_size(s->memory_bytes / 16, MEMTABLE_BYTES_MIN, memtable_max);
    s->metadata_bytes = s->memory_bytes / 4;
    size_t work = s->memory_bytes / 16 * 3;
    if (work > WORK_BYTES_MAX)
        work = WORK_BYTES_MAX;
    s->ahead_bytes = s->memory_bytes / 64;
    s->writing_bytes = 3 * s->memtable_bytes + work;
    s->resting_bytes = s->memtable_bytes;
    size_t taken = s->writing_bytes + s->metadata_bytes + s->ahead_bytes;
    size_t rest = s->memory_bytes > taken ? s->memory_bytes - taken : 0;
    s->cache_bytes = rest > s->memory_bytes / 4 ? rest : s->memory_bytes / 4;
    s->segment_bytes_max = pt_min_u64(SEGMENT_BYTES_MAX, s->memtable_bytes);
    s->segment_bytes_min = pt_min_u64(SEGMENT_BYTES_MIN, s->segment_bytes_max);
    s->manifest_bytes_min = MANIFEST_BYTES_MIN;
}

/* Tests make sizes tiny; the result never changes. */
static void apply_test_options(const peat_test_options *t, pt_settings *s)
{
    if (t->memtable_bytes != 0)
        s->memtable_bytes = clamp_size(t->memtable_bytes, MEMTABLE_BYTES_MIN, (size_t)1 << 30);
    if (t->memtable_bytes != 0 && t->memtable_bytes <= (size_t)1 << 20) { /* few keys, then */
        s->hidden_steps_look = 1;
        s->hidden_steps_note = 2;
    }
    if (t->block_bytes != 0) /* what the cache has frames for */
        s->block_bytes = t->block_bytes <= 4096 ? 4096 : 16384;
    s->partition_bytes =
        t->partition_bytes != 0 && t->partition_bytes < 4096 ? 4096 : t->partition_bytes;
    s->table_bytes = t->table_bytes != 0 && t->table_bytes < 4096 ? 4096 : t->table_bytes;
    if (t->table_bytes != 0) /* the manifest is about tables */
        s->manifest_bytes_min = pt_min_u64(MANIFEST_BYTES_MIN, s->table_bytes / 4);
    if (t->segment_bytes != 0) {
        s->segment_bytes_min = clamp_size(t->segment_bytes, 8192, (size_t)64 << 20);
        s->segment_bytes_max = pt_max_u64(s->segment_bytes_min, 2 * s->segment_bytes_min);
    }
}

static const char *check_numbers(const peat_options *o)
{
    if (o->memory_bytes != 0 && o->memory_bytes < PEAT_MEMORY_BYTES_MIN)
        return "options: memory_bytes is below PEAT_MEMORY_BYTES_MIN";
    if (o->space_target != 0.0 &&
        !(o->space_target >= PEAT_SPACE_TARGET_MIN && o->space_target <= PEAT_SPACE_TARGET_MAX))
        return "options: space_target is not between 1.05 and 10";
    if (o->threads < PEAT_THREADS_NONE || o->threads > PEAT_THREADS_MAX)
        return "options: threads is not between -1 and 16";
    if (o->create != PEAT_CREATE_IF_MISSING && o->create != PEAT_CREATE_NEVER)
        return "options: create is no peat_create";
    return NULL;
}

static const char *check_structs(const peat_options *o)
{
    if (!pt_api_options_valid(o->host, sizeof(peat_host), sizeof(peat_host)))
        return "options: host.size is not sizeof(peat_host)";
    if (!pt_api_options_valid(o->test, sizeof(peat_test_options), sizeof(peat_test_options)))
        return "options: test.size is not sizeof(peat_test_options)";
    return NULL;
}

peat_rc pt_settings_resolve(const peat_options *options, pt_settings *ret, const pt_env **ret_env,
                            const char **ret_why)
{
    peat_options o;
    memset(ret, 0, sizeof *ret);
    *ret_env = peat_env_default();
    *ret_why = NULL;
    if (!pt_api_options_valid(options, sizeof o, offsetof(peat_options, test) + sizeof o.test)) {
        *ret_why = "options: size is not sizeof(peat_options)";
        return PEAT_INVALID;
    }
    pt_api_options_copy(options, &o, sizeof o);
    *ret_why = check_numbers(&o);
    if (*ret_why == NULL)
        *ret_why = check_structs(&o);
    if (*ret_why != NULL)
        return PEAT_INVALID;
    pt_api_options_copy(o.host, &ret->host, sizeof ret->host);
    if (ret->host.env != NULL)
        *ret_env = ret->host.env;
    ret->memory_bytes = o.memory_bytes != 0 ? o.memory_bytes : default_memory(*ret_env);
    ret->space_target = o.space_target != 0.0 ? o.space_target : PEAT_SPACE_TARGET_DEFAULT;
    uint32_t ms = o.sync_interval_ms != 0 ? o.sync_interval_ms : PEAT_SYNC_INTERVAL_MS_DEFAULT;
    ret->sync_interval_ns = (uint64_t)ms * 1000000;
    ret->lock_wait_ns = (uint64_t)o.lock_wait_ms * 1000000;
    ret->threads = o.threads == 0 ? PEAT_THREADS_DEFAULT : o.threads < 0 ? 0 : o.threads;
    ret->read_only = o.read_only;
    ret->may_create = o.create == PEAT_CREATE_IF_MISSING && !o.read_only;
    ret->error_if_exists = o.error_if_exists;
    ret->no_log = o.no_log && !o.read_only;
    ret->runs_max = UPPER_RUNS_MAX;
    ret->hidden_steps_look = HIDDEN_STEPS_LOOK;
    ret->hidden_steps_note = HIDDEN_STEPS_NOTE;
    divide_memory(ret, o.memory_bytes != 0 ? MEMTABLE_BYTES_MAX : MEMTABLE_BYTES_DEFAULT_MAX);
    if (o.test != NULL) {
        peat_test_options t;
        pt_api_options_copy(o.test, &t, sizeof t);
        apply_test_options(&t, ret);
    }
    peat_rc rc = resolve_codec(o.compression, &ret->codec);
    if (rc == PEAT_INVALID)
        *ret_why = "options: compression is no peat_compression";
    if (rc == PEAT_UNSUPPORTED)
        *ret_why = "options: this build has no zstd";
    return rc;
}
