/* SPDX-License-Identifier: MIT */
/* copy.c - export and import, to and from a callback or a file descriptor. */
#include "copy/copy.h"

#include "api/handle.h"
#include "api/settings.h"
#include "db/destroy.h"
#include "env/fd.h"

/* Without bounds all keyspaces are exported, whatever the handle's. */
static peat_rc export_range(peat_db *db, const peat_export_options *o, peat_write_fn fn, void *ctx)
{
    pt_api_range range;
    pt_slice none = pt_slice_of(NULL, 0);
    if (o->lower.data == NULL && o->upper.data == NULL)
        return pt_copy_export(db->store, none, none, o->progress, fn, ctx);
    peat_rc rc = pt_api_range_init(&range, db->store->env, db->keyspace, o->lower, o->upper);
    if (rc != PEAT_OK)
        return rc;
    rc = pt_copy_export(db->store, pt_api_key_slice(&range.lower), pt_api_key_slice(&range.upper),
                        o->progress, fn, ctx);
    pt_api_range_done(&range);
    return rc;
}

static peat_rc export_to(peat_db *db, const peat_export_options *options, peat_write_fn fn,
                         void *ctx)
{
    peat_export_options o;
    if (db == NULL)
        return PEAT_INVALID;
    if (fn == NULL)
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_export", "fn is NULL");
    if (!pt_api_options_valid(options, sizeof o, offsetof(peat_export_options, lower)))
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_export", PT_API_WHY_OPTIONS);
    pt_api_options_copy(options, &o, sizeof o);
    peat_rc rc = pt_api_check_range(db->store, "peat_export", o.lower, o.upper);
    if (rc == PEAT_OK)
        rc = pt_api_begin(db);
    return rc == PEAT_OK ? pt_api_end(db->store, export_range(db, &o, fn, ctx)) : rc;
}

peat_rc peat_export(peat_db *db, const peat_export_options *options, peat_write_fn fn, void *ctx)
{
    return export_to(db, options, fn, ctx);
}

typedef struct fd_stream {
    int fd;
    int os_errno;  /* of a failed read, 0: none */
    pt_sink *sink; /* for failed writes */
} fd_stream;

static peat_rc write_fd(void *ctx, const void *data, size_t size)
{
    const fd_stream *f = (const fd_stream *)ctx;
    int e = pt_fd_write(f->fd, data, size);
    return e == 0 ? PEAT_OK : pt_fail_os(f->sink, e, "export: writing the stream");
}

static peat_rc read_fd(void *ctx, void *buf, size_t size, size_t *ret_n)
{
    fd_stream *f = (fd_stream *)ctx;
    f->os_errno = pt_fd_read(f->fd, buf, size, ret_n);
    if (f->os_errno != 0)
        return PEAT_IO;
    return *ret_n == 0 ? PEAT_END : PEAT_OK;
}

peat_rc peat_export_fd(peat_db *db, const peat_export_options *options, int fd)
{
    fd_stream f = {.fd = fd, .sink = db != NULL ? &db->store->sink : NULL};
    if (db != NULL && fd < 0)
        return pt_api_refuse(db->store, PEAT_INVALID, "peat_export_fd", "fd is below 0");
    return export_to(db, options, write_fd, &f);
}

/* A store that could not be completed goes away again; one that a power cut left is not opened. */
static peat_rc import_from(const char *dir, const peat_options *options, peat_read_fn fn, void *ctx,
                           const int *os_errno, peat_error *ret_error)
{
    peat_options o;
    peat_db *db = NULL;
    pt_api_options_copy(options, &o, sizeof o);
    o.size = sizeof o;
    o.create = PEAT_CREATE_IF_MISSING;
    o.error_if_exists = true;
    o.read_only = false;
    o.no_log = true; /* one flush at the end makes all of it durable */
    peat_rc rc = pt_api_open(dir, &o, true, &db, ret_error);
    if (rc != PEAT_OK)
        return rc;
    const pt_env *env = db->store->env;
    rc = pt_copy_import(db->store, fn, ctx);
    if (os_errno != NULL && *os_errno != 0)
        rc = pt_fail_os(&db->store->sink, *os_errno, "import: reading the stream");
    rc = pt_sink_describe(&db->store->sink, rc, dir, ret_error);
    peat_rc closed = peat_close(db);
    if (rc == PEAT_OK && closed != PEAT_OK)
        rc = pt_api_say(ret_error, closed, NULL);
    if (rc != PEAT_OK)
        (void)pt_destroy_store(dir, env, NULL); /* what stays is no store that opens as complete */
    return rc;
}

peat_rc peat_import(const char *dir, const peat_options *options, peat_read_fn fn, void *ctx,
                    peat_error *ret_error)
{
    if (dir == NULL || fn == NULL ||
        !pt_api_options_valid(options, sizeof *options, sizeof *options))
        return pt_api_say(ret_error, PEAT_INVALID,
                          "peat_import: dir or fn is NULL, or options make no sense");
    peat_error error;
    peat_rc rc = import_from(dir, options, fn, ctx, NULL, &error);
    return pt_api_answer(rc, &error, ret_error);
}

peat_rc peat_import_fd(const char *dir, const peat_options *options, int fd, peat_error *ret_error)
{
    fd_stream f = {.fd = fd};
    if (dir == NULL || fd < 0 || !pt_api_options_valid(options, sizeof *options, sizeof *options))
        return pt_api_say(ret_error, PEAT_INVALID,
                          "peat_import_fd: dir is NULL, fd below 0, or options make no sense");
    peat_error error;
    peat_rc rc = import_from(dir, options, read_fd, &f, &f.os_errno, &error);
    return pt_api_answer(rc, &error, ret_error);
}
