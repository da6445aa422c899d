/* SPDX-License-Identifier: MIT */
/*
 * table_files.c - opening, using and closing the files of tables; see table.h.
 *
 * A table's `file_state` is the flag FILE_OPEN and a count of the reads that use the file.
 *   1  a read counts itself in only while the flag is there
 *   2  taking the flag away begins the end of the file; whoever then leaves the state at 0, the
 *      closer itself or the last read, closes it, once
 *   3  nobody opens the file again before that: `file` is NULL then
 * `file` and the flag are set under file_mu and the set's mu. It may be read by who is counted in.
 *
 * Where descriptors are short the last open file is never given to others: everybody who holds an
 * output needs a table to read before the output can be finished and closed, and would wait for
 * ever. It is exchanged for another table's file behind the gate, which all who open a file pass.
 *
 * Order of locks: file_mu of one table, the gate, then the set's mu. Who holds the gate waits for
 * reads, which take no lock but mu. Reads that nobody waits for, because who began them collects
 * them when he likes, are ended by `hurry`.
 */
#include "env/fd_reclaim.h"
#include "table/table_internal.h"

#include <errno.h>

#define FILE_OPEN      0x80000000u
#define HURRY_AGAIN_NS 1000000u

/* ---- the set ---- */

void pt_table_files_init(pt_table_files *files)
{
    *files = (pt_table_files){.limit = PT_TABLE_FILES_MAX};
    files->ring.prev = files->ring.next = &files->ring;
    pt_mutex_init(&files->gate);
    pt_mutex_init(&files->mu);
    pt_cond_init(&files->changed);
}

void pt_table_files_done(pt_table_files *files)
{
    PT_ASSERT(files->open == 0 && files->opening == 0,
              "tables close their files before the set goes");
    pt_cond_done(&files->changed);
    pt_mutex_done(&files->mu);
    pt_mutex_done(&files->gate);
}

/* The functions up to the next heading: mu held. */

static pt_table *table_of(pt_table_link *link)
{
    return PT_CONTAINER(link, pt_table, files_link);
}

static void ring_add(pt_table_files *files, pt_table_link *link)
{
    link->next = &files->ring;
    link->prev = files->ring.prev;
    link->prev->next = link;
    link->next->prev = link;
}

static void ring_remove(pt_table_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
}

static void tell_change(pt_table_files *files)
{
    files->changes++;
    pt_cond_broadcast(&files->changed);
}

static void close_file(pt_table_files *files, pt_table *t)
{
    PT_DCHECK(pt_mutex_held(&files->mu), "the set's mu guards its files");
    PT_ASSERT(files->open != 0 && t->file != NULL, "a file is closed once");
    PT_ASSERT((atomic_load(&t->file_state) & ~FILE_OPEN) == 0,
              "a file is closed when nobody reads it");
    ring_remove(&t->files_link);
    t->env->file_close(t->env->ctx, t->file);
    t->file = NULL;
    files->open--;
    files->closed++;
    tell_change(files);
}

/* False: it was used since the last look, or is in use. */
static bool close_unused(pt_table_files *files, pt_table *t)
{
    uint32_t idle = FILE_OPEN;
    bool used = atomic_exchange_explicit(&t->file_used, false, memory_order_relaxed);
    if (used || !atomic_compare_exchange_strong(&t->file_state, &idle, 0))
        return false;
    close_file(files, t);
    return true;
}

/* Second chance: who was used since the last look goes to the end once. */
static bool close_idle(pt_table_files *files)
{
    for (size_t looks = 2 * files->open; looks > 0; looks--) {
        pt_table *t = table_of(files->ring.next);
        if (close_unused(files, t))
            return true;
        ring_remove(&t->files_link);
        ring_add(files, &t->files_link);
    }
    return false;
}

/* The oldest file takes no new reads; it goes at once if the last read has just ended. */
static void dismiss_one(pt_table_files *files)
{
    pt_table_link *link = files->ring.next;
    for (; link != &files->ring; link = link->next) {
        uint32_t before = atomic_fetch_and(&table_of(link)->file_state, ~FILE_OPEN);
        if ((before & FILE_OPEN) == 0)
            continue; /* leaving already */
        if (before == FILE_OPEN)
            close_file(files, table_of(link));
        else
            files->leaving++;
        return;
    }
}

/* A shortage while nothing is open is not of this set's making. */
static void shrink(pt_table_files *files)
{
    size_t half = files->open > 1 ? files->open / 2 : 1;
    if (files->open != 0 && half < files->limit)
        files->limit = half;
    files->calm = 0;
}

