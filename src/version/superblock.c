/* SPDX-License-Identifier: MIT */
/* superblock.c - reading, judging and writing PEAT; see superblock.h. */
#include "version/superblock.h"

#include "base/coding.h"
#include "base/file_name.h"
#include "base/hash.h"
#include "env/fd_reclaim.h"
#include "version/feature.h"

#include <errno.h>

/* Slot: every version keeps this layout, so that a newer store can be told from a damaged one.
 *   0 checksum   8 magic   16 format version u32   20 app id u32   24 store id   32 open count
 *   40 generation   48 manifest number   56 manifest end   64 manifest chain
 *   72 format 1: zeros to the end; format 2: names of features
 */
#define SLOT_AT_MAGIC     8
#define SLOT_AT_FEATURES  72
#define SLOT_FEATURES_MAX (PT_SUPERBLOCK_SLOT_BYTES - SLOT_AT_FEATURES)
static const uint8_t slot_magic[8] = {'P', 'E', 'A', 'T', 'S', 'L', 'O', 'T'};
/* The checksum's file id: PEAT exists once per store, and the store id is inside. */
#define SLOT_FILE_ID 0x544145505f425353ULL

static uint64_t slot_checksum(const uint8_t *slot, unsigned index)
{
    return pt_checksum(slot + SLOT_AT_MAGIC, PT_SUPERBLOCK_SLOT_BYTES - SLOT_AT_MAGIC, SLOT_FILE_ID,
                       index * PT_SUPERBLOCK_SLOT_BYTES);
}

void pt_superblock_encode(const pt_superblock *sb, uint8_t ret_slot[PT_SUPERBLOCK_SLOT_BYTES])
{
    uint8_t *p = ret_slot;
    memset(p, 0, PT_SUPERBLOCK_SLOT_BYTES);
    memcpy(p + SLOT_AT_MAGIC, slot_magic, sizeof slot_magic);
    pt_put_u32(p + 16, sb->format_version);
    pt_put_u32(p + 20, sb->app_id);
    pt_put_u64(p + 24, sb->store_id);
    pt_put_u64(p + 32, sb->open_count);
    pt_put_u64(p + 40, sb->generation);
    pt_put_u64(p + 48, sb->manifest_number);
    pt_put_u64(p + 56, sb->manifest_end);
    pt_put_u64(p + 64, sb->manifest_chain);
    pt_feature_encode(sb->features, p + SLOT_AT_FEATURES, SLOT_FEATURES_MAX);
    pt_put_u64(p, slot_checksum(p, (unsigned)(sb->generation % PT_SUPERBLOCK_SLOTS)));
}

bool pt_superblock_decode(const uint8_t *data, size_t size, unsigned slot,
                          pt_superblock *ret_superblock)
{
    if (size < PT_SUPERBLOCK_SLOT_BYTES ||
        memcmp(data + SLOT_AT_MAGIC, slot_magic, sizeof slot_magic) != 0 ||
        pt_get_u64(data) != slot_checksum(data, slot))
        return false;
    *ret_superblock = (pt_superblock){
        .format_version = pt_get_u32(data + 16),
        .app_id = pt_get_u32(data + 20),
        .store_id = pt_get_u64(data + 24),
        .open_count = pt_get_u64(data + 32),
        .generation = pt_get_u64(data + 40),
        .manifest_number = pt_get_u64(data + 48),
        .manifest_end = pt_get_u64(data + 56),
        .manifest_chain = pt_get_u64(data + 64),
    };
    return true;
}

/* What a directory holds, as far as it decides whether a store is or may be here. */
typedef struct dir_census {
    uint64_t numbered;     /* files with a store's generated names */
    uint64_t foreign;      /* anything else but LOCK, dot files and lost+found */
    bool only_first;       /* the numbered ones are m-000001 and nothing else */
    bool has_superblock;   /* something is called PEAT */
    char example[64];      /* a foreign name, or else a numbered one */
    bool example_is_alien; /* which of the two */
} dir_census;

static int census_entry(void *arg, const char *name, bool regular_file, uint64_t size)
{
    dir_census *c = arg;
    (void)size;
    if (name[0] == '.' || strcmp(name, "LOCK") == 0 || strcmp(name, "lost+found") == 0)
        return 0;
    if (strcmp(name, PT_SUPERBLOCK_NAME) == 0) {
        c->has_superblock = true;
        return 0;
    }
    bool ours = regular_file && pt_file_name_is_store(name);
    if (ours) {
        c->only_first = c->numbered == 0 && strcmp(name, "m-000001") == 0;
        c->numbered++;
    } else {
        c->foreign++;
    }
    if (!c->example_is_alien) {
        size_t n = strnlen(name, sizeof c->example - 1);
        memcpy(c->example, name, n);
        c->example[n] = '\0';
        c->example_is_alien = !ours;
    }
    return 0;
}

