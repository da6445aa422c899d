/* SPDX-License-Identifier: MIT */
/*
 * manifest.c - creating, opening, appending to and replacing the manifest; see manifest.h for the
 * invariants. The bytes are manifest_file.c's matter, PEAT is superblock.c's.
 */
#include "version/manifest.h"

#include "base/file_name.h"
#include "env/fd_reclaim.h"

#include <errno.h>

/* Space is taken ahead of the records: a full disk is met before anything is written, and a sync
 * seldom has to record a new size. */
#define ALLOCATE_BYTES ((uint64_t)32 << 10)

struct pt_manifest {
    const pt_env *env;
    pt_dir *dir;
    pt_sink *sink;
    pt_file *peat; /* open for writing; NULL before pt_manifest_begin, and at rest */
    pt_file *file; /* the same */
    bool begun;
    pt_superblock sb;
    pt_manifest_place place;
    uint64_t file_bytes;
    uint64_t written_bytes;
    bool tail; /* something follows the durable end */
};

static pt_manifest *manifest_alloc(const pt_env *env, pt_dir *dir, pt_sink *sink)
{
    pt_manifest *m = pt_alloc_zero(env, sizeof *m);
    if (m == NULL) {
        (void)pt_fail(sink, PEAT_NOMEM, "no memory for the manifest");
        return NULL;
    }
    m->env = env;
    m->dir = dir;
    m->sink = sink;
    return m;
}

static void close_file(pt_manifest *m, pt_file *file)
{
    if (file != NULL)
        m->env->file_close(m->env->ctx, file);
}

void pt_manifest_rest(pt_manifest *m)
{
    close_file(m, m->file);
    close_file(m, m->peat);
    m->file = m->peat = NULL;
}

void pt_manifest_free(pt_manifest *m)
{
    if (m == NULL)
        return;
    pt_manifest_rest(m);
    pt_free(m->env, m);
}

/* Makes [*io_file_bytes, n) of the file exist as zeros. */
static peat_rc extend(pt_manifest *m, pt_file *file, uint64_t n, uint64_t *io_file_bytes)
{
    static const uint8_t zeros[4096];
    const pt_env *env = m->env;
    int e = env->file_allocate(env->ctx, file, *io_file_bytes, n - *io_file_bytes);
    if (e == EOPNOTSUPP) {
        e = 0;
        for (uint64_t at = *io_file_bytes; e == 0 && at < n; at += sizeof zeros) {
            size_t piece = (size_t)pt_min_u64(n - at, sizeof zeros);
            e = env->file_write(env->ctx, file, at, zeros, piece);
            m->written_bytes += piece;
        }
    }
    if (e != 0)
        return pt_fail_os(m->sink, e, "no room for %" PRIu64 " bytes of manifest", n);
    *io_file_bytes = n;
    return PEAT_OK;
}

static peat_rc sync_dir(pt_manifest *m)
{
    int e = m->env->dir_sync(m->env->ctx, m->dir);
    return e == 0 ? PEAT_OK : pt_fail_os(m->sink, e, "the directory cannot be synced");
}

static peat_rc write_durably(pt_manifest *m, pt_file *file, uint64_t number, uint64_t offset,
                             const pt_bytes *bytes)
{
    const pt_env *env = m->env;
    int e = env->file_write(env->ctx, file, offset, bytes->data, bytes->size);
    if (e != 0)
        return pt_fail_os(m->sink, e, "m-%06" PRIu64 " @%" PRIu64 " cannot be written", number,
                          offset);
    m->written_bytes += bytes->size;
    e = env->file_sync(env->ctx, file);
    return e == 0 ? PEAT_OK : pt_fail_os(m->sink, e, "m-%06" PRIu64 " cannot be synced", number);
}

/* --- a new manifest file --- */

typedef struct new_file {
    pt_file *file;
    char name[PT_FILE_NAME_SIZE];
    uint64_t number, file_bytes;
    pt_manifest_place place;
} new_file;

/* The first free number from `number` on: a file that a crash left behind is not touched before the
 * superblock has moved past it. */
static peat_rc new_file_name(pt_manifest *m, uint64_t number, new_file *f)
{
    int e = EEXIST;
    for (f->number = number; e == EEXIST && f->number < number + 1000; f->number++) {
        pt_file_name('m', f->number, f->name);
        e = pt_file_open(m->env, m->dir, m->sink, f->name,
                         PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE, &f->file);
    }
    f->number--;
    return e == 0 ? PEAT_OK : pt_fail_os(m->sink, e, "%s cannot be made", f->name);
}

