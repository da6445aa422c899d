/* SPDX-License-Identifier: MIT */
/*
 * test_posix_ring.c - the real environment's rings when the kernel refuses them, refuses to take or
 * to wait, reads short or is interrupted.
 *
 * The program defines calls of liburing itself, in front of the library's, and passes them on
 * unless a script of errors says otherwise.
 */
#include "env/posix_fixture.h"
#include "env/reads_kit.h"

#ifdef PT_HAVE_URING

#include <dlfcn.h>
#include <liburing.h>

#define SHORT 1 /* each read of it is of one byte at most */
#define DEPTH 4u

static struct {
    int init_error, register_error;
    unsigned features_off;
    int submit[8], wait[4]; /* negative errno, SHORT; 0: as the kernel does */
    unsigned submits, waits, inits, exits;
    int result; /* of all reads from now on; 0: as it is */
} wire;

/* A function of liburing by its name. */
#define NEXT(name) ((__typeof__(&(name)))next_of(#name))

static void *next_of(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);
    if (p == NULL)
        abort();
    return p;
}

int io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *p)
{
    wire.inits++;
    if (wire.init_error != 0)
        return -wire.init_error;
    int e = NEXT(io_uring_queue_init_params)(entries, ring, p);
    p->features &= ~wire.features_off;
    return e;
}

void io_uring_queue_exit(struct io_uring *ring)
{
    wire.exits++;
    NEXT(io_uring_queue_exit)(ring);
}

int io_uring_register_eventfd(struct io_uring *ring, int fd)
{
    return wire.register_error != 0 ? -wire.register_error
                                    : NEXT(io_uring_register_eventfd)(ring, fd);
}

static void shorten(struct io_uring *ring)
{
    for (unsigned at = *ring->sq.khead; at != ring->sq.sqe_tail; at++) {
        struct io_uring_sqe *sqe = &ring->sq.sqes[at & ring->sq.ring_mask];
        if (sqe->len > 1)
            sqe->len = 1;
    }
}

int io_uring_submit(struct io_uring *ring)
{
    unsigned n = wire.submits++;
    int what = n < 8 ? wire.submit[n] : 0;
    if (what < 0)
        return what;
    if (what == SHORT)
        shorten(ring);
    return NEXT(io_uring_submit)(ring);
}

/* io_uring_wait_cqe and io_uring_peek_cqe come here when there is nothing yet. */
int __io_uring_get_cqe(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned submit,
                       unsigned wait_nr, sigset_t *mask)
{
    unsigned n = wait_nr > 0 ? wire.waits++ : 4;
    if (n < 4 && wire.wait[n] < 0)
        return wire.wait[n];
    return NEXT(__io_uring_get_cqe)(ring, cqe, submit, wait_nr, mask);
}

static bool has_ring(void)
{
    const peat_env *env = peat_env_default();
    peat_env_ring *ring = NULL;
    if (env->ring_open(env->ctx, 1, -1, &ring) != 0)
        return false;
    env->ring_close(env->ctx, ring);
    return true;
}

static int set_up_ring(void **state)
{
    memset(&wire, 0, sizeof wire);
    return set_up(state);
}

#define TEST_RING(name)                                                                            \
    static void name##_with_ring(fixture *f);                                                      \
    TEST_WITH(name, fixture *f, set_up_ring, tear_down)                                            \
    {                                                                                              \
        if (has_ring()) /* not in every container */                                               \
            name##_with_ring(f);                                                                   \
    }                                                                                              \
    static void name##_with_ring(fixture *f)

typedef struct kit {
    reading w;
    const peat_env *env;
    peat_env_ring *ring;
    int event;
} kit;

static void kit_init(kit *k, const fixture *f)
{
    k->env = f->env;
    reading_init(&k->w, f->env, f->dir);
    assert_int_equal(f->env->event_open(f->env->ctx, &k->event), 0);
    assert_int_equal(f->env->ring_open(f->env->ctx, DEPTH, k->event, &k->ring), 0);
    wire.submits = wire.waits = 0;
}

