/* SPDX-License-Identifier: MIT */
/*
 * open.c - opening and closing a store. No table file is opened here.
 *   1  the directory is looked at; one that holds other things is refused before anything is made
 *   2  the lock is taken
 *   3  superblock and manifest are read, or made
 *   4  the log is replayed (recover.c)
 *   5  the background starts
 */
#include <errno.h>
#include <stdio.h>

#include "base/file_name.h"
#include "db/db.h"
#include "db/recover.h"
#include "state/durable.h"
#include "state/event.h"
#include "state/switch.h"
#include "queue/queue.h"
#include "work/work.h"
#include "write/write.h"

#define LOCK_NAME "LOCK"

static char *copy_string(const pt_env *env, const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = (char *)pt_alloc(env, n);
    if (copy != NULL)
        memcpy(copy, text, n);
    return copy;
}

/* ---- 1: what is in the directory ---- */

typedef struct inventory {
    bool has_superblock;
    uint64_t store_files;
    char foreign[64]; /* a name that no store makes; empty: none */
} inventory;

static int visit_name(void *arg, const char *name, bool regular_file, uint64_t size)
{
    inventory *inv = (inventory *)arg;
    (void)size;
    if (strcmp(name, "PEAT") == 0 && regular_file)
        inv->has_superblock = true;
    else if (pt_file_name_is_store(name) && regular_file)
        inv->store_files++;
    else if (name[0] != '.' && strcmp(name, LOCK_NAME) != 0 && strcmp(name, "lost+found") != 0)
        (void)snprintf(inv->foreign, sizeof inv->foreign, "%s", name);
    return 0;
}

/* Whether the directory that is to hold the store is missing: only the last part of a path is made.
 * Without memory the answer is the system's own words. */
static bool parent_is_missing(const pt_store *s)
{
    size_t n = strlen(s->path);
    while (n > 0 && s->path[n - 1] == '/')
        n--;
    while (n > 0 && s->path[n - 1] != '/')
        n--;
    char *parent = n == 0 ? NULL : copy_string(s->env, s->path);
    if (parent == NULL)
        return false;
    pt_dir *dir = NULL;
    parent[n] = '\0'; /* the slash stays: it may be the root's */
    int e = s->env->dir_open(s->env->ctx, parent, 0, &dir);
    if (e == 0)
        s->env->dir_close(s->env->ctx, dir);
    pt_free(s->env, parent);
    return e == ENOENT;
}

static peat_rc open_directory(pt_store *s)
{
    unsigned flags = s->settings.may_create ? PEAT_ENV_DIR_CREATE : 0;
    int e = s->env->dir_open(s->env->ctx, s->path, flags, &s->dir);
    if (e == ENOENT && !s->settings.may_create)
        return pt_fail(&s->sink, PEAT_NOT_FOUND, "there is no store here");
    if (e == ENOENT && parent_is_missing(s))
        return pt_fail_os(&s->sink, e,
                          "the directory that is to hold the store does not exist, and only the "
                          "last part of a path is made");
    if (e == ENOTDIR)
        return pt_fail(&s->sink, PEAT_NOT_STORE, "not a directory, so not a store");
    if (e == EROFS)
        return pt_fail(&s->sink, PEAT_READ_ONLY, "the file system is mounted read-only");
    return e != 0 ? pt_fail_os(&s->sink, e, "opening the directory") : PEAT_OK;
}

static peat_rc look_around(pt_store *s, inventory *ret_inv)
{
    memset(ret_inv, 0, sizeof *ret_inv);
    int e = s->env->dir_list(s->env->ctx, s->dir, visit_name, ret_inv);
    if (e != 0)
        return pt_fail_os(&s->sink, e, "listing the directory");
    if (ret_inv->has_superblock)
        return PEAT_OK;
    if (ret_inv->foreign[0] != '\0')
        return pt_fail(&s->sink, PEAT_NOT_STORE,
                       "not a store: there is no PEAT file, but there is \"%s\"", ret_inv->foreign);
    if (ret_inv->store_files == 0 && !s->settings.may_create)
        return pt_fail(&s->sink, PEAT_NOT_FOUND, "the directory is empty: there is no store here");
    return PEAT_OK;
}