static peat_rc new_file_fill(pt_manifest *m, pt_slice payload, new_file *f)
{
    const pt_env *env = m->env;
    peat_rc rc = PEAT_OK;
    uint64_t random = 0;
    uint8_t header[PT_MANIFEST_HEADER_BYTES];
    pt_bytes bytes;
    pt_bytes_init(&bytes, env);

    int e = env->random(env->ctx, &random, sizeof random);
    if (e != 0)
        TRY(pt_fail_os(m->sink, e, "no random number for %s", f->name));
    pt_manifest_header_encode(&m->sb, f->number, random, header, &f->place);
    rc = pt_bytes_append(&bytes, header, sizeof header);
    if (rc == PEAT_OK)
        rc = pt_manifest_record_encode(payload, &bytes, &f->place);
    if (rc != PEAT_OK)
        TRY(pt_fail(m->sink, rc, "no memory for %zu bytes of manifest", payload.size));
    TRY(extend(m, f->file, pt_round_up(bytes.size, ALLOCATE_BYTES), &f->file_bytes));
    TRY(write_durably(m, f->file, f->number, 0, &bytes));
    TRY(sync_dir(m));
out:
    pt_bytes_done(&bytes);
    return rc;
}

/* A durable file of one record that nothing refers to yet, or no file at all. */
static peat_rc new_file_make(pt_manifest *m, uint64_t number, pt_slice payload, new_file *f)
{
    const pt_env *env = m->env;
    *f = (new_file){0};
    if (payload.size > UINT32_MAX)
        return pt_fail(m->sink, PEAT_TOO_BIG, "a manifest record of %zu bytes", payload.size);
    peat_rc rc = new_file_name(m, number, f);
    if (rc != PEAT_OK)
        return rc;
    rc = new_file_fill(m, payload, f);
    if (rc != PEAT_OK) {
        env->file_close(env->ctx, f->file);
        (void)env->dir_remove(env->ctx, m->dir, f->name); /* else the next begin removes it */
    }
    return rc;
}

/* The superblock's next generations speak of the new file. */
static void new_file_take(pt_manifest *m, const new_file *f)
{
    PT_ASSERT(f->number > m->sb.manifest_number, "I5: a manifest's number is never used again");
    PT_ASSERT(f->place.end <= f->file_bytes, "I5: the durable end lies in the file");
    m->file = f->file;
    m->file_bytes = f->file_bytes;
    m->place = f->place;
    m->tail = false;
    m->sb.manifest_number = f->number;
}

/* Writes the superblock as it shall be; names as durable what the manifest holds. */
static peat_rc write_durable_end(pt_manifest *m, unsigned copies)
{
    m->sb.manifest_end = m->place.end;
    m->sb.manifest_chain = m->place.chain;
    peat_rc rc = pt_superblock_write(m->env, m->peat, m->sink, copies, &m->sb);
    if (rc != PEAT_OK)
        return pt_sink_stop_writes(m->sink, rc);
    m->written_bytes += copies * PT_SUPERBLOCK_SLOT_BYTES;
    return PEAT_OK;
}

/* --- create: what a creation that was cut short or failed has left goes first, and
 * durably: a PEAT must not come back with a power cut when its manifest has gone --- */
static peat_rc remove_remains(pt_manifest *m)
{
    int e = m->env->dir_remove(m->env->ctx, m->dir, PT_SUPERBLOCK_NAME);
    if (e != 0 && e != ENOENT)
        return pt_fail_os(m->sink, e, "PEAT cannot be removed");
    peat_rc rc = sync_dir(m);
    if (rc != PEAT_OK)
        return rc;
    e = m->env->dir_remove(m->env->ctx, m->dir, "m-000001");
    return e == 0 || e == ENOENT ? PEAT_OK : pt_fail_os(m->sink, e, "m-000001 cannot be removed");
}

static peat_rc create_superblock(pt_manifest *m)
{
    const pt_env *env = m->env;
    int e = pt_file_open(env, m->dir, m->sink, PT_SUPERBLOCK_NAME,
                         PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE, &m->peat);
    if (e != 0)
        return pt_fail_os(m->sink, e, "PEAT cannot be made");
    peat_rc rc = write_durable_end(m, PT_SUPERBLOCK_SLOTS);
    return rc == PEAT_OK ? sync_dir(m) : rc;
}

