/* SPDX-License-Identifier: MIT */
/* test_reads.c - many reads under way over the real environment: the three ways of reading say the
 * same, each is taken when it should be, and its descriptor and its waits are as promised. */
#include "env/posix_fixture.h"
#include "env/reads_kit.h"

#include <sys/wait.h>

#define DEPTH   8u
#define THREADS 3u

/* What replaced members answer and see. */
static struct {
    int ring_error, thread_error, event_error;
    unsigned thread_limit; /* so many start before thread_error */
    _Atomic unsigned rings, threads, reads, reaps, signals, clears;
    _Atomic unsigned allowed; /* reads that a gate lets pass */
} wire;

static int set_up_reads(void **state)
{
    memset(&wire, 0, sizeof wire);
    return set_up(state);
}

static int wired_ring_open(void *ctx, unsigned depth, int event, peat_env_ring **ret_ring)
{
    const peat_env *real = peat_env_default();
    wire.rings++;
    if (wire.ring_error != 0 || real->ring_open == NULL)
        return wire.ring_error != 0 ? wire.ring_error : ENOSYS;
    return real->ring_open(ctx, depth, event, ret_ring);
}

static size_t wired_ring_reap(void *ctx, peat_env_ring *ring, bool wait,
                              peat_env_completion *ret_ended, size_t max)
{
    wire.reaps++;
    return peat_env_default()->ring_reap(ctx, ring, wait, ret_ended, max);
}

static int wired_thread_start(void *ctx, void (*run)(void *arg), void *arg,
                              peat_env_thread **ret_thread)
{
    if (wire.thread_error != 0 && wire.threads == wire.thread_limit)
        return wire.thread_error;
    wire.threads++;
    return peat_env_default()->thread_start(ctx, run, arg, ret_thread);
}

static int wired_event_open(void *ctx, int *ret_event)
{
    return wire.event_error != 0 ? wire.event_error
                                 : peat_env_default()->event_open(ctx, ret_event);
}

static void wired_event_signal(void *ctx, int event)
{
    wire.signals++;
    peat_env_default()->event_signal(ctx, event);
}

static void wired_event_clear(void *ctx, int event)
{
    wire.clears++;
    peat_env_default()->event_clear(ctx, event);
}

static int counted_read(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t n,
                        size_t *ret_n)
{
    wire.reads++;
    return peat_env_default()->file_read(ctx, file, offset, buf, n, ret_n);
}

/* Waits until it is allowed to go on. */
static int gated_read(void *ctx, peat_env_file *file, uint64_t offset, void *buf, size_t n,
                      size_t *ret_n)
{
    unsigned allowed = wire.allowed;
    while (allowed == 0 || !atomic_compare_exchange_weak(&wire.allowed, &allowed, allowed - 1)) {
        peat_env_default()->sleep_ns(NULL, 20000);
        allowed = wire.allowed;
    }
    return counted_read(ctx, file, offset, buf, n, ret_n);
}

static bool has_ring(void)
{
    const peat_env *env = peat_env_default();
    peat_env_ring *ring = NULL;
    if (env->ring_open == NULL || env->ring_open(env->ctx, 1, -1, &ring) != 0)
        return false;
    env->ring_close(env->ctx, ring);
    return true;
}

static void wired_init(reading *w, const fixture *f)
{
    reading_init(w, f->env, f->dir);
    w->env.ring_open = wired_ring_open;
    w->env.thread_start = wired_thread_start;
    w->env.event_open = wired_event_open;
    w->env.event_signal = wired_event_signal;
    w->env.event_clear = wired_event_clear;
    if (w->env.ring_reap != NULL)
        w->env.ring_reap = wired_ring_reap;
}

#define TEST_R(name)                                                                               \
    static void name##_wired(const fixture *f, reading *w);                                        \
    TEST_WITH(name, fixture *f, set_up_reads, tear_down)                                           \
    {                                                                                              \
        reading w;                                                                                 \
        wired_init(&w, f);                                                                         \
        name##_wired(f, &w);                                                                       \
        reading_done(&w);                                                                          \
    }                                                                                              \
    static void name##_wired(__attribute__((unused)) const fixture *f, reading *w)

/* Asks for that kind, by refusing what would be better. */
static void want(pt_reads_kind kind)
{
    wire.ring_error = kind == PT_READS_RING ? 0 : EPERM;
    wire.thread_error = kind == PT_READS_PLAIN ? EAGAIN : 0;
    wire.thread_limit = 0;
}

