/* SPDX-License-Identifier: MIT */
/*
 * gets.c - the reads of a queue: gets, each of one key, of one operation or of a multi-get.
 *
 * A get is stepped until it has an answer or needs bytes. A block of usual size whose file is open
 * is read beside others; gets that want the same one share the read. Reads are gathered until there
 * are some, or a poll; a lone one is done by the poll that has nothing else to wait for. What may
 * take waiting (opening a file, a section, a large block, and what could not be read so) is a job
 * of the read lane, which comes back. A get whose value finds no room keeps its state and is
 * stepped again when there is some.
 */
#include "base/coding.h"
#include "queue/queue_state.h"
#include "state/snapshot.h"
#include "table/block.h"

/* A larger extent is a large block's. */
#define EXTENT_BYTES_MAX ((size_t)PT_BLOCK_BYTES_LARGE + 64)

/* So many reads are begun by one call of the system, where poll has not come before. */
#define GATHERED_MAX 8u

struct pt_queue_read {
    pt_read_job job;
    pt_table *table;
    peat_rc rc; /* arrived */
    struct pt_queue_read *next;
    pt_queue_keys gets; /* that want the block */
    uint8_t bytes[];
};

/* ---- answers ---- */

/* One key has its answer; with the last one the operation ends. */
static void answer(pt_queue_key *g, peat_rc rc)
{
    pt_queue_op *op = g->op;
    pt_get_end(&g->get);
    if (rc < 0 && g->error == NULL && op->error == NULL)
        g->error = pt_queue_error_text(op->queue, rc);
    if (op->error == NULL)
        op->error = g->error;
    else
        pt_free(op->queue->s->env, g->error);
    g->error = NULL;
    if (op->rcs != NULL)
        op->rcs[g - op->gets] = rc;
    if (op->kind != PEAT_QUEUE_MULTI_GET || rc == PEAT_CLOSED || rc == PEAT_CANCELLED)
        op->rc = rc;
    if (--op->gets_left == 0)
        pt_queue_done(op, op->rc);
}

/* Of which nobody has said anything yet. */
static void answer_no_memory(pt_queue_key *g)
{
    pt_sink_call(&g->op->queue->s->sink, PEAT_NOMEM, NULL);
    answer(g, PEAT_NOMEM);
}

static void set_value(pt_queue_key *g, const uint8_t *data, size_t size)
{
    pt_queue_op *op = g->op;
    peat_slice value = peat_bytes(size != 0 ? data : (const uint8_t *)"", size);
    if (op->values != NULL)
        op->values[g - op->gets] = value;
    else
        op->value = value;
}

/* Room for a value, in the slot when it is small. PEAT_QUEUE_FULL: not yet. */
static peat_rc make_room(peat_queue *q, pt_queue_key *g, size_t size, uint8_t **ret_room)
{
    pt_queue_op *op = g->op;
    size_t used = op->memory == NULL ? op->one.get.key.size : 0;
    if (op->gets == &op->one && size <= sizeof op->inline_bytes - used) {
        *ret_room = op->inline_bytes + used;
        return PEAT_OK;
    }
    size_t more = size > g->reserved ? size - g->reserved : 0;
    if (!pt_queue_reserve(q, op, more))
        return PEAT_QUEUE_FULL;
    g->reserved += more;
    *ret_room = g->value = (uint8_t *)pt_alloc(q->s->env, size);
    return g->value != NULL ? PEAT_OK : PEAT_NOMEM;
}

/* In the epoch. */
static void answer_found(peat_queue *q, pt_queue_key *g)
{
    pt_slice value = g->get.entry.value;
    uint8_t *room = NULL;
    peat_rc rc = PEAT_OK;
    if (g->op->kind != PEAT_QUEUE_EXISTS && value.size != 0)
        rc = make_room(q, g, value.size, &room);
    if (rc == PEAT_QUEUE_FULL) {
        pt_get_hold(&g->get);
        pt_queue_keys_push(&q->deferred, g);
        return;
    }
    if (rc != PEAT_OK) {
        answer_no_memory(g);
        return;
    }
    if (room != NULL)
        memcpy(room, value.data, value.size);
    if (g->op->kind != PEAT_QUEUE_EXISTS)
        set_value(g, room, value.size);
    answer(g, PEAT_OK);
}

