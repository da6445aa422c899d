/* SPDX-License-Identifier: MIT */
/*
 * queue_state.h - the inside of a queue, shared by the files of the room: slots.c (operations come
 * and end), gets.c (reads), writes.c, scans.c, poll.c (what has ended, and the waiting for it),
 * queue.c (the life of queues).
 *
 * An operation takes a slot when it is submitted and keeps it until the poll after the one that
 * gave it out. Between, it is with somebody: the queue's own lists of gets, a lane of the service,
 * or the list of those that have ended (I21).
 *
 * Locks, in this order: pt_queues.life_mu; pt_queues.mu; a queue's mu, for all that submitting and
 * polling do, never held while anything may wait; its done_mu, for what other threads bring back;
 * the service's, a leaf.
 */
#ifndef PT_QUEUE_QUEUE_STATE_H
#define PT_QUEUE_QUEUE_STATE_H

#include "env/reads.h"
#include "queue/queue.h"
#include "queue/service.h"
#include "read/get.h"

/* Of a store. */
typedef struct pt_queues {
    pt_store *s;
    pt_mutex life_mu; /* the store is closed, or a queue taken out of the list */
    pt_mutex mu;
    peat_queue *first; /* guarded by mu; one is taken out with both */
    bool closing;      /* none is added any more; guarded by mu */
    pt_service service;
} pt_queues;

typedef struct pt_queue_op pt_queue_op;
typedef struct pt_queue_read pt_queue_read;

/* One key of a get, an exists or a multi-get. */
typedef struct pt_queue_key {
    pt_service_job job; /* when it is done in a lane */
    pt_get get;
    pt_queue_op *op;
    struct pt_queue_key *next; /* of the list it is in */
    uint8_t *value;            /* NULL, or what was allocated for it */
    size_t reserved;           /* of the queue's bytes, for the value, before its size is known */
    peat_error *error;         /* what a lane has met */
} pt_queue_key;

typedef struct pt_queue_keys {
    pt_queue_key *first, **end;
    size_t count;
} pt_queue_keys;

static inline void pt_queue_keys_init(pt_queue_keys *l)
{
    l->first = NULL;
    l->end = &l->first;
    l->count = 0;
}

static inline void pt_queue_keys_push(pt_queue_keys *l, pt_queue_key *g)
{
    g->next = NULL;
    *l->end = g;
    l->end = &g->next;
    l->count++;
}

static inline pt_queue_key *pt_queue_keys_pop(pt_queue_keys *l)
{
    pt_queue_key *g = l->first;
    if (g == NULL)
        return NULL;
    l->first = g->next;
    l->count--;
    if (l->first == NULL)
        l->end = &l->first;
    return g;
}

typedef enum pt_queue_stage {
    PT_QUEUE_FREE,
    PT_QUEUE_UNDER_WAY,
    PT_QUEUE_DONE, /* in the list of those that have ended */
    PT_QUEUE_GIVEN /* to the program, until the next poll */
} pt_queue_stage;

#define PT_QUEUE_OP_BYTES 160u /* of keys and values that need no memory of their own */

struct pt_queue_op {
    pt_service_job job; /* of a write, a sync, a scan */
    peat_queue *queue;
    pt_queue_op *next; /* free, done, or given */
    pt_queue_stage stage;
    atomic_bool cancelled;
    uint64_t tag;
    peat_queue_kind kind;
    size_t bytes;    /* of the queue's that it holds */
    uint8_t *memory; /* keys of many, a write's operation; NULL: none */
    /* ended */
    peat_rc rc; /* of a multi-get before: whether it was cut short */
    peat_error *error;
    peat_slice value; /* of a get */
    /* gets */
    pt_read_options options;
    pt_queue_key one, *gets; /* gets: `one`, or in `memory` */
    size_t get_count, gets_left;
    peat_slice *values;
    peat_rc *rcs;
    /* writes */
    pt_write_request request;
    /* scans */
    peat_cursor *cursor;
    bool more; /* rows behind these */
    size_t row_max, row_count, row_capacity;
    peat_row *rows;
    pt_bytes row_bytes;
    uint8_t inline_bytes[PT_QUEUE_OP_BYTES];
};

typedef struct pt_queue_ops {
    pt_queue_op *first, **end;
} pt_queue_ops;

struct peat_cursor {
    peat_queue *queue;
    peat_cursor *next; /* all of a queue */
    pt_scan *scan;
    bool backward;
    bool stands; /* on a row that has not been given out */
    bool busy;   /* an operation of it is outstanding */
};

#define PT_QUEUE_BUCKETS 64u

struct peat_queue {
    pt_queues *all;
    pt_store *s;
    uint32_t keyspace;
    size_t depth, bytes_max;
    peat_queue *next; /* all of the store; guarded by pt_queues.mu */
    int event;        /* -1: none */