/* The kinds there are, the poorest first. */
static unsigned kind_count(void)
{
    return has_ring() ? 3 : 2;
}

static const pt_reads_kind kinds[] = {PT_READS_PLAIN, PT_READS_THREADS, PT_READS_RING};

TEST_R(the_three_kinds_read_the_same_bytes)
{
    for (unsigned k = 0; k < kind_count(); k++)
        for (unsigned depth = 1; depth <= 64; depth *= 4) {
            rng random = {k * 100 + depth};
            want(kinds[k]);
            pt_reads *r = reads_new(w, depth, THREADS);
            assert_int_equal(pt_reads_kind_of(r), kinds[k]);
            assert_null(pt_reads_reap(r, true));
            read_at_random(w, r, 600, &random);
            if (depth != 16)
                (void)pt_reads_fd(r); /* watched or not */
            read_at_random(w, r, 600, &random);
            pt_reads_free(r);
        }
}

TEST_R(a_ring_that_is_refused_means_threads)
{
    static const int errors[] = {ENOSYS, EPERM, ENOMEM, EMFILE, EINVAL};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        wire.ring_error = errors[i];
        wire.threads = 0;
        pt_reads *r = reads_new(w, DEPTH, THREADS);
        assert_int_equal(pt_reads_kind_of(r), PT_READS_THREADS);
        assert_int_equal(wire.threads, THREADS);
        pt_reads_free(r);
    }
}

TEST_R(threads_that_do_not_start_are_done_without)
{
    wire.ring_error = ENOSYS;
    wire.thread_error = EAGAIN;
    for (wire.thread_limit = 0; wire.thread_limit < THREADS; wire.thread_limit++) {
        rng random = {wire.thread_limit};
        wire.threads = 0;
        pt_reads *r = reads_new(w, DEPTH, THREADS);
        assert_int_equal(pt_reads_kind_of(r),
                         wire.thread_limit == 0 ? PT_READS_PLAIN : PT_READS_THREADS);
        assert_true(pt_reads_fd(r) >= 0);
        read_at_random(w, r, 200, &random);
        pt_reads_free(r);
    }
    wire.thread_error = 0;
    pt_reads *none = reads_new(w, DEPTH, 0);
    assert_int_equal(pt_reads_kind_of(none), PT_READS_PLAIN);
    pt_reads_free(none);
    wire.threads = 0;
    pt_reads *few = reads_new(w, 2, THREADS);
    assert_int_equal(wire.threads, 2); /* no more than can be under way */
    pt_reads_free(few);
}

TEST_R(without_events_reads_go_plainly)
{
    wire.event_error = EMFILE;
    pt_reads *r = reads_new(w, DEPTH, THREADS);
    assert_int_equal(pt_reads_kind_of(r), PT_READS_PLAIN);
    pt_reads_free(r);
    wire.event_error = 0;
    w->env.event_open = NULL;
    r = reads_new(w, DEPTH, THREADS);
    assert_int_equal(pt_reads_kind_of(r), PT_READS_PLAIN);
    pt_reads_free(r);
    w->env.event_open = wired_event_open;
    w->env.size = offsetof(peat_env, event_open); /* an embedding of before there were any */
    r = reads_new(w, DEPTH, THREADS);
    assert_int_equal(pt_reads_kind_of(r), PT_READS_PLAIN);
    assert_int_equal(pt_reads_fd(r), -1);
    pt_reads_free(r);
    assert_int_equal(wire.threads, 0);
}

TEST_R(who_looks_at_reads_sees_them_all)
{
    rng random = {3};
    w->env.file_read = counted_read;
    pt_reads *r = reads_new(w, DEPTH, THREADS);
    assert_int_equal(pt_reads_kind_of(r), PT_READS_THREADS);
    assert_int_equal(wire.rings, 0);
    read_at_random(w, r, 100, &random);
    assert_int_equal(wire.reads, 100);
    pt_reads_free(r);
}

static int passed_ring_read(void *ctx, peat_env_ring *ring, peat_env_file *file, uint64_t offset,
                            void *buf, size_t n, void *tag)
{
    wire.reads++;
    return peat_env_default()->ring_read(ctx, ring, file, offset, buf, n, tag);
}

