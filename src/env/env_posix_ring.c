/* SPDX-License-Identifier: MIT */
/*
 * env_posix_ring.c - reads under way at once by io_uring (Linux 5.6 or later).
 *
 * A read has one read_op from ring_read until it is reaped, which is in one place at a time: free,
 * queued, begun (the kernel has it, `begun` counts it) or ended. A short one goes back into the
 * queue for its rest, as a plain read would go on. What the kernel refuses at submission is read
 * plainly then, so that every read that was taken ends.
 *
 * No kernel thread polls for us, and no flag ties the ring to one thread: it may change hands while
 * reads are under way. When the thread that submitted them exits the kernel cancels what it had
 * begun (ECANCELED), or has lost sight of the memory (EFAULT): they are read all the same.
 */
#include "env/env_posix_parts.h"

#ifdef PT_HAVE_URING

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <time.h>

/* The kernel reads no more at once (MAX_RW_COUNT), and its field for the size is 32 bits wide. */
#define ONE_READ_MAX ((size_t)1 << 30)
/* Between looks at a ring that cannot be waited for. */
#define LOOK_AGAIN_NS 100000L

typedef struct read_op {
    struct read_op *next;
    peat_env_file *file;
    uint8_t *buf;
    void *tag;
    uint64_t offset;
    size_t size, done;
    int error;
    struct io_uring_sqe *sqe; /* while it is being offered */
} read_op;

typedef struct op_list {
    read_op *first, *last; /* last: while there is a first */
} op_list;

struct peat_env_ring {
    struct io_uring uring;
    int event; /* -1: none */
    unsigned begun;
    op_list free, queued, ended;
    read_op ops[];
};

static void push(op_list *list, read_op *op)
{
    op->next = NULL;
    if (list->first == NULL)
        list->first = op;
    else
        list->last->next = op;
    list->last = op;
}

static read_op *pop(op_list *list)
{
    read_op *op = list->first;
    if (op != NULL)
        list->first = op->next;
    return op;
}

/* ---- open and close ---- */

/* While the ring has a descriptor that is to be left alone, another is made beside it. */
static int make_uring(struct io_uring *ret_uring, unsigned entries, unsigned tries)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CLAMP};
    int e = -io_uring_queue_init_params(entries, ret_uring, &params);
    if (e != 0)
        return e;
    struct io_uring made = *ret_uring;
    if ((params.features & IORING_FEAT_RW_CUR_POS) == 0)
        e = ENOSYS; /* of 5.6, as the operation that reads */
    else if (made.ring_fd < PT_POSIX_FIRST_FD)
        e = tries == 0 ? EMFILE : make_uring(ret_uring, entries, tries - 1);
    else
        return 0;
    io_uring_queue_exit(&made);
    return e;
}

int pt_posix_ring_open(void *ctx, unsigned depth, int event, peat_env_ring **ret_ring)
{
    (void)ctx;
    peat_env_ring *ring = calloc(1, sizeof *ring + depth * sizeof ring->ops[0]);
    if (ring == NULL)
        return ENOMEM;
    int e = make_uring(&ring->uring, depth, PT_POSIX_FIRST_FD);
    if (e == 0 && event >= 0) {
        e = -io_uring_register_eventfd(&ring->uring, event);
        if (e != 0)
            io_uring_queue_exit(&ring->uring);
    }
    if (e != 0) {
        free(ring);
        return e;
    }
    (void)io_uring_ring_dontfork(&ring->uring); /* a child that keeps away does not need it */
    ring->event = event;
    for (unsigned i = 0; i < depth; i++)
        push(&ring->free, &ring->ops[i]);
    *ret_ring = ring;
    return 0;
}

void pt_posix_ring_close(void *ctx, peat_env_ring *ring)
{
    peat_env_completion lost[16];
    if (ring == NULL)
        return;
    while (ring->begun > 0)
        (void)pt_posix_ring_reap(ctx, ring, true, lost, PT_COUNT_OF(lost));
    io_uring_queue_exit(&ring->uring);
    free(ring);
}

/* ---- in ---- */

int pt_posix_ring_read(void *ctx, peat_env_ring *ring, peat_env_file *file, uint64_t offset,
                       void *buf, size_t n, void *tag)
{
    (void)ctx;
    if (!pt_posix_is_range(offset, n))
        return EINVAL;
    read_op *op = pop(&ring->free);
    if (op == NULL)
        return EAGAIN;
    *op = (read_op){.file = file, .buf = buf, .tag = tag, .offset = offset, .size = n};
    push(&ring->queued, op);
    return 0;
}

static void read_plainly(read_op *op)
{
    size_t got = 0;
    op->error = pt_posix_file_read(NULL, op->file, op->offset + op->done, op->buf + op->done,
                                   op->size - op->done, &got);
    op->done += got;
}