static peat_rc census(const pt_env *env, pt_dir *dir, pt_sink *sink, dir_census *ret_census)
{
    dir_census c = {.only_first = true};
    int e = env->dir_list(env->ctx, dir, census_entry, &c);
    if (e != 0)
        return pt_fail_os(sink, e, "the store's directory cannot be listed");
    *ret_census = c;
    return PEAT_OK;
}

/* There is no superblock, or one that was never written: is that a lost store or none? */
static peat_rc no_superblock(const pt_env *env, pt_dir *dir, pt_sink *sink, const char *state)
{
    dir_census c;
    peat_rc rc = census(env, dir, sink, &c);
    if (rc != PEAT_OK)
        return rc;
    if (c.numbered > 0 && !c.only_first && c.foreign == 0)
        return pt_fail_at(sink, PEAT_CORRUPT, PT_SUPERBLOCK_NAME, 0,
                          "expected a superblock beside %s and more, found that it %s", c.example,
                          state);
    if (c.foreign > 0)
        return pt_fail(sink, PEAT_NOT_STORE, "not a store: PEAT %s, and other files such as %s are",
                       state, c.example);
    return pt_fail(sink, PEAT_NOT_FOUND, "there is no store here: PEAT %s", state);
}

static bool all_zero(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] != 0)
            return false;
    return true;
}

static bool has_slot_magic(const uint8_t *data, size_t size)
{
    for (unsigned i = 0; i < PT_SUPERBLOCK_SLOTS; i++) {
        size_t at = i * PT_SUPERBLOCK_SLOT_BYTES + SLOT_AT_MAGIC;
        if (at + sizeof slot_magic <= size && memcmp(data + at, slot_magic, sizeof slot_magic) == 0)
            return true;
    }
    return false;
}

/* A creation that was cut short leaves an incomplete PEAT beside the first manifest and nothing
 * else; a store that holds anything has log segments or tables as well. */
static bool cut_short(const uint8_t *data, size_t size, const dir_census *c)
{
    bool unfinished = size < PT_SUPERBLOCK_FILE_BYTES && has_slot_magic(data, size);
    return (unfinished || all_zero(data, size)) && c->foreign == 0 &&
           (c->only_first || c->numbered == 0);
}

static peat_rc no_valid_slot(const pt_env *env, pt_dir *dir, pt_sink *sink, const uint8_t *data,
                             size_t size)
{
    if (all_zero(data, size))
        return no_superblock(env, dir, sink, "was never written");
    dir_census c = {0};
    peat_rc rc = census(env, dir, sink, &c);
    if (rc != PEAT_OK)
        return rc;
    if (cut_short(data, size, &c))
        return no_superblock(env, dir, sink, "was never completed");
    /* a store's files and nothing else: then this was its superblock */
    if (has_slot_magic(data, size) || (c.foreign == 0 && c.numbered > 1))
        return pt_fail_at(sink, PEAT_CORRUPT, PT_SUPERBLOCK_NAME, 0,
                          "expected a slot that verifies @0 or @%u, found none in %zu bytes",
                          PT_SUPERBLOCK_SLOT_BYTES, size);
    return pt_fail(sink, PEAT_NOT_STORE, "not a store: PEAT (%zu bytes) is another program's file",
                   size);
}

/* The file's bytes, at most two slots. A missing or strange file has been reported. */
static peat_rc read_slots(const pt_env *env, pt_dir *dir, pt_sink *sink,
                          uint8_t ret_data[PT_SUPERBLOCK_FILE_BYTES], size_t *ret_size)
{
    pt_file *file = NULL;
    int e = pt_file_open(env, dir, sink, PT_SUPERBLOCK_NAME, 0, &file);
    if (e == ENOENT)
        return no_superblock(env, dir, sink, "is not here");
    if (e == ELOOP || e == EISDIR || e == EINVAL)
        return pt_fail(sink, PEAT_NOT_STORE, "not a store: PEAT is not a regular file");
    if (e != 0)
        return pt_fail_os(sink, e, "PEAT cannot be opened");
    e = env->file_read(env->ctx, file, 0, ret_data, PT_SUPERBLOCK_FILE_BYTES, ret_size);
    env->file_close(env->ctx, file);
    return e == 0 ? PEAT_OK : pt_fail_os(sink, e, "PEAT cannot be read");
}