TEST_R(who_brings_rings_and_reads_is_asked_for_rings)
{
    rng random = {3};
    if (!has_ring())
        return;
    w->env.file_read = counted_read;
    w->env.ring_read = passed_ring_read;
    pt_reads *r = reads_new(w, DEPTH, THREADS);
    assert_int_equal(pt_reads_kind_of(r), PT_READS_RING);
    read_at_random(w, r, 100, &random);
    assert_int_equal(wire.reads, 100);
    pt_reads_free(r);
}

static bool is_readable(const reading *w, int fd)
{
    int e = w->env.event_wait(w->env.ctx, fd, 0);
    assert_true(e == 0 || e == ETIMEDOUT);
    return e == 0;
}

/* One of them may end; waits for it as a program would. */
static void let_one_pass(const reading *w, pt_reads *r, int fd)
{
    wire.allowed++;
    assert_int_equal(w->env.event_wait(w->env.ctx, fd, PATIENCE_NS), 0);
    assert_int_equal(judge_list(w, pt_reads_reap(r, false)), 1);
    assert_false(is_readable(w, fd));
    assert_null(pt_reads_reap(r, false));
}

TEST_R(the_descriptor_of_threads_is_readable_while_something_has_ended)
{
    job jobs[2 * THREADS];
    want(PT_READS_THREADS);
    w->env.file_read = gated_read;
    pt_reads *r = reads_new(w, DEPTH, THREADS);
    int fd = pt_reads_fd(r);
    assert_true(fd > 2);
    for (unsigned i = 0; i < 2 * THREADS; i++) {
        job_init(&jobs[i], w, 0, i * 5000, 4096);
        pt_reads_add(r, &jobs[i].read);
    }
    assert_false(is_readable(w, fd));
    pt_reads_submit(r);
    assert_false(is_readable(w, fd));
    assert_null(pt_reads_reap(r, false));
    for (unsigned i = 0; i < 2 * THREADS; i++)
        let_one_pass(w, r, fd);
    assert_null(pt_reads_reap(r, true));
    pt_reads_free(r);
}

TEST_R(a_descriptor_asked_for_late_tells_what_has_ended)
{
    job jobs[2];
    for (unsigned k = 1; k < kind_count(); k++) {
        want(kinds[k]);
        pt_reads *r = reads_new(w, DEPTH, THREADS);
        job_init(&jobs[0], w, 0, 0, 100);
        job_init(&jobs[1], w, 0, 500, 100);
        pt_reads_add(r, &jobs[0].read);
        pt_reads_submit(r);
        assert_int_equal(judge_list(w, pt_reads_reap(r, true)), 1);
        assert_false(is_readable(w, pt_reads_fd(r))); /* that one was reaped */
        pt_reads_free(r);
        r = reads_new(w, DEPTH, THREADS);
        pt_reads_add(r, &jobs[1].read);
        pt_reads_submit(r);
        int fd = pt_reads_fd(r);
        assert_int_equal(w->env.event_wait(w->env.ctx, fd, PATIENCE_NS), 0);
        assert_int_equal(judge_list(w, pt_reads_reap(r, true)), 1);
        pt_reads_free(r);
    }
}

/* What waited for the descriptor, until all has ended. */
static void reap_by_fd(const reading *w, pt_reads *r, int fd, unsigned count)
{
    for (unsigned ended = 0; ended < count;) {
        assert_int_equal(w->env.event_wait(w->env.ctx, fd, PATIENCE_NS), 0);
        ended += judge_list(w, pt_reads_reap(r, false));
    }
    if (is_readable(w, fd)) /* once more for what was reaped already */
        assert_null(pt_reads_reap(r, false));
    assert_false(is_readable(w, fd));
}

TEST_R(whoever_waits_for_the_descriptor_gets_all)
{
    job jobs[100];
    for (unsigned k = 1; k < kind_count(); k++) {
        want(kinds[k]);
        pt_reads *r = reads_new(w, DEPTH, THREADS);
        int fd = pt_reads_fd(r);
        for (unsigned round = 0; round < 20; round++) {
            unsigned count = 1 + round * 5;
            rng random = {round};
            assert_false(is_readable(w, fd));
            for (unsigned i = 0; i < count; i++) {
                job_init_random(&jobs[i], w, &random);
                pt_reads_add(r, &jobs[i].read);
            }
            pt_reads_submit(r);
            reap_by_fd(w, r, fd, count);
        }
        pt_reads_free(r);
    }
}

