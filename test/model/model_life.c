/* SPDX-License-Identifier: MIT */
/* model_life.c - open, close, open again, die, and be copied; always with all answers the same. */
#include "model/model_state.h"
#include "support/memory_stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reads the store from inside an event; while it is being closed the answer may be PEAT_CLOSED. */
static void on_event(void *ctx, const peat_event *event)
{
    model_state *m = ctx;
    peat_db *db = atomic_load(&m->event_db);
    peat_rc rc = db ? peat_exists(db, NULL, m->keys.by_rank[event->bytes_in % m->keys.ranks]) : 0;
    if (rc != PEAT_OK && rc != PEAT_NOT_FOUND && rc != PEAT_CLOSED)
        model_fail(m, "peat_exists in event %s: %s", peat_event_name(event->kind),
                   peat_rc_name(rc));
}

static void make_options(model_state *m, const model_options *o)
{
    model_open_make(o, m->env, &m->open);
    m->option_sets++;
    if (o->field[MODEL_OPTION_events] != 0) {
        m->open.host.event_fn = on_event;
        m->open.host.event_ctx = m;
    }
}

static void open_made(model_state *m)
{
    peat_error error;
    peat_rc rc = peat_open(m->dir, &m->open.options, &m->db, &error);
    if (rc == PEAT_UNSUPPORTED && m->open.options.compression == PEAT_COMPRESSION_ZSTD) {
        m->open.options.compression = PEAT_COMPRESSION_LZ4; /* a build without it */
        rc = peat_open(m->dir, &m->open.options, &m->db, &error);
    }
    if (rc != PEAT_OK)
        model_fail(m, "peat_open: %s, \"%s\"", peat_rc_name(rc), error.message);
    atomic_store(&m->event_db, m->db);
}

static void open_store(model_state *m)
{
    make_options(m, &m->options);
    open_made(m);
}

static void close_store(model_state *m)
{
    model_async_before_close(m);
    peat_rc rc = peat_close(m->db);
    atomic_store(&m->event_db, NULL);
    m->db = NULL;
    model_expect(m, rc, PEAT_OK, "peat_close");
    model_async_after_close(m);
}

void model_drop_slots(model_state *m)
{
    for (int i = 0; i < MODEL_SLOTS; i++) {
        peat_iter_close(m->iters[i].iter);
        m->iters[i].iter = NULL;
        peat_snapshot_close(m->snapshots[i].snapshot);
        m->snapshots[i].snapshot = NULL;
        model_unpin(m, &m->pins[i]);
    }
}

/* What outlives its store says so; the pinned bytes stay until the slots are dropped. */
static void expect_closed(model_state *m)
{
    for (int i = 0; i < MODEL_SLOTS; i++) {
        peat_iter *it = m->iters[i].iter;
        if (it == NULL)
            continue;
        model_expect(m, peat_iter_first(it), PEAT_CLOSED, "peat_iter_first after peat_close");
        model_expect(m, peat_iter_next(it), PEAT_CLOSED, "peat_iter_next after peat_close");
        if (peat_iter_valid(it))
            model_fail(m, "peat_iter_valid after peat_close");
    }
}

static void take_options(model_state *m, const model_op *op)
{
    int64_t keys = m->options.field[MODEL_OPTION_keys], disk = m->options.field[MODEL_OPTION_disk];
    m->options = *op->options;
    m->options.field[MODEL_OPTION_keys] = keys;
    m->options.field[MODEL_OPTION_disk] = disk;
}

static void reopen(model_state *m, const model_op *op)
{
    close_store(m);
    expect_closed(m);
    take_options(m, op);
    make_options(m, &m->options);
    if (op->flag) {
        m->open.options.error_if_exists = true;
        model_expect(m, peat_open(m->dir, &m->open.options, &m->db, NULL), PEAT_EXISTS,
                     "peat_open with error_if_exists");
        m->open.options.error_if_exists = false;
        m->open.options.create = PEAT_CREATE_NEVER;
    }
    open_made(m);
    model_drop_slots(m);
}