/* ---- reads of its own ---- */

static pt_queue_read **bucket_of(peat_queue *q, const pt_table *table, uint64_t offset)
{
    uint64_t h = ((uint64_t)(uintptr_t)table ^ offset) * 0x9e3779b97f4a7c15ULL;
    return &q->bucket[h >> 58];
}
_Static_assert(PT_QUEUE_BUCKETS == 1u << 6, "a bucket is six bits of a hash");

static pt_queue_read *find_read(peat_queue *q, const pt_get_wanted *wanted)
{
    pt_queue_read *r = *bucket_of(q, wanted->table, wanted->offset);
    while (r != NULL && (r->table != wanted->table || r->job.offset != wanted->offset))
        r = r->next;
    return r;
}

static void forget_read(peat_queue *q, const pt_queue_read *r)
{
    pt_queue_read **at = bucket_of(q, r->table, r->job.offset);
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
}

static void count_memory(peat_queue *q, const pt_queue_read *r, bool taken)
{
    uint64_t bytes = sizeof *r + r->job.size;
    atomic_fetch_add_explicit(&q->s->reader_bytes, taken ? bytes : 0 - bytes, memory_order_relaxed);
}

static void free_read(peat_queue *q, pt_queue_read *r)
{
    count_memory(q, r, false);
    pt_free(q->s->env, r);
}

/* ---- in the read lane ---- */

static void run_get(pt_service_job *job)
{
    pt_queue_key *g = PT_CONTAINER(job, pt_queue_key, job);
    if (pt_queue_may_begin(g->op) == PEAT_OK) {
        pt_get_read_alone(&g->get);
        if (g->get.rc != PEAT_OK)
            g->error = pt_queue_error_text(g->op->queue, g->get.rc);
    }
    pt_queue_back(g);
}

static void read_in_lane(peat_queue *q, pt_queue_key *g)
{
    g->job.run = run_get;
    pt_queue_give_job(q, PT_SERVICE_READ, &g->job);
}

/* A large block is held until its value is copied: room for it comes first. */
static void read_large(peat_queue *q, pt_queue_key *g)
{
    size_t size = g->get.lookup.found.decoded_max;
    size_t more = size > g->reserved ? size - g->reserved : 0;
    if (!pt_queue_reserve(q, g->op, more)) {
        pt_queue_keys_push(&q->deferred, g);
        return;
    }
    g->reserved += more;
    read_in_lane(q, g);
}

/* ---- moving on ---- */

/* Its file is pinned, or its read goes another way. */
static void begin_read(peat_queue *q, pt_queue_key *g, const pt_get_wanted *wanted)
{
    pt_file *file;
    if (!pt_table_read_begin(wanted->table, &file)) {
        read_in_lane(q, g);
        return;
    }
    pt_queue_read *r = (pt_queue_read *)pt_alloc(q->s->env, sizeof *r + wanted->size);
    if (r == NULL) {
        pt_table_read_cancel(wanted->table);
        answer_no_memory(g);
        return;
    }
    r->job = (pt_read_job){
        .file = file, .offset = wanted->offset, .buf = r->bytes, .size = wanted->size};
    r->table = wanted->table;
    pt_queue_keys_init(&r->gets);
    pt_queue_keys_push(&r->gets, g);
    pt_queue_read **bucket = bucket_of(q, r->table, r->job.offset);
    r->next = *bucket;
    *bucket = r;
    count_memory(q, r, true);
    q->gathered_count++;
    pt_read_job_list_push(&q->gathered, &r->job);
}

/* For one more read. */
static bool has_place(const peat_queue *q)
{
    return q->reading + q->gathered_count < q->reading_max;
}

static void read_wanted(peat_queue *q, pt_queue_key *g)
{
    pt_get_wanted wanted;
    pt_get_wanted_of(&g->get, &wanted);
    bool section = g->get.lookup.need == PT_FIND_NEED_SECTION;
    pt_queue_read *r;
    if (!section && wanted.size > EXTENT_BYTES_MAX)
        read_large(q, g);
    else if (section || !q->reads_ahead)
        read_in_lane(q, g);
    else if ((r = find_read(q, &wanted)) != NULL)
        pt_queue_keys_push(&r->gets, g);
    else if (!has_place(q))
        pt_queue_keys_push(&q->wanting, g);
    else
        begin_read(q, g, &wanted);
}