/* A wait is one call that returns when there is something, not many that return nothing. */
TEST_R(nobody_looks_again_and_again)
{
    job jobs[50];
    rng random = {1};
    for (unsigned k = 1; k < kind_count(); k++) {
        want(kinds[k]);
        pt_reads *r = reads_new(w, DEPTH, THREADS);
        wire.reaps = wire.signals = wire.clears = 0;
        for (unsigned i = 0; i < 50; i++) {
            job_init_random(&jobs[i], w, &random);
            pt_reads_add(r, &jobs[i].read);
        }
        pt_reads_submit(r);
        for (unsigned ended = 0, calls = 0; ended < 50; calls++) {
            unsigned n = judge_list(w, pt_reads_reap(r, true));
            assert_true(n > 0);
            ended += n;
            assert_true(wire.reaps <= 2 * (calls + 1) + 50 / 32);
        }
        assert_int_equal(wire.signals, 0); /* nobody has asked for the descriptor */
        assert_int_equal(wire.clears, 0);
        pt_reads_free(r);
    }
}

TEST_R(an_end_with_reads_under_way_waits_for_them)
{
    for (unsigned k = 0; k < kind_count(); k++)
        for (unsigned round = 0; round < 50; round++) {
            rng random = {round};
            job jobs[40];
            want(kinds[k]);
            pt_reads *r = reads_new(w, DEPTH, THREADS);
            for (unsigned i = 0; i < 40; i++) {
                job_init_random(&jobs[i], w, &random);
                pt_reads_add(r, &jobs[i].read);
                if (i == 30)
                    pt_reads_submit(r);
            }
            pt_reads_free(r);
            for (unsigned i = 0; i < 40; i++)
                job_done(&jobs[i]); /* who writes there now is caught */
        }
    pt_reads_free(NULL);
}

typedef struct submitter {
    pt_reads *r;
    const reading *w;
    job *jobs;
    unsigned count;
} submitter;

static void submit_and_leave(void *arg)
{
    submitter *s = arg;
    rng random = {9};
    for (unsigned i = 0; i < s->count; i++) {
        job_init_random(&s->jobs[i], s->w, &random);
        pt_reads_add(s->r, &s->jobs[i].read);
    }
    pt_reads_submit(s->r);
}

TEST_R(reads_outlive_the_thread_that_submitted_them)
{
    job jobs[60];
    for (unsigned k = 0; k < kind_count(); k++)
        for (unsigned round = 0; round < 20; round++) {
            peat_env_thread *thread = NULL;
            want(kinds[k]);
            submitter s = {.r = reads_new(w, 64, THREADS), .w = w, .jobs = jobs, .count = 60};
            assert_int_equal(
                f->env->file_advise(f->env->ctx, w->files[0], 0, 0, PEAT_ENV_ADVISE_DONTNEED), 0);
            assert_int_equal(f->env->thread_start(f->env->ctx, submit_and_leave, &s, &thread), 0);
            f->env->thread_join(f->env->ctx, thread);
            unsigned ended = 0;
            for (pt_read_job *done; (done = pt_reads_reap(s.r, true)) != NULL;)
                ended += judge_list(w, done);
            assert_int_equal(ended, s.count);
            pt_reads_free(s.r);
        }
}

/* The child keeps away from them, and ends at once. */
TEST_R(a_fork_with_reads_under_way_harms_nothing)
{
    job jobs[40];
    rng random = {2};
    for (unsigned k = 0; k < kind_count(); k++)
        for (unsigned round = 0; round < 5; round++) {
            int status = -1;
            want(kinds[k]);
            pt_reads *r = reads_new(w, DEPTH, THREADS);
            for (unsigned i = 0; i < 40; i++) {
                job_init_random(&jobs[i], w, &random);
                pt_reads_add(r, &jobs[i].read);
            }
            pt_reads_submit(r);
            pid_t child = fork();
            if (child == 0)
                _exit(0);
            assert_true(child > 0);
            unsigned ended = 0;
            for (pt_read_job *done; (done = pt_reads_reap(r, true)) != NULL;)
                ended += judge_list(w, done);
            assert_int_equal(ended, 40);
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_int_equal(status, 0);
            pt_reads_free(r);
        }
}