static void kit_done(kit *k)
{
    k->env->ring_close(k->env->ctx, k->ring);
    k->env->event_close(k->env->ctx, k->event);
    reading_done(&k->w);
}

#define TEST_KIT(name)                                                                             \
    static void name##_with_kit(const fixture *f, kit *k);                                         \
    TEST_RING(name)                                                                                \
    {                                                                                              \
        kit k;                                                                                     \
        kit_init(&k, f);                                                                           \
        name##_with_kit(f, &k);                                                                    \
        kit_done(&k);                                                                              \
    }                                                                                              \
    static void name##_with_kit(__attribute__((unused)) const fixture *f, kit *k)

static int queue(kit *k, job *j, unsigned file, uint64_t offset, size_t size)
{
    job_init(j, &k->w, file, offset, size);
    return k->env->ring_read(k->env->ctx, k->ring, j->read.file, offset, j->read.buf, size, j);
}

/* Reaps until `count` have ended, judges them, and finds no more. */
static void reap(kit *k, unsigned count)
{
    peat_env_completion ended[3];
    while (count > 0) {
        size_t n = k->env->ring_reap(k->env->ctx, k->ring, true, ended, 3);
        assert_in_range(n, 1, count);
        for (size_t i = 0; i < n; i++) {
            job *j = ended[i].tag;
            j->read.error = ended[i].error;
            j->read.done = ended[i].bytes;
            j->read.next = NULL;
            (void)judge_list(&k->w, &j->read);
        }
        count -= (unsigned)n;
    }
    assert_int_equal(k->env->ring_reap(k->env->ctx, k->ring, true, ended, 3), 0);
}

static void submit(kit *k)
{
    k->env->ring_submit(k->env->ctx, k->ring);
}

TEST_RING(a_ring_that_cannot_be_made_says_why_and_leaves_nothing)
{
    static const int errors[] = {EPERM, ENOSYS, ENOMEM, EINVAL};
    peat_env_ring *ring = NULL;
    int event = -1;
    assert_int_equal(f->env->event_open(f->env->ctx, &event), 0);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        wire.init_error = errors[i];
        assert_int_equal(f->env->ring_open(f->env->ctx, DEPTH, event, &ring), errors[i]);
        wire.init_error = 0;
        wire.register_error = errors[i];
        assert_int_equal(f->env->ring_open(f->env->ctx, DEPTH, event, &ring), errors[i]);
        wire.register_error = 0;
    }
    wire.features_off = IORING_FEAT_RW_CUR_POS; /* a kernel before 5.6 */
    assert_int_equal(f->env->ring_open(f->env->ctx, DEPTH, event, &ring), ENOSYS);
    assert_int_equal(wire.exits, wire.inits - sizeof errors / sizeof *errors);
    assert_null(ring);
    f->env->event_close(f->env->ctx, event);
}

TEST_KIT(a_full_ring_says_so_and_a_read_out_of_range_is_refused)
{
    job jobs[DEPTH + 1];
    assert_int_equal(queue(k, &jobs[0], 0, UINT64_MAX - 1, 5), EINVAL);
    job_done(&jobs[0]);
    for (unsigned i = 0; i < DEPTH; i++)
        assert_int_equal(queue(k, &jobs[i], 0, i, 10), 0);
    assert_int_equal(queue(k, &jobs[DEPTH], 0, 5, 10), EAGAIN);
    job_done(&jobs[DEPTH]);
    submit(k);
    assert_int_equal(wire.submits, 1); /* all in one call */
    reap(k, DEPTH);
    assert_int_equal(queue(k, &jobs[0], 0, 5, 10), 0);
    submit(k);
    reap(k, 1);
}

TEST_KIT(a_short_read_goes_on)
{
    job jobs[3];
    wire.submit[0] = wire.submit[1] = SHORT;
    assert_int_equal(queue(k, &jobs[0], 0, 1000, 5000), 0);
    assert_int_equal(queue(k, &jobs[1], 1, 4090, 10), 0); /* across the end */
    assert_int_equal(queue(k, &jobs[2], 2, 0, 10), 0);    /* of nothing */
    submit(k);
    reap(k, 3);
    assert_in_range(wire.submits, 3, 8);
}