static void grow(pt_table_files *files)
{
    if (files->limit == PT_TABLE_FILES_MAX || ++files->calm < PT_TABLE_FILES_CALM)
        return;
    files->limit++;
    files->calm = 0;
}

/* A file is to be closed, or opened, by others. mu is given up meanwhile. */
static void await_change(pt_table_files *files)
{
    uint64_t changes = files->changes;
    bool all_end = true;
    if (files->hurry.fn != NULL) {
        pt_mutex_unlock(&files->mu);
        all_end = files->hurry.fn(files->hurry.ctx);
        pt_mutex_lock(&files->mu);
    }
    if (files->changes != changes)
        return;
    if (all_end)
        pt_cond_wait(&files->changed, &files->mu);
    else
        (void)pt_cond_wait_for(&files->changed, &files->mu, HURRY_AGAIN_NS);
}

/* ---- calls on the set ---- */

/* As pt_table_files_relieve, but so many stay open at least. */
static bool relieve(pt_table_files *files, size_t keep)
{
    pt_mutex_lock(&files->mu);
    uint64_t closed = files->closed;
    shrink(files);
    while ((files->closed == closed || files->open > files->limit) && files->open > keep &&
           close_idle(files)) {
    }
    while (files->closed == closed && files->open + files->opening > keep) {
        if (files->open > keep && files->leaving == 0)
            dismiss_one(files);
        else
            await_change(files);
    }
    bool eased = files->closed != closed;
    pt_mutex_unlock(&files->mu);
    return eased;
}

bool pt_table_files_relieve(void *files)
{
    return relieve((pt_table_files *)files, 1);
}

void pt_table_files_rest(pt_table_files *files)
{
    pt_mutex_lock(&files->mu);
    for (size_t looks = files->open; looks > 0; looks--) {
        pt_table *t = table_of(files->ring.next);
        if (!close_unused(files, t)) {
            ring_remove(&t->files_link);
            ring_add(files, &t->files_link);
        }
    }
    pt_mutex_unlock(&files->mu);
}

/* A place below the limit, for a table whose file is closed or about to be. */
static void take_place(pt_table_files *files, const pt_table *t)
{
    pt_mutex_lock(&files->mu);
    while (t->file != NULL || files->open + files->opening >= files->limit) {
        bool full = files->open - files->leaving + files->opening >= files->limit;
        if (full && close_idle(files))
            continue;
        if (full && files->open != files->leaving)
            dismiss_one(files);
        else
            await_change(files);
    }
    files->opening++;
    pt_mutex_unlock(&files->mu);
}

/* The table comes in, used by its opener; or (file NULL) the place is given back. */
static void fill_place(pt_table_files *files, pt_table *t, pt_file *file)
{
    pt_mutex_lock(&files->mu);
    PT_ASSERT(files->opening != 0 && t->file == NULL, "a place is filled once");
    files->opening--;
    if (file != NULL) {
        t->file = file;
        atomic_store(&t->file_state, FILE_OPEN + 1);
        ring_add(files, &t->files_link);
        files->open++;
        grow(files);
    }
    tell_change(files);
    pt_mutex_unlock(&files->mu);
}

static void close_dismissed(pt_table_files *files, pt_table *t)
{
    pt_mutex_lock(&files->mu);
    PT_ASSERT(files->leaving != 0, "who leaves was dismissed");
    files->leaving--;
    close_file(files, t);
    pt_mutex_unlock(&files->mu);
}

/* ---- the file of a table ---- */

/* The gate held. */
static int exchange(pt_table *t)
{
    int e;
    PT_DCHECK(pt_mutex_held(&t->files->gate), "files are opened behind the gate");
    do {
        pt_file *file = NULL;
        take_place(t->files, t);
        e = t->env->file_open(t->env->ctx, t->dir, t->name, 0, &file);
        fill_place(t->files, t, e == 0 ? file : NULL);
    } while (pt_out_of_files(e) && relieve(t->files, 0));
    return e;
}

static int open_in_set(pt_table *t)
{
    unsigned waits = 0;
    int e;
    do {
        pt_mutex_lock(&t->files->gate);
        e = exchange(t);
        pt_mutex_unlock(&t->files->gate);
    } while (pt_out_of_files(e) && pt_fd_reclaim_wait(t->env, &waits));
    return e;
}

static int open_alone(pt_table *t)
{
    int e = pt_file_open(t->env, t->dir, t->sink, t->name, 0, &t->file);
    if (e == 0)
        atomic_store(&t->file_state, FILE_OPEN + 1);
    return e;
}