    pt_mutex mu;
    bool closed; /* nothing is taken any more */
    pt_queue_op *ops, *free;
    _Atomic size_t outstanding; /* taken, and not given out; read by others for a figure */
    pt_queue_ops given;         /* good until the next poll */
    size_t bytes;               /* held by operations */
    peat_cursor *cursors;
    /* gets */
    pt_reads *reads;
    bool reads_ahead;          /* they go on by themselves; else who submits would wait for them */
    bool in_poll;              /* somebody is, who may wait with mu given up */
    bool at_once;              /* reads begin when they are submitted: poll may not come soon */
    pt_read_job_list gathered; /* reads that have not begun */
    size_t gathered_count;
    bool may_signal; /* one that has been reaped since may have signalled the event */
    size_t reading, reading_max;
    pt_queue_read *bucket[PT_QUEUE_BUCKETS]; /* under way */
    pt_read_job_list arrived;                /* reaped for others (hurry), not yet handed out */
    pt_queue_keys wanting;                   /* a read, when there are fewer under way */
    pt_queue_keys deferred;                  /* room for their values */
    const pt_queue_op *favoured;             /* may hold more than there is, so that one goes on */

    /* any thread; apart from what done_mu guards, of which compilers read neighbours at once */
    atomic_bool ending; /* jobs that have not begun are not to */

    pt_mutex done_mu;
    pt_cond done_cond;
    pt_queue_ops done;
    pt_queue_keys back; /* from the read lane, to be moved on */
    size_t outside;     /* jobs in lanes */
    bool watched;       /* somebody may look at the event at any time */
    bool polling;       /* somebody polls, and will look at `done` and `back` once more */
    bool waiting;       /* somebody waits in poll */
    bool signalled;     /* since the event was last cleared */
    bool hurried;       /* `arrived` has some, and their signals are gone */
};

/* ---- queue.c ---- */

/* No lock is held. Does some of what no thread will (service.h), and tells of what is left. */
bool pt_queues_help(pt_queues *all);

/* ---- slots.c ---- */

/* mu held. A slot for the operation; PEAT_QUEUE_FULL, PEAT_TOO_BIG, PEAT_CLOSED. */
peat_rc pt_queue_take(peat_queue *q, pt_queue_submit what, size_t bytes,
                      pt_queue_op **ret_op) PT_MUST_USE;
/* mu held. It was taken and is not: an error of the call that submits. */
void pt_queue_untake(peat_queue *q, pt_queue_op *op);
/* mu held. So much more, for a value; false: not before others have let go of theirs. */
bool pt_queue_reserve(peat_queue *q, pt_queue_op *op, size_t bytes);
/* mu held. */
void pt_queue_unreserve(peat_queue *q, pt_queue_op *op, size_t bytes);
/* It has ended: any thread, mu held or not. The text of an error is the calling thread's. */
void pt_queue_done(pt_queue_op *op, peat_rc rc);
/* Why, in the words of the calling thread's last error; NULL: there is nothing to say, or no memory
 * for it. */
peat_error *pt_queue_error_text(peat_queue *q, peat_rc rc);
/* Its job is with a lane from now on, until pt_queue_done or pt_queue_back. */
void pt_queue_give_job(peat_queue *q, pt_service_lane_name lane, pt_service_job *job);
/* From one lane to another. */
void pt_queue_pass_job(peat_queue *q, pt_service_lane_name lane, pt_service_job *job);
/* The job of a get has ended, without an end of the operation. */
void pt_queue_back(pt_queue_key *g);
/* A job that is begun asks whether it is to be done: PEAT_OK, PEAT_CLOSED, PEAT_CANCELLED. */
peat_rc pt_queue_may_begin(pt_queue_op *op);
/* done_mu held. There may be something for poll. */
void pt_queue_signal(peat_queue *q);
/* mu held. What it was given out with goes, and its slot is free. */
void pt_queue_recycle(peat_queue *q, pt_queue_op *op);

/* ---- gets.c: all with mu held ---- */

/* Moves on what has news: reads that have ended, gets that have come back or have room. */
void pt_queue_gets_drive(peat_queue *q);
/* All that is not in a lane ends with PEAT_CLOSED; waits for reads under way. */
void pt_queue_gets_end(peat_queue *q);
/* Reads under way are ended, so that their files may be closed; waits for them. What comes of them
 * is the next poll's. */
void pt_queue_gets_hurry(peat_queue *q);
/* Reads that were gathered begin. */
void pt_queue_gets_begin(peat_queue *q);
/* The only read of the only operation, not begun yet: is done here, with mu given up meanwhile.
 * False: that is not how it is. */
bool pt_queue_gets_read_lone(peat_queue *q);
/* Those of cancelled operations end, where nobody works for them. */
void pt_queue_gets_cancel(peat_queue *q);

/* ---- scans.c ---- */

/* It is in no list, and idle. */
void pt_queue_cursor_free(peat_cursor *cursor);
/* mu held. The operation is given out: the cursor for what is to come; NULL, and it is gone: no
 * more rows. */
peat_cursor *pt_queue_cursor_after(peat_queue *q, pt_queue_op *op);

/* ---- writes.c ---- */

/* For the sync lane; ctx: pt_queues. */
void pt_queue_sync_all(void *ctx, pt_service_jobs *jobs);

#endif