peat_rc pt_manifest_create(const pt_env *env, pt_dir *dir, pt_sink *sink, uint64_t store_id,
                           uint32_t app_id, pt_slice first_payload, pt_manifest **ret_manifest)
{
    peat_rc rc = PEAT_OK;
    new_file f;
    pt_manifest *m = manifest_alloc(env, dir, sink);
    if (m == NULL)
        return PEAT_NOMEM;
    m->sb = (pt_superblock){
        .store_id = store_id, .app_id = app_id, .open_count = 1, .format_version = PT_FORMAT_FIRST};

    TRY(pt_superblock_check_fresh(env, dir, sink));
    TRY(remove_remains(m));
    TRY(new_file_make(m, 1, first_payload, &f)); /* contents and name are durable here */
    new_file_take(m, &f);
    m->begun = true;
    rc = create_superblock(m);
    if (rc != PEAT_OK)
        (void)remove_remains(m); /* rc is the cause; what stays is cleared by the next create */
    else
        *ret_manifest = m;
out:
    if (rc != PEAT_OK)
        pt_manifest_free(m);
    return rc;
}

/* --- open and begin --- */

static peat_rc open_existing(pt_manifest *m, const char *name, unsigned flags, pt_file **ret_file)
{
    int e = pt_file_open(m->env, m->dir, m->sink, name, flags, ret_file);
    if (e == ENOENT)
        return pt_fail_at(m->sink, PEAT_CORRUPT, name, 0,
                          "expected a file of %" PRIu64 " synced bytes or more, found none",
                          m->sb.manifest_end);
    if ((flags & PEAT_ENV_FILE_WRITE) != 0 && (e == EROFS || e == EACCES || e == EPERM))
        return pt_fail(m->sink, PEAT_READ_ONLY, "%s cannot be opened for writing", name);
    return e == 0 ? PEAT_OK : pt_fail_os(m->sink, e, "%s cannot be opened", name);
}

static peat_rc open_manifest(pt_manifest *m, unsigned flags, pt_file **ret_file)
{
    char name[PT_FILE_NAME_SIZE];
    pt_file_name('m', m->sb.manifest_number, name);
    return open_existing(m, name, flags, ret_file);
}

peat_rc pt_manifest_open(const pt_env *env, pt_dir *dir, pt_sink *sink, pt_manifest_visit_fn visit,
                         void *ctx, pt_manifest **ret_manifest)
{
    peat_rc rc = PEAT_OK;
    pt_file *file = NULL;
    pt_manifest *m = manifest_alloc(env, dir, sink);
    if (m == NULL)
        return PEAT_NOMEM;

    TRY(pt_superblock_read(env, dir, sink, &m->sb));
    TRY(open_manifest(m, 0, &file));
    TRY(pt_manifest_walk(env, sink, file, &m->sb, visit, ctx, &m->place, &m->file_bytes, &m->tail));
    *ret_manifest = m;
out:
    if (file != NULL)
        env->file_close(env->ctx, file);
    if (rc != PEAT_OK)
        pt_manifest_free(m);
    return rc;
}

static int list_manifests(void *arg, const char *name, bool regular_file, uint64_t size)
{
    uint64_t number;
    (void)size;
    if (!regular_file || !pt_file_name_parse(name, 'm', &number))
        return 0;
    return pt_bytes_append(arg, &number, sizeof number) == PEAT_OK ? 0 : ENOMEM;
}

/* Left by a crash around a rewrite. What cannot be removed stays until the next open. */
static void remove_others(pt_manifest *m)
{
    pt_bytes found;
    pt_bytes_init(&found, m->env);
    (void)m->env->dir_list(m->env->ctx, m->dir, list_manifests, &found);
    for (size_t at = 0; at + sizeof(uint64_t) <= found.size; at += sizeof(uint64_t)) {
        uint64_t number;
        char name[PT_FILE_NAME_SIZE];
        memcpy(&number, found.data + at, sizeof number);
        pt_file_name('m', number, name);
        if (number != m->sb.manifest_number)
            (void)m->env->dir_remove(m->env->ctx, m->dir, name);
    }
    pt_bytes_done(&found);
}

static peat_rc open_for_writing(pt_manifest *m, pt_slice snapshot)
{
    peat_rc rc = sync_dir(m); /* a kill while the store was made may have left that undone */
    if (rc == PEAT_OK)
        rc = open_existing(m, PT_SUPERBLOCK_NAME, PEAT_ENV_FILE_WRITE, &m->peat);
    if (rc != PEAT_OK || !m->tail)
        return rc == PEAT_OK ? open_manifest(m, PEAT_ENV_FILE_WRITE, &m->file) : rc;
    new_file f;
    rc = new_file_make(m, m->sb.manifest_number + 1, snapshot, &f);
    if (rc == PEAT_OK)
        new_file_take(m, &f);
    return rc;
}