/* Nothing changes on disk, and nothing can be written. */
static void read_only(model_state *m, const model_op *op)
{
    close_store(m);
    model_drop_slots(m);
    uint64_t changes = m->sim ? sim_count(m->sim, SIM_CHANGES) : 0;
    make_options(m, op->options);
    m->open.options.read_only = true;
    if (m->open.options.compression == PEAT_COMPRESSION_ZSTD)
        m->open.options.compression = PEAT_COMPRESSION_DEFAULT;
    model_expect(m, peat_open(m->dir, &m->open.options, &m->db, NULL), PEAT_OK,
                 "peat_open read-only");
    model_expect_all(m, m->db, NULL, m->oracle.seq);
    atomic_store(&m->event_db, m->db);
    model_expect(m, peat_put(m->db, NULL, peat_str("x"), peat_str("y")), PEAT_READ_ONLY,
                 "peat_put");
    model_expect(m, peat_flush(m->db), PEAT_READ_ONLY, "peat_flush");
    model_check_op(m);
    close_store(m);
    if (m->sim != NULL && sim_count(m->sim, SIM_CHANGES) != changes)
        model_fail(m, "%" PRIu64 " changes on disk by a read-only store",
                   sim_count(m->sim, SIM_CHANGES) - changes);
    take_options(m, op);
    open_store(m);
}

static void die_simulated(model_state *m)
{
    sim_env *before = m->sim;
    m->sim = sim_clone_killed(before);
    close_store(m);
    peat_buf_free(&m->buf);
    peat_batch_free(m->batch);
    peat_batch_free(m->part);
    m->batch = m->part = NULL;
    m->batch_op = NULL;
    if (!sim_is_clean(before))
        model_fail(m, "something was left open or allocated");
    sim_free(before);
    m->env = sim_peat(m->sim);
}

/* What other processes see of the files is what a kill leaves. */
static void die_on_disk(model_state *m)
{
    char after[sizeof m->dir];
    (void)snprintf(after, sizeof after, "%.200s-%u", m->home, ++m->deaths);
    if (!model_dir_copy(m->dir, after))
        model_fail(m, "the test cannot copy its store");
    close_store(m);
    model_expect(m, peat_destroy(m->dir, NULL), PEAT_OK, "peat_destroy");
    (void)strcpy(m->dir, after);
}

/* The process dies between two calls: all that returned is there. */
static void die(model_state *m, const model_op *op)
{
    if (m->open.options.no_log)
        return;
    if (m->sim == NULL && m->open.options.threads != PEAT_THREADS_NONE)
        return; /* its files do not stand still to be copied */
    model_drop_slots(m);
    if (m->sim != NULL)
        die_simulated(m);
    else
        die_on_disk(m);
    take_options(m, op);
    open_store(m);
    model_expect_all(m, m->db, NULL, m->oracle.seq);
}

/* --- copies --- */

/* Through memory, by calls; in odd pieces. */
static peat_rc copy_by_calls(model_state *m, const peat_options *options, peat_error *ret_error)
{
    memory_stream s = {.piece_max = 777};
    model_expect(m, peat_export(m->db, NULL, memory_stream_write, &s), PEAT_OK, "peat_export");
    peat_rc rc = peat_import(m->copy_dir, options, memory_stream_read, &s, ret_error);
    free(s.data);
    return rc;
}

/* Through a file, which has more behind the stream. */
static peat_rc copy_by_file(model_state *m, const peat_options *options, peat_error *ret_error)
{
    FILE *file = tmpfile();
    if (file == NULL)
        model_fail(m, "the test has no temporary file");
    int fd = fileno(file);
    model_expect(m, peat_export_fd(m->db, NULL, fd), PEAT_OK, "peat_export_fd");
    off_t end = lseek(fd, 0, SEEK_CUR);
    if (write(fd, "behind", 6) != 6 || lseek(fd, 0, SEEK_SET) != 0)
        model_fail(m, "the test cannot write its temporary file");
    peat_rc rc = peat_import_fd(m->copy_dir, options, fd, ret_error);
    if (rc == PEAT_OK && lseek(fd, 0, SEEK_CUR) != end)
        model_fail(m, "peat_import_fd: read to %lld of a stream of %lld bytes",
                   (long long)lseek(fd, 0, SEEK_CUR), (long long)end);
    (void)fclose(file);
    return rc;
}