/* ---- 2: the lock ---- */

/* Between two looks at a lock that somebody holds: short at first, for who only passes by; then
 * so long that a wait costs the machine nothing. */
#define LOCK_PAUSE_NS_MIN ((uint64_t)1000000)
#define LOCK_PAUSE_NS_MAX ((uint64_t)50000000)

static bool lock_is_held(int e)
{
    return e == EWOULDBLOCK || e == EAGAIN;
}

/* As dir_lock, again and again for lock_wait_ns. Nobody is told that the lock is free, so that
 * those who wait get it in no order. */
static int wait_for_lock(pt_store *s, int64_t *ret_pid)
{
    const pt_env *env = s->env;
    uint64_t limit = s->settings.lock_wait_ns, waited = 0, pause = LOCK_PAUSE_NS_MIN;
    uint64_t begin = limit != 0 ? env->now_ns(env->ctx) : 0;
    for (;;) {
        int e =
            env->dir_lock(env->ctx, s->dir, LOCK_NAME, s->settings.read_only, &s->lock, ret_pid);
        if (!lock_is_held(e) || waited >= limit)
            return e;
        pause = pt_min_u64(pause, limit - waited);
        env->sleep_ns(env->ctx, pause);
        waited = pt_max_u64(waited + pause, env->now_ns(env->ctx) - begin);
        pause = pt_min_u64(2 * pause, LOCK_PAUSE_NS_MAX);
    }
}

/* The pid is what the last writer wrote down: a child that it forked holds the lock too, for longer
 * perhaps, and in another container the number means another process. */
static peat_rc say_who_has_it(pt_store *s, int64_t pid)
{
    if (pid == 0)
        return pt_fail(&s->sink, PEAT_BUSY, "the store is open elsewhere (holder unknown)");
    if (pid == s->env->pid(s->env->ctx))
        return pt_fail(&s->sink, PEAT_BUSY,
                       "the store is open in a process that calls itself %" PRId64
                       ": this one, a child it forked, or one of another container",
                       pid);
    return pt_fail(&s->sink, PEAT_BUSY,
                   "the store is open in process %" PRId64 " or a child it forked", pid);
}

/* ENOENT of a writer: the directory itself was removed since it was opened. */
static peat_rc take_lock(pt_store *s, bool *ret_removed)
{
    int64_t pid = 0;
    int e = wait_for_lock(s, &pid);
    *ret_removed = e == ENOENT && !s->settings.read_only;
    if (e == 0)
        return PEAT_OK;
    if (e == ENOENT && s->settings.read_only) /* a copy without its LOCK: nobody writes to it */
        return PEAT_OK;
    if (e == EROFS)
        return pt_fail(&s->sink, PEAT_READ_ONLY, "the file system is mounted read-only");
    return lock_is_held(e) ? say_who_has_it(s, pid)
                           : pt_fail_os(&s->sink, e, LOCK_NAME ": taking the lock");
}

/* Who had the store may have destroyed it while we waited: then all begins anew. Each further round
 * needs another process that makes a store and destroys it, so that few are enough. */
#define ENTER_ROUNDS_MAX 4

static peat_rc enter_directory(pt_store *s)
{
    peat_rc rc = PEAT_OK;
    inventory inv;
    bool removed = true;
    for (int round = 0; removed && round < ENTER_ROUNDS_MAX; round++) {
        if (s->dir != NULL)
            s->env->dir_close(s->env->ctx, s->dir);
        s->dir = NULL;
        TRY(open_directory(s));
        TRY(look_around(s, &inv));   /* 1 */
        rc = take_lock(s, &removed); /* 2 */
    }
    if (rc == PEAT_OK)
        pt_sink_clear(&s->sink); /* of earlier rounds */
out:
    return rc;
}