static void end_plainly(peat_env_ring *ring, read_op *op)
{
    read_plainly(op);
    push(&ring->ended, op);
    if (ring->event >= 0)
        pt_posix_event_signal(NULL, ring->event);
}

/* As much of the queue as the ring takes is in it; returns how much. */
static unsigned offer(peat_env_ring *ring, op_list *offered)
{
    unsigned n = 0;
    while (ring->queued.first != NULL) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
        if (sqe == NULL)
            break;
        read_op *op = pop(&ring->queued);
        size_t left = op->size - op->done;
        unsigned size = (unsigned)(left < ONE_READ_MAX ? left : ONE_READ_MAX);
        io_uring_prep_read(sqe, op->file->fd, op->buf + op->done, size, op->offset + op->done);
        io_uring_sqe_set_data(sqe, op);
        op->sqe = sqe;
        push(offered, op);
        n++;
    }
    return n;
}

/* Returns how many entries the kernel has not taken. */
static unsigned submit(peat_env_ring *ring)
{
    int n;
    do
        n = io_uring_submit(&ring->uring);
    while ((n > 0 || n == -EINTR) && io_uring_sq_ready(&ring->uring) > 0);
    return io_uring_sq_ready(&ring->uring);
}

/* The entries of reads that were refused stay in the ring, and ask for nothing. */
static void take_back(peat_env_ring *ring, op_list *refused)
{
    for (read_op *op = pop(refused); op != NULL; op = pop(refused)) {
        io_uring_prep_nop(op->sqe);
        io_uring_sqe_set_data(op->sqe, NULL);
        end_plainly(ring, op);
    }
}

void pt_posix_ring_submit(void *ctx, peat_env_ring *ring)
{
    (void)ctx;
    while (ring->queued.first != NULL) {
        op_list offered = {NULL, NULL};
        unsigned count = offer(ring, &offered), left = submit(ring);
        unsigned taken = count > left ? count - left : 0; /* what was there before goes first */
        ring->begun += taken;
        for (unsigned i = 0; i < taken; i++)
            (void)pop(&offered);
        take_back(ring, &offered);
        if (count == 0) /* full of what was refused earlier */
            end_plainly(ring, pop(&ring->queued));
    }
}

/* ---- out ---- */

/* `result` as of pread, or a negative errno. False: there is more to be read. */
static bool is_over(read_op *op, int result)
{
    if (result > 0) {
        op->done += (size_t)result;
        return op->done == op->size;
    }
    if (result == -EINTR || result == -ECANCELED)
        return false;
    if (result == -EAGAIN || result == -EFAULT)
        read_plainly(op); /* might be refused again; a buffer that is none fails there too */
    else
        op->error = -result;
    return true;
}

static peat_env_completion completion_of(const read_op *op)
{
    return (peat_env_completion){
        .tag = op->tag, .error = op->error, .bytes = op->error == 0 ? op->done : 0};
}

/* Those that have ended; what has more to read is in the queue again. */
static size_t take(peat_env_ring *ring, peat_env_completion *ret_ended, size_t max)
{
    size_t n = 0;
    struct io_uring_cqe *cqe;
    for (read_op *op; n < max && (op = pop(&ring->ended)) != NULL; n++) {
        ret_ended[n] = completion_of(op);
        push(&ring->free, op);
    }
    while (n < max && io_uring_peek_cqe(&ring->uring, &cqe) == 0) {
        read_op *op = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        io_uring_cqe_seen(&ring->uring, cqe);
        if (op == NULL)
            continue; /* of an entry that asked for nothing */
        ring->begun--;
        if (is_over(op, result)) {
            ret_ended[n++] = completion_of(op);
            push(&ring->free, op);
        } else {
            push(&ring->queued, op);
        }
    }
    return n;
}

/* Returns when there is something, or to look again: a signal, or the kernel refuses to wait, as
 * for a descriptor that the program has closed. What has begun ends all the same. */
static void wait_for_one(peat_env_ring *ring)
{
    struct io_uring_cqe *cqe;
    int e = -io_uring_wait_cqe(&ring->uring, &cqe);
    if (e != 0 && e != EINTR) {
        struct timespec pause = {.tv_nsec = LOOK_AGAIN_NS};
        (void)nanosleep(&pause, NULL); /* sooner is fine */
    }
}

size_t pt_posix_ring_reap(void *ctx, peat_env_ring *ring, bool wait, peat_env_completion *ret_ended,
                          size_t max)
{
    for (;;) {
        size_t n = take(ring, ret_ended, max);
        pt_posix_ring_submit(ctx, ring); /* the rest of short ones */
        if (n > 0 || !wait || (ring->begun == 0 && ring->ended.first == NULL))
            return n;
        if (ring->ended.first == NULL)
            wait_for_one(ring);
    }
}

#endif