/* After a rest. */
static peat_rc wake(pt_manifest *m)
{
    peat_rc rc = PEAT_OK;
    PT_ASSERT(m->begun, "I5: nothing is appended before pt_manifest_begin");
    if (m->peat == NULL)
        rc = open_existing(m, PT_SUPERBLOCK_NAME, PEAT_ENV_FILE_WRITE, &m->peat);
    if (rc == PEAT_OK && m->file == NULL)
        rc = open_manifest(m, PEAT_ENV_FILE_WRITE, &m->file);
    return rc;
}

peat_rc pt_manifest_begin(pt_manifest *m, pt_slice snapshot)
{
    peat_rc rc = PEAT_OK;
    if (!m->begun) /* after pt_manifest_create everything is there already */
        TRY(open_for_writing(m, snapshot));
    m->begun = true;
    TRY(wake(m));
    m->sb.open_count++;
    TRY(write_durable_end(m, PT_SUPERBLOCK_SLOTS));
    remove_others(m);
out:
    return rc;
}

/* --- append, raise and rewrite --- */

peat_rc pt_manifest_append(pt_manifest *m, pt_slice payload)
{
    peat_rc rc = pt_sink_write_failure(m->sink);
    pt_manifest_place next = m->place;
    pt_bytes bytes;
    if (rc != PEAT_OK)
        return rc;
    pt_bytes_init(&bytes, m->env);
    TRY(wake(m));
    if (payload.size > UINT32_MAX)
        TRY(pt_fail(m->sink, PEAT_TOO_BIG, "a manifest record of %zu bytes", payload.size));
    rc = pt_manifest_record_encode(payload, &bytes, &next);
    if (rc != PEAT_OK)
        TRY(pt_fail(m->sink, rc, "no memory for %zu bytes of manifest", payload.size));
    if (next.end > m->file_bytes)
        TRY(extend(m, m->file, pt_round_up(next.end, ALLOCATE_BYTES), &m->file_bytes));
    PT_ASSERT(!m->tail && m->place.end + bytes.size == next.end && next.end <= m->file_bytes,
              "I5: a record is appended behind what is durable, and nothing lies there");
    rc = write_durably(m, m->file, m->sb.manifest_number, m->place.end, &bytes);
    if (rc != PEAT_OK)
        rc = pt_sink_stop_writes(m->sink, rc);
    TRY(rc);
    m->place = next;
    TRY(write_durable_end(m, 1)); /* the other slot names an earlier end, and is whole */
out:
    pt_bytes_done(&bytes);
    return rc;
}

/* Both slots: the loss of one must not bring back a format that does not suit the tables. */
peat_rc pt_manifest_raise(pt_manifest *m, uint32_t features)
{
    peat_rc rc = PEAT_OK;
    if ((features & ~m->sb.features) == 0)
        return PEAT_OK;
    TRY(pt_sink_write_failure(m->sink));
    TRY(wake(m));
    m->sb.features |= features;
    m->sb.format_version = PT_FORMAT_VERSION;
    TRY(write_durable_end(m, PT_SUPERBLOCK_SLOTS));
out:
    return rc;
}

bool pt_manifest_wants_rewrite(const pt_manifest *m, uint64_t live_bytes, uint64_t bytes_min)
{
    return m->place.end > bytes_min && m->place.end / 4 > live_bytes;
}

peat_rc pt_manifest_rewrite(pt_manifest *m, pt_slice snapshot)
{
    peat_rc rc = pt_sink_write_failure(m->sink);
    new_file f;
    pt_file *old = NULL;
    char old_name[PT_FILE_NAME_SIZE];
    TRY(rc);
    TRY(wake(m));
    old = m->file;
    pt_file_name('m', m->sb.manifest_number, old_name);
    TRY(new_file_make(m, m->sb.manifest_number + 1, snapshot, &f));
    new_file_take(m, &f);
    m->env->file_close(m->env->ctx, old);
    TRY(write_durable_end(m, PT_SUPERBLOCK_SLOTS));
    (void)m->env->dir_remove(m->env->ctx, m->dir, old_name); /* else the next begin removes it */
out:
    return rc;
}

const pt_superblock *pt_manifest_superblock(const pt_manifest *m)
{
    return &m->sb;
}

uint64_t pt_manifest_bytes(const pt_manifest *m)
{
    return m->file_bytes;
}

uint64_t pt_manifest_written_bytes(const pt_manifest *m)
{
    return m->written_bytes;
}