static void step(peat_queue *q, pt_queue_key *g)
{
    peat_rc rc = pt_queue_may_begin(g->op);
    pt_get_state state = rc == PEAT_OK ? pt_get_step(&g->get) : PT_GET_ABSENT;
    PT_ASSERT(state != PT_GET_WAITS, "a patient get waits for nobody");
    if (rc != PEAT_OK)
        answer(g, rc);
    else if (state == PT_GET_FOUND)
        answer_found(q, g);
    else if (state == PT_GET_NEEDS)
        read_wanted(q, g);
    else
        answer(g, state == PT_GET_ABSENT ? PEAT_NOT_FOUND : g->get.rc);
}

void pt_queue_gets_begin(peat_queue *q)
{
    if (q->gathered_count == 0)
        return;
    for (pt_read_job *job; (job = pt_read_job_list_pop(&q->gathered)) != NULL;)
        pt_reads_add(q->reads, job);
    q->reading += q->gathered_count;
    q->gathered_count = 0;
    q->may_signal = true;
    pt_reads_submit(q->reads);
}

/* At the end of a call that submits. Who is in poll already does not come to it. */
static void begin_when_many(peat_queue *q)
{
    if (q->at_once || q->in_poll || q->gathered_count >= GATHERED_MAX)
        pt_queue_gets_begin(q);
}

/* ---- what has arrived ---- */

/* The file is let go at once; the bytes wait in `arrived`. */
static void land(peat_queue *q, pt_read_job *j)
{
    pt_queue_read *r = PT_CONTAINER(j, pt_queue_read, job);
    forget_read(q, r);
    r->rc = pt_table_read_end(r->table, j->offset, j->size, "block", j->error, j->done);
    pt_read_job_list_push(&q->arrived, j);
}

static void collect(peat_queue *q, bool wait)
{
    pt_read_job *next = pt_reads_reap(q->reads, wait);
    while (next != NULL) {
        pt_read_job *job = next;
        next = next->next;
        q->reading--;
        land(q, job);
    }
}

bool pt_queue_gets_read_lone(peat_queue *q)
{
    if (q->gathered_count != 1 || q->reading != 0 || q->outstanding != 1)
        return false;
    pt_read_job *job = pt_read_job_list_pop(&q->gathered);
    q->gathered_count = 0;
    pt_mutex_unlock(&q->mu);
    pt_read_job_do(q->s->env, job);
    pt_mutex_lock(&q->mu);
    land(q, job);
    return true;
}

static pt_queue_read *take_arrived(peat_queue *q)
{
    pt_read_job *job = pt_read_job_list_pop(&q->arrived);
    return job != NULL ? PT_CONTAINER(job, pt_queue_read, job) : NULL;
}

/* Where the read has failed each tries again by itself, and its own error is told. */
static void hand_out(peat_queue *q, pt_queue_read *r)
{
    for (pt_queue_key *g; (g = pt_queue_keys_pop(&r->gets)) != NULL;) {
        if (r->rc != PEAT_OK) {
            read_in_lane(q, g);
            continue;
        }
        pt_get_supply(&g->get, PEAT_OK, pt_slice_of(r->bytes, r->job.size));
        step(q, g);
    }
    free_read(q, r);
}

static void take_back(peat_queue *q, pt_queue_keys *ret)
{
    pt_queue_keys_init(ret);
    pt_mutex_lock(&q->done_mu);
    for (pt_queue_key *g; (g = pt_queue_keys_pop(&q->back)) != NULL;)
        pt_queue_keys_push(ret, g);
    pt_mutex_unlock(&q->done_mu);
}

/* Each has what it had before, or nothing: then one goes on without room, or none ever would. */
static void retry_deferred(peat_queue *q)
{
    for (size_t n = q->deferred.count; n > 0; n--) {
        size_t before = q->deferred.count;
        step(q, pt_queue_keys_pop(&q->deferred));
        if (q->deferred.count == before) /* there is no room */
            break;
    }
    pt_mutex_lock(&q->done_mu);
    bool others = q->done.first != NULL || q->outside != 0 || q->back.first != NULL;
    pt_mutex_unlock(&q->done_mu);
    if (others || q->deferred.first == NULL || q->reading != 0 || q->gathered_count != 0 ||
        q->given.first != NULL)
        return;
    pt_queue_key *g = pt_queue_keys_pop(&q->deferred);
    q->favoured = g->op;
    step(q, g);
}