static void copy(model_state *m, const model_op *op)
{
    model_open open;
    peat_db *second = NULL;
    peat_error error;
    model_open_make(op->options, m->env, &open);
    if (open.options.compression == PEAT_COMPRESSION_ZSTD)
        open.options.compression = PEAT_COMPRESSION_DEFAULT;
    m->option_sets++;
    peat_rc rc =
        op->flag ? copy_by_file(m, &open.options, &error) : copy_by_calls(m, &open.options, &error);
    if (rc != PEAT_OK)
        model_fail(m, "peat_import: %s, \"%s\"", peat_rc_name(rc), error.message);
    model_expect(m, peat_open(m->copy_dir, &open.options, &second, NULL), PEAT_OK,
                 "peat_open of the copy");
    model_expect_all(m, second, NULL, m->oracle.seq);
    model_expect(m, peat_close(second), PEAT_OK, "peat_close of the copy");
    if (m->sim == NULL)
        model_expect(m, peat_destroy(m->copy_dir, NULL), PEAT_OK, "peat_destroy of the copy");
    else /* which peat_destroy cannot reach */
        (void)snprintf(m->copy_dir, sizeof m->copy_dir, "copy-%zu", m->op);
}

void model_life_op(model_state *m, const model_op *op)
{
    if (op->kind == MODEL_reopen)
        reopen(m, op);
    else if (op->kind == MODEL_read_only)
        read_only(m, op);
    else if (op->kind == MODEL_kill)
        die(m, op);
    else if (op->kind == MODEL_copy)
        copy(m, op);
    /* a second "open" does nothing */
}

/* --- the whole --- */

void model_life_begin(model_state *m, const model_op *op)
{
    m->options = *op->options;
    model_keys_init(&m->keys, m->options.field[MODEL_OPTION_keys]);
    model_oracle_init(&m->oracle, m->keys.ranks);
    if (m->options.field[MODEL_OPTION_disk] == 0) {
        m->sim = sim_new(m->script->seed + 1);
        m->env = sim_peat(m->sim);
        (void)strcpy(m->dir, "store");
        (void)strcpy(m->copy_dir, "copy");
    } else {
        model_dir_name(m->options.field[MODEL_OPTION_disk] == 2, getpid(), m->home, sizeof m->home);
        (void)snprintf(m->dir, sizeof m->dir, "%.200s-0", m->home);
        (void)snprintf(m->copy_dir, sizeof m->copy_dir, "%.200s-copy", m->home);
    }
    open_store(m);
}

/* And then there is nothing. */
static void destroy(model_state *m)
{
    model_expect(m, peat_destroy(m->dir, NULL), PEAT_OK, "peat_destroy");
    m->open.options.create = PEAT_CREATE_NEVER;
    model_expect(m, peat_open(m->dir, &m->open.options, &m->db, NULL), PEAT_NOT_FOUND,
                 "peat_open of a destroyed store");
    model_expect(m, peat_destroy(m->dir, NULL), PEAT_NOT_FOUND, "peat_destroy again");
}

/* What is there at the end is there after one more open, and then nothing is left over. */
void model_life_end(model_state *m)
{
    for (size_t rank = 0; rank < m->keys.ranks; rank++)
        model_expect_get(m, NULL, m->oracle.seq, rank, false);
    model_expect_all(m, m->db, NULL, m->oracle.seq);
    model_check_op(m);
    close_store(m);
    expect_closed(m);
    model_drop_slots(m);
    open_store(m);
    model_expect_all(m, m->db, NULL, m->oracle.seq);
    model_expect(m, peat_compact(m->db, peat_unbounded(), peat_unbounded(), NULL), PEAT_OK,
                 "peat_compact");
    model_expect_all(m, m->db, NULL, m->oracle.seq);
    model_check_op(m);
    close_store(m);
    peat_buf_free(&m->buf);
    peat_batch_free(m->batch);
    peat_batch_free(m->part);
    if (m->sim == NULL)
        destroy(m);
    else if (!sim_is_clean(m->sim))
        model_fail(m, "something was left open or allocated");
    sim_free(m->sim);
    model_keys_done(&m->keys);
    model_oracle_done(&m->oracle);
    free(m->expected);
}