/* file_mu held. On success the caller is counted in. */
static peat_rc open_file(pt_table *t)
{
    PT_DCHECK(pt_mutex_held(&t->file_mu), "a table's file is opened by one thread");
    int e = t->files != NULL ? open_in_set(t) : open_alone(t);
    if (e == ENOENT)
        return pt_fail(t->sink, PEAT_CORRUPT,
                       "table %s is missing: expected %" PRIu64 " bytes, found no file", t->name,
                       t->meta.file_bytes);
    if (e != 0)
        return pt_fail_os(t->sink, e, "cannot open table %s", t->name);
    /* a hint: what cannot be advised is read all the same */
    (void)t->env->file_advise(t->env->ctx, t->file, 0, 0, PEAT_ENV_ADVISE_RANDOM);
    return PEAT_OK;
}

static bool pin_open(pt_table *t)
{
    uint32_t state = atomic_load_explicit(&t->file_state, memory_order_relaxed);
    do {
        if ((state & FILE_OPEN) == 0)
            return false;
    } while (!atomic_compare_exchange_weak(&t->file_state, &state, state + 1));
    if (!atomic_load_explicit(&t->file_used, memory_order_relaxed))
        atomic_store_explicit(&t->file_used, true, memory_order_relaxed);
    return true;
}

peat_rc pt_table_pin(pt_table *t, pt_file **ret_file)
{
    peat_rc rc = PEAT_OK;
    if (PT_UNLIKELY(!pin_open(t))) {
        pt_mutex_lock(&t->file_mu);
        if (!pin_open(t))
            rc = open_file(t);
        pt_mutex_unlock(&t->file_mu);
    }
    if (rc == PEAT_OK)
        *ret_file = t->file;
    return rc;
}

void pt_table_unpin(pt_table *t)
{
    PT_DCHECK((atomic_load(&t->file_state) & ~FILE_OPEN) != 0, "who leaves a file was counted in");
    if (PT_UNLIKELY(atomic_fetch_sub(&t->file_state, 1) == 1))
        close_dismissed(t->files, t);
}

/* What came of a read. */
static peat_rc judge(const pt_table *t, uint64_t offset, size_t n, const char *what, int error,
                     size_t got)
{
    if (error != 0)
        return pt_fail_os(t->sink, error, "cannot read table %s %s @%" PRIu64, t->name, what,
                          offset);
    if (got != n)
        return pt_fail(t->sink, PEAT_CORRUPT,
                       "table %s %s @%" PRIu64 ": the file ends after %zu of %zu bytes", t->name,
                       what, offset, got, n);
    return PEAT_OK;
}

peat_rc pt_table_read(pt_table *t, uint64_t offset, void *buf, size_t n, const char *what)
{
    pt_file *file;
    size_t got = 0;
    peat_rc rc = pt_table_pin(t, &file);
    if (rc != PEAT_OK)
        return rc;
    int e = t->env->file_read(t->env->ctx, file, offset, buf, n, &got);
    pt_table_unpin(t);
    return judge(t, offset, n, what, e, got);
}

peat_rc pt_table_open_file(pt_table *t)
{
    pt_file *file;
    peat_rc rc = pt_table_pin(t, &file);
    if (rc == PEAT_OK)
        pt_table_unpin(t);
    return rc;
}

bool pt_table_read_begin(pt_table *t, pt_file **ret_file)
{
    if (!pin_open(t))
        return false;
    *ret_file = t->file;
    return true;
}

void pt_table_read_cancel(pt_table *t)
{
    pt_table_unpin(t);
}

peat_rc pt_table_read_end(pt_table *t, uint64_t offset, size_t n, const char *what, int error,
                          size_t got)
{
    pt_table_unpin(t);
    return judge(t, offset, n, what, error, got);
}

void pt_table_advise(pt_table *t, uint64_t offset, uint64_t size, int advice)
{
    if (!pin_open(t))
        return;
    (void)t->env->file_advise(t->env->ctx, t->file, offset, size, advice); /* a hint */
    pt_table_unpin(t);
}

void pt_table_join(pt_table *t, pt_table_files *files)
{
    PT_ASSERT(t->file == NULL, "a table joins a set before its file is opened");
    t->files = files;
}

void pt_table_drop_file(pt_table *t)
{
    if (t->files == NULL && t->file != NULL)
        t->env->file_close(t->env->ctx, t->file);
    if (t->files == NULL)
        return;
    pt_mutex_lock(&t->files->mu);
    if (t->file != NULL)
        close_file(t->files, t);
    pt_mutex_unlock(&t->files->mu);
}