void pt_queue_gets_drive(peat_queue *q)
{
    pt_queue_keys back;
    PT_DCHECK(pt_mutex_held(&q->mu), "the queue's mu guards its gets");
    if (q->reading != 0)
        collect(q, false);
    for (pt_queue_read *r; (r = take_arrived(q)) != NULL;)
        hand_out(q, r);
    take_back(q, &back);
    for (pt_queue_key *g; (g = pt_queue_keys_pop(&back)) != NULL;)
        step(q, g);
    while (q->wanting.first != NULL && has_place(q))
        read_wanted(q, pt_queue_keys_pop(&q->wanting));
    if (q->deferred.first != NULL)
        retry_deferred(q);
    if (q->gathered_count > 1 || q->reading != 0)
        pt_queue_gets_begin(q);
}

static void answer_all(pt_queue_keys *l, peat_rc rc)
{
    for (pt_queue_key *g; (g = pt_queue_keys_pop(l)) != NULL;)
        answer(g, rc);
}

void pt_queue_gets_end(peat_queue *q)
{
    pt_queue_keys back;
    pt_queue_gets_begin(q);
    while (q->reading != 0)
        collect(q, true);
    for (pt_queue_read *r; (r = take_arrived(q)) != NULL;) {
        answer_all(&r->gets, PEAT_CLOSED);
        free_read(q, r);
    }
    take_back(q, &back);
    answer_all(&back, PEAT_CLOSED);
    answer_all(&q->wanting, PEAT_CLOSED);
    answer_all(&q->deferred, PEAT_CLOSED);
}

void pt_queue_gets_hurry(peat_queue *q)
{
    pt_queue_gets_begin(q);
    if (q->reading == 0)
        return;
    while (q->reading != 0)
        collect(q, true);
    pt_mutex_lock(&q->done_mu);
    q->hurried = true;
    q->signalled = false; /* the reaping has cleared it */
    pt_queue_signal(q);
    pt_mutex_unlock(&q->done_mu);
}

static void cancel_in(pt_queue_keys *l)
{
    pt_queue_keys rest;
    pt_queue_keys_init(&rest);
    for (pt_queue_key *g; (g = pt_queue_keys_pop(l)) != NULL;) {
        if (atomic_load(&g->op->cancelled))
            answer(g, PEAT_CANCELLED);
        else
            pt_queue_keys_push(&rest, g);
    }
    for (pt_queue_key *g; (g = pt_queue_keys_pop(&rest)) != NULL;)
        pt_queue_keys_push(l, g);
}

void pt_queue_gets_cancel(peat_queue *q)
{
    cancel_in(&q->wanting);
    cancel_in(&q->deferred);
}

/* ---- submitting ---- */

static uint8_t *put_key(uint8_t *p, uint32_t keyspace, peat_slice key)
{
    pt_put_be32(p, keyspace);
    if (key.size != 0)
        memcpy(p + PT_KEYSPACE_BYTES, key.data, key.size);
    return p + PT_KEYSPACE_BYTES + key.size;
}

static void init_get(pt_queue_op *op, pt_queue_key *g)
{
    g->op = op;
    g->value = NULL;
    g->reserved = 0;
    g->error = NULL;
}

static void init_gets(pt_queue_op *op, const pt_read_options *options, pt_queue_key *gets, size_t n)
{
    op->options = *options;
    op->gets = gets;
    op->get_count = op->gets_left = n;
    op->values = NULL;
    op->rcs = NULL;
    for (size_t i = 0; i < n; i++)
        init_get(op, &gets[i]);
}