TEST_KIT(what_is_refused_is_read_plainly)
{
    static const int errors[] = {-EAGAIN, -EBUSY, -ENOMEM, -EPERM};
    job jobs[DEPTH];
    for (unsigned round = 0; round < 3 * DEPTH; round++) {
        unsigned n = 1 + round % DEPTH;
        wire.submit[0] = wire.submit[1] = errors[round % 4];
        wire.submits = 0;
        k->env->event_clear(k->env->ctx, k->event);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(queue(k, &jobs[i], 0, round * 100, 300), 0);
        submit(k);
        assert_int_equal(k->env->event_wait(k->env->ctx, k->event, 0), 0);
        reap(k, n);
    }
    wire.submits = 8;
    for (unsigned i = 0; i < DEPTH; i++) /* behind what is left of them */
        assert_int_equal(queue(k, &jobs[i], 0, i, 300), 0);
    submit(k);
    reap(k, DEPTH);
}

TEST_KIT(interrupts_and_refused_waits_lose_nothing)
{
    job jobs[2];
    wire.submit[0] = -EINTR;
    wire.wait[0] = -EINTR;
    wire.wait[1] = -EBADF;
    wire.wait[2] = -EINTR;
    assert_int_equal(
        f->env->file_advise(f->env->ctx, k->w.files[0], 0, 0, PEAT_ENV_ADVISE_DONTNEED), 0);
    assert_int_equal(queue(k, &jobs[0], 0, 0, 100), 0);
    assert_int_equal(queue(k, &jobs[1], 0, 100000, 100), 0);
    submit(k);
    assert_int_equal(wire.submits, 2);
    reap(k, 2);
}

/* A file without a descriptor fails, and the others are read. */
TEST_KIT(a_read_that_fails_is_told_with_its_error)
{
    job jobs[3];
    int *fd = (int *)k->w.files[1], before = *fd; /* the first member */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(queue(k, &jobs[i], i, 10, 100), 0);
    *fd = 1000000;
    submit(k);
    *fd = before;
    k->w.error = EBADF;
    reap(k, 3);
    assert_int_equal(jobs[0].read.error, 0);
    assert_int_equal(jobs[1].read.error, EBADF);
}

TEST_KIT(the_event_tells_of_each_end)
{
    job j;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(queue(k, &j, 0, i * 1000, 500), 0);
        assert_int_equal(k->env->event_wait(k->env->ctx, k->event, 0), ETIMEDOUT);
        submit(k);
        assert_int_equal(k->env->event_wait(k->env->ctx, k->event, PATIENCE_NS), 0);
        reap(k, 1);
        k->env->event_clear(k->env->ctx, k->event);
    }
}

static unsigned open_on_exec(void)
{
    unsigned n = 0;
    for (int fd = 3; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) == 0;
    return n;
}

TEST_RING(a_ring_has_no_low_descriptor_and_is_closed_on_exec)
{
    int saved[3], event = -1;
    unsigned before = open_on_exec();
    peat_env_ring *ring = NULL;
    (void)fflush(NULL);
    for (int fd = 0; fd < 3; fd++) {
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 20);
        (void)close(fd);
    }
    int e = f->env->event_open(f->env->ctx, &event);
    int ring_e = f->env->ring_open(f->env->ctx, DEPTH, event, &ring);
    bool low = false;
    for (int fd = 0; fd < 3; fd++)
        low = low || fcntl(fd, F_GETFD) >= 0;
    unsigned now = open_on_exec();
    for (int fd = 0; fd < 3; fd++) {
        (void)dup2(saved[fd], fd);
        (void)close(saved[fd]);
    }
    assert_int_equal(e, 0);
    assert_int_equal(ring_e, 0);
    assert_false(low);
    assert_int_equal(now, before);
    f->env->ring_close(f->env->ctx, ring);
    f->env->event_close(f->env->ctx, event);
}

#else

TEST(rings_need_liburing)
{
    assert_null(peat_env_default()->ring_open);
}

#endif