/* ---- 3: superblock and manifest ---- */

static peat_rc create_version_set(pt_store *s)
{
    uint64_t id = 0;
    int e = 0;
    while (e == 0 && id == 0)
        e = s->env->random(s->env->ctx, &id, sizeof id);
    if (e != 0)
        return pt_fail_os(&s->sink, e, "asking for random bits");
    s->store_id = id;
    return pt_version_set_create(&s->version_set, &s->open_tables, id, s->settings.host.app_id,
                                 s->settings.unfinished);
}

static peat_rc check_identity(pt_store *s)
{
    const pt_superblock *b = pt_manifest_superblock(s->version_set.manifest);
    uint32_t wanted = s->settings.host.app_id;
    s->store_id = b->store_id;
    if (s->settings.error_if_exists)
        return pt_fail(&s->sink, PEAT_EXISTS, "a store is already here");
    if (wanted != 0 && b->app_id != wanted)
        return pt_fail(&s->sink, PEAT_NOT_STORE,
                       "PEAT: a store of application %" PRIu32 ", not of %" PRIu32, b->app_id,
                       wanted);
    return PEAT_OK;
}

static peat_rc open_version_set(pt_store *s)
{
    peat_rc rc = pt_version_set_open(&s->version_set, &s->open_tables);
    if (rc == PEAT_NOT_FOUND && s->settings.may_create) {
        pt_sink_forget(&s->sink);
        pt_version_set_done(&s->version_set);
        return create_version_set(s);
    }
    if (rc == PEAT_OK && s->version_set.state.unfinished)
        return pt_fail(&s->sink, PEAT_NOT_STORE,
                       "not a store: an import or a repair into this directory was cut short; "
                       "remove it and begin again");
    return rc == PEAT_OK ? check_identity(s) : rc;
}

static peat_rc open_parts(pt_store *s)
{
    peat_rc rc = PEAT_OK;
    TRY(enter_directory(s));                      /* 1, 2 */
    size_t least = s->settings.memory_bytes / 16; /* of it the cache never gets */
    TRY(pt_cache_new(s->env, &s->epoch, s->settings.memory_bytes - least, &s->cache));
    pt_open_tables_init(&s->open_tables, s->env, s->dir, &s->sink, &s->epoch, s->cache);
    pt_queues_watch_files(s);
    s->open_tables.files.ahead_max = s->settings.ahead_bytes;
    if (s->settings.read_only)
        pt_open_tables_stop_removing(&s->open_tables);
    TRY(open_version_set(s)); /* 3 */
    TRY(pt_recover(s));       /* 4 */
    pt_taps_begin(&s->tap, &s->settings.taps);
    TRY(pt_work_start(s)); /* 5 */
out:
    return rc;
}

static void unlock(pt_store *s)
{
    if (s->lock != NULL)
        s->env->dir_unlock(s->env->ctx, s->lock);
    s->lock = NULL;
}

static void free_rooms(pt_store *s)
{
    pt_work_free(s);
    pt_queues_free(s);
    pt_free(s->env, s->write);
    s->write = NULL;
}

/* Nothing of them does anything yet. */
static peat_rc make_rooms(pt_store *s)
{
    s->rooms_done = free_rooms;
    s->write = (pt_write *)pt_alloc_zero(s->env, sizeof *s->write);
    peat_rc rc = s->write != NULL ? pt_work_new(s) : PEAT_NOMEM;
    return rc == PEAT_OK ? pt_queues_new(s) : rc;
}