static peat_rc submit_get(peat_queue *q, pt_queue_submit what, uint32_t keyspace,
                          const pt_read_options *options, peat_slice key)
{
    pt_queue_op *op = NULL;
    size_t size = PT_KEYSPACE_BYTES + key.size;
    bool fits = size <= sizeof op->inline_bytes;
    peat_rc rc = pt_queue_take(q, what, fits ? 0 : size, &op);
    if (rc != PEAT_OK)
        return rc;
    uint8_t *bytes = op->inline_bytes;
    if (!fits)
        bytes = op->memory = (uint8_t *)pt_alloc(q->s->env, size);
    if (bytes == NULL) {
        pt_queue_untake(q, op);
        return PEAT_NOMEM;
    }
    (void)put_key(bytes, keyspace, key);
    init_gets(op, options, &op->one, 1);
    pt_get_begin(&op->one.get, q->s, &op->options, pt_slice_of(bytes, size));
    pt_get_be_patient(&op->one.get);
    step(q, &op->one);
    begin_when_many(q);
    return PEAT_OK;
}

peat_rc pt_queue_get(peat_queue *q, pt_queue_submit what, uint32_t keyspace,
                     const pt_read_options *options, peat_slice key)
{
    pt_mutex_lock(&q->mu);
    peat_rc rc = submit_get(q, what, keyspace, options, key);
    pt_mutex_unlock(&q->mu);
    return rc;
}

/* All in one piece of memory: the gets, the answers, the keys. */
static peat_rc make_gets(peat_queue *q, pt_queue_op *op, const pt_read_options *options, size_t n,
                         size_t bytes)
{
    op->memory = (uint8_t *)pt_alloc_zero(q->s->env, bytes);
    if (op->memory == NULL)
        return PEAT_NOMEM;
    pt_queue_key *gets = (pt_queue_key *)(void *)op->memory;
    init_gets(op, options, gets, n);
    op->values = (peat_slice *)(void *)(gets + n);
    op->rcs = (peat_rc *)(void *)(op->values + n);
    return PEAT_OK;
}

static void begin_gets(peat_queue *q, pt_queue_op *op, uint32_t keyspace, const peat_slice *keys)
{
    pt_store *s = q->s;
    pt_view *view = pt_store_view(s);
    /* after the view (read/get.c); acquire: pairs with the committer's publishing store */
    uint64_t seq = op->options.has_seq
                       ? op->options.seq
                       : atomic_load_explicit(&s->published.seq, memory_order_acquire);
    uint8_t *at = (uint8_t *)(op->rcs + op->get_count);
    for (size_t i = 0; i < op->get_count; i++) {
        pt_queue_key *g = &op->gets[i];
        uint8_t *end = put_key(at, keyspace, keys[i]);
        pt_get_begin_in(&g->get, s, &op->options, pt_slice_of(at, (size_t)(end - at)), view, seq);
        pt_get_be_patient(&g->get);
        at = end;
    }
    pt_view_unref(view);
    pt_snapshot_released(s, UINT64_MAX);
}

static peat_rc submit_multi_get(peat_queue *q, pt_queue_submit what, uint32_t keyspace,
                                const pt_read_options *options, size_t n, const peat_slice *keys)
{
    pt_queue_op *op = NULL;
    size_t each = sizeof(pt_queue_key) + sizeof(peat_slice) + sizeof(peat_rc) + PT_KEYSPACE_BYTES;
    size_t bytes = n < q->bytes_max / each ? n * each : q->bytes_max;
    for (size_t i = 0; i < n && bytes <= q->bytes_max; i++)
        bytes += keys[i].size;
    peat_rc rc = pt_queue_take(q, what, n < q->bytes_max / each ? bytes : SIZE_MAX, &op);
    if (rc != PEAT_OK)
        return rc;
    rc = make_gets(q, op, options, n, bytes);
    if (rc != PEAT_OK) {
        pt_queue_untake(q, op);
        return rc;
    }
    begin_gets(q, op, keyspace, keys);
    if (n == 0)
        pt_queue_done(op, PEAT_OK);
    for (size_t i = 0; i < n; i++) /* the operation may end with the last step, not before */
        step(q, &op->gets[i]);
    begin_when_many(q);
    return PEAT_OK;
}

peat_rc pt_queue_multi_get(peat_queue *q, pt_queue_submit what, uint32_t keyspace,
                           const pt_read_options *options, size_t n, const peat_slice *keys)
{
    pt_mutex_lock(&q->mu);
    peat_rc rc = submit_multi_get(q, what, keyspace, options, n, keys);
    pt_mutex_unlock(&q->mu);
    return rc;
}
