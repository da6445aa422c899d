/* SPDX-License-Identifier: MIT */
/*
 * manifest_guess.c - what PEAT would say, from a manifest alone, for repair when both slots are
 * lost.
 */
#include "repair/manifest_guess.h"

#include "base/coding.h"
#include "base/file_name.h"
#include "base/hash.h"
#include "env/fd_reclaim.h"

#include <errno.h>

static int newest_manifest(void *arg, const char *name, bool regular_file, uint64_t size)
{
    uint64_t *newest = arg, number;
    (void)size;
    if (regular_file && pt_file_name_parse(name, 'm', &number) && number > *newest)
        *newest = number;
    return 0;
}

static peat_rc read_header(const pt_env *env, pt_sink *sink, pt_file *file, const char *name,
                           pt_superblock *ret_superblock)
{
    uint8_t p[PT_MANIFEST_HEADER_BYTES], expected[PT_MANIFEST_HEADER_BYTES];
    size_t n = 0;
    pt_manifest_place place;
    int e = env->file_read(env->ctx, file, 0, p, sizeof p, &n);
    if (e != 0)
        return pt_fail_os(sink, e, "%s cannot be read", name);
    pt_superblock sb = {.format_version = PT_FORMAT_FIRST};
    if (n == sizeof p) {
        sb.store_id = pt_get_u64(p + 24);
        sb.manifest_number = pt_get_u64(p + 32);
        pt_manifest_header_encode(&sb, sb.manifest_number, pt_get_u64(p + 40), expected, &place);
    }
    if (n != sizeof p || memcmp(p, expected, sizeof p) != 0)
        return pt_fail_at(sink, PEAT_CORRUPT, name, 0,
                          "expected a header of %zu bytes that verifies, found none in %zu",
                          sizeof p, n);
    sb.manifest_end = PT_MANIFEST_HEADER_BYTES; /* nothing behind it is promised */
    sb.manifest_chain = place.chain;
    *ret_superblock = sb;
    return PEAT_OK;
}

/* What PEAT would say, from the manifest with the highest number. It promises nothing. */
static peat_rc guess(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_superblock *ret_superblock)
{
    uint64_t number = 0;
    pt_file *file = NULL;
    char name[PT_FILE_NAME_SIZE];
    int e = pt_dir_list(env, dir, sink, newest_manifest, &number);
    if (e != 0)
        return pt_fail_os(sink, e, "the store's directory cannot be listed");
    if (number == 0)
        return pt_fail(sink, PEAT_CORRUPT, "expected a manifest, found no file of that name");
    pt_file_name('m', number, name);
    e = pt_file_open(env, dir, sink, name, 0, &file);
    if (e != 0)
        return pt_fail_os(sink, e, "%s cannot be opened", name);
    peat_rc rc = read_header(env, sink, file, name, ret_superblock);
    env->file_close(env->ctx, file);
    if (rc == PEAT_OK && ret_superblock->manifest_number != number)
        rc =
            pt_fail_at(sink, PEAT_CORRUPT, name, 0, "expected this manifest, found number %" PRIu64,
                       ret_superblock->manifest_number);
    return rc;
}

static peat_rc visit_nothing(void *ctx, pt_slice payload)
{
    (void)ctx;
    (void)payload;
    return PEAT_OK;
}

/* Nothing was promised, so anything that follows the last record may have been one. */
static peat_rc check_guess(pt_open_tables *open_tables, pt_file *file, const char *name,
                           pt_superblock sb, const pt_manifest_place *place)
{
    pt_manifest_place again;
    uint64_t file_bytes;
    bool tail = false;
    sb.manifest_end = place->end;
    sb.manifest_chain = place->chain;
    peat_rc rc = pt_manifest_walk(open_tables->env, open_tables->sink, file, &sb, visit_nothing,
                                  NULL, &again, &file_bytes, &tail);
    if (rc == PEAT_OK && tail)
        rc = pt_fail_at(open_tables->sink, PEAT_CORRUPT, name, place->end,
                        "expected zeros from here on, found what may be a damaged record, and PEAT "
                        "is lost, which would know");
    return rc;
}

static peat_rc read_manifest(pt_version_set *c, pt_open_tables *open_tables,
                             const pt_superblock *sb, bool guessed)
{
    const pt_env *env = open_tables->env;
    pt_file *file = NULL;
    pt_manifest_place place;
    char name[PT_FILE_NAME_SIZE];
    pt_file_name('m', sb->manifest_number, name);
    int e = pt_file_open(env, open_tables->dir, open_tables->sink, name, 0, &file);
    if (e == ENOENT)
        return pt_fail_at(open_tables->sink, PEAT_CORRUPT, name, 0,
                          "expected the manifest that PEAT names, found no file");
    if (e != 0)
        return pt_fail_os(open_tables->sink, e, "%s cannot be opened", name);
    peat_rc rc = pt_version_set_read(c, open_tables, file, sb, &place);
    if (rc == PEAT_OK && guessed)
        rc = check_guess(open_tables, file, name, *sb, &place);
    env->file_close(env->ctx, file);
    return rc;
}

peat_rc pt_manifest_guess(pt_version_set *c, pt_open_tables *open_tables,
                          pt_superblock *ret_superblock, bool *ret_guessed)
{
    *ret_superblock = (pt_superblock){0};
    peat_rc rc =
        pt_superblock_read(open_tables->env, open_tables->dir, open_tables->sink, ret_superblock);
    *ret_guessed = rc == PEAT_CORRUPT || rc == PEAT_NOT_FOUND || rc == PEAT_NOT_STORE;
    if (*ret_guessed)
        rc = guess(open_tables->env, open_tables->dir, open_tables->sink, ret_superblock);
    return rc == PEAT_OK ? read_manifest(c, open_tables, ret_superblock, *ret_guessed) : rc;
}