peat_rc pt_db_open(const char *dir, const pt_env *env, const pt_settings *settings,
                   pt_store **ret_store, peat_error *ret_error)
{
    uint64_t begin = env->now_ns(env->ctx);
    pt_store *s = (pt_store *)pt_alloc_zero(env, sizeof *s);
    char *path = copy_string(env, dir);
    if (s == NULL || path == NULL) {
        pt_free(env, path);
        pt_free(env, s);
        return PEAT_NOMEM;
    }
    s->env = env;
    s->path = path;
    s->settings = *settings;
    s->pid = env->pid(env->ctx);
    s->fork_mark = env->fork_mark != NULL ? env->fork_mark(env->ctx) : NULL;
    pt_store_init(s);
    peat_rc rc = make_rooms(s);
    if (rc == PEAT_OK)
        rc = open_parts(s);
    rc = pt_sink_describe(&s->sink, rc, s->path, ret_error);
    if (rc != PEAT_OK) {
        if (s->work != NULL)
            pt_work_stop(s);
        pt_log_free(s->log);
        s->log = NULL;
        if (s->cache != NULL)
            pt_open_tables_stop_removing(&s->open_tables);
        unlock(s);
        pt_store_unref(s);
        return rc;
    }
    pt_sink_clear(&s->sink); /* "there is no store yet" is no trouble of this store */
    s->open_ns = env->now_ns(env->ctx) - begin;
    pt_event_send(s, PEAT_EVENT_RECOVERY, PEAT_OK, s->open_ns, s->recovered_bytes, 0, "");
    pt_work_wake(s);
    *ret_store = s;
    return PEAT_OK;
}

/* ---- close ---- */

/* No call is inside any more, and none gets in. */
static void wait_for_calls(pt_store *s)
{
    atomic_store(&s->closed, true);
    uint64_t epoch = pt_epoch_advance(&s->epoch);
    /* in this order: a get may count itself while it leaves the epoch */
    while (!pt_epoch_passed(&s->epoch, epoch) || atomic_load(&s->calls) != 0)
        s->env->sleep_ns(s->env->ctx, 100000);
}

/* So much may stay in the log at a clean close: replayed within a few milliseconds by the next
 * open. */
#define CLOSE_LOG_BYTES ((uint64_t)1 << 20)

static bool worth_flushing(pt_store *s)
{
    pt_view *v = pt_store_view(s);
    pt_memtable_stats stats = pt_memtable_get_stats(v->active->table);
    bool worth = v->immutable_count != 0 || stats.key_bytes + stats.value_bytes > CLOSE_LOG_BYTES;
    pt_view_unref(v);
    return worth || pt_work_hides_much(s);
}

static peat_rc make_durable(pt_store *s)
{
    if (s->settings.read_only)
        return PEAT_OK;
    peat_rc rc = pt_sink_write_failure(&s->sink);
    if (rc != PEAT_OK)
        return rc;
    if (s->log == NULL)
        return pt_switch_flush(s);
    if (worth_flushing(s))
        rc = pt_switch_flush(s);
    if (rc == PEAT_OK) /* what was not merged now is merged another time */
        (void)!pt_work_before_close(s);
    if (rc != PEAT_OK && pt_sink_write_failure(&s->sink) != PEAT_OK)
        return rc; /* any other failure leaves all of it in the log */
    pt_mutex_lock(&s->commit_mu);
    rc = pt_log_seal(s->log);
    pt_mutex_unlock(&s->commit_mu);
    if (rc != PEAT_OK)
        return rc;
    pt_taps_durable(&s->tap, pt_log_durable(s->log));
    (void)!pt_durable_note(s, true); /* only costs a proof when it fails: all is in the log */
    return PEAT_OK;
}

peat_rc pt_db_close(pt_store *s)
{
    pt_queues_close(s);
    wait_for_calls(s);
    pt_work_stop(s);
    pt_reads_pool_trim(&s->reads); /* it has descriptors, and perhaps threads */
    peat_rc rc = make_durable(s);
    pt_log_free(s->log);
    s->log = NULL;
    pt_epoch_collect(&s->epoch);
    pt_open_tables_sweep(&s->open_tables);
    pt_open_tables_stop_removing(&s->open_tables);
    unlock(s);
    pt_store_unref(s);
    return rc;
}