/* `slot` verifies: may this library use the store? */
static peat_rc judge_format(pt_sink *sink, const uint8_t *slot, size_t at, pt_superblock *sb)
{
    char unknown[PT_FEATURE_NAME_MAX + 1];
    if (sb->format_version > PT_FORMAT_VERSION)
        return pt_fail(sink, PEAT_VERSION,
                       "the store has format version %" PRIu32 ", this library reads up to %u",
                       sb->format_version, PT_FORMAT_VERSION);
    if (sb->format_version <= PT_FORMAT_FIRST)
        return PEAT_OK;
    if (!pt_feature_decode(slot + SLOT_AT_FEATURES, SLOT_FEATURES_MAX, &sb->features, unknown))
        return pt_fail_at(sink, PEAT_CORRUPT, PT_SUPERBLOCK_NAME, at + SLOT_AT_FEATURES,
                          "expected names of features, found what is no list of them");
    if (unknown[0] != '\0')
        return pt_fail(sink, PEAT_VERSION,
                       "the store has format version %" PRIu32
                       " and uses \"%s\", which this library does not know",
                       sb->format_version, unknown);
    return PEAT_OK;
}

peat_rc pt_superblock_read(const pt_env *env, pt_dir *dir, pt_sink *sink,
                           pt_superblock *ret_superblock)
{
    uint8_t data[PT_SUPERBLOCK_FILE_BYTES];
    size_t size = 0;
    peat_rc rc = read_slots(env, dir, sink, data, &size);
    if (rc != PEAT_OK)
        return rc;

    pt_superblock newest = {0};
    bool found = false;
    uint32_t damaged = 0;
    size_t newest_at = 0;
    for (unsigned i = 0; i < PT_SUPERBLOCK_SLOTS; i++) {
        size_t at = i * PT_SUPERBLOCK_SLOT_BYTES;
        pt_superblock sb;
        if (at > size || !pt_superblock_decode(data + at, size - at, i, &sb))
            damaged |= 1u << i;
        else if (!found || sb.generation > newest.generation) {
            newest = sb;
            newest_at = at;
            found = true;
        }
    }
    if (!found)
        return no_valid_slot(env, dir, sink, data, size);
    rc = judge_format(sink, data + newest_at, newest_at, &newest);
    if (rc != PEAT_OK)
        return rc;
    if (newest.open_count > PT_STORED_NUMBER_MAX || newest.generation > PT_STORED_NUMBER_MAX ||
        newest.manifest_number > PT_STORED_NUMBER_MAX)
        return pt_fail_at(sink, PEAT_CORRUPT, PT_SUPERBLOCK_NAME, newest_at,
                          "the superblock counts further than any store: expected at most %llu, "
                          "found open %" PRIu64 ", generation %" PRIu64 ", manifest %" PRIu64,
                          PT_STORED_NUMBER_MAX, newest.open_count, newest.generation,
                          newest.manifest_number);
    newest.damaged_slots = damaged;
    *ret_superblock = newest;
    return PEAT_OK;
}

peat_rc pt_superblock_write(const pt_env *env, pt_file *file, pt_sink *sink, unsigned copies,
                            pt_superblock *io_superblock)
{
    uint8_t slot[PT_SUPERBLOCK_SLOT_BYTES];
    PT_ASSERT(copies >= 1 && copies <= PT_SUPERBLOCK_SLOTS, "I5: one slot is whole at any time");
    for (unsigned i = 0; i < copies; i++) {
        io_superblock->generation++;
        uint64_t at = io_superblock->generation % PT_SUPERBLOCK_SLOTS * PT_SUPERBLOCK_SLOT_BYTES;
        pt_superblock_encode(io_superblock, slot);
        int e = env->file_write(env->ctx, file, at, slot, sizeof slot);
        if (e != 0)
            return pt_fail_os(sink, e, "PEAT @%" PRIu64 " cannot be written", at);
        /* before the other slot is touched */
        e = env->file_sync(env->ctx, file);
        if (e != 0)
            return pt_fail_os(sink, e, "PEAT cannot be synced");
        io_superblock->damaged_slots &= ~(1u << io_superblock->generation % PT_SUPERBLOCK_SLOTS);
    }
    return PEAT_OK;
}

peat_rc pt_superblock_check_fresh(const pt_env *env, pt_dir *dir, pt_sink *sink)
{
    dir_census c;
    peat_rc rc = census(env, dir, sink, &c);
    if (rc != PEAT_OK)
        return rc;
    if (c.foreign > 0)
        return pt_fail(sink, PEAT_NOT_STORE, "no store is made among other files such as %s",
                       c.example);
    if (c.has_superblock) {
        uint8_t data[PT_SUPERBLOCK_FILE_BYTES];
        size_t size = 0;
        rc = read_slots(env, dir, sink, data, &size);
        if (rc != PEAT_OK)
            return rc;
        if (!cut_short(data, size, &c))
            return pt_fail(sink, PEAT_EXISTS, "PEAT is already here");
    }
    if (c.numbered > 0 && !c.only_first)
        return pt_fail(sink, PEAT_EXISTS, "a store's files are already here, such as %s",
                       c.example);
    return PEAT_OK;
}
