/* SPDX-License-Identifier: MIT */
/* test_fd_reclaim.c - a call that finds no descriptor is made again for as long as the reclaim
 * finds some, and for a while after that. */
#include "env/fd_reclaim.h"
#include "sim_fixture.h"

typedef struct lender {
    fixture *f;
    peat_env_file *files[4];
    int count; /* files that can be closed */
    int asked;
    pt_sink sink; /* whose reclaim it is */
} lender;

static bool lend(void *ctx)
{
    lender *l = ctx;
    l->asked++;
    if (l->count == 0)
        return false;
    l->f->env->file_close(l->f->env->ctx, l->files[--l->count]);
    return true;
}

/* `count` files are open, and there is room for none more. */
static void lender_init(lender *l, fixture *f, int count)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    *l = (lender){.f = f, .count = count};
    for (int i = 0; i < count; i++)
        l->files[i] = make(f, names[i]);
    sim_limit_files(f->sim, (uint64_t)count + 1); /* the directory is one */
    pt_sink_init(&l->sink);
    l->sink.fd_reclaim = (pt_fd_reclaim){.fn = lend, .ctx = l};
}

static void lender_done(lender *l)
{
    while (l->count > 0)
        l->f->env->file_close(l->f->env->ctx, l->files[--l->count]);
    pt_sink_done(&l->sink);
}

/* Opens a file and closes it again: 0, or the errno. */
static int open_x(const lender *l)
{
    const fixture *f = l->f;
    peat_env_file *x = NULL;
    int e =
        pt_file_open(f->env, f->dir, &l->sink, "x", PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE, &x);
    if (e == 0)
        f->env->file_close(f->env->ctx, x);
    return e;
}

TEST_F(an_open_takes_the_descriptor_that_was_given_back)
{
    lender l;
    lender_init(&l, f, 2);
    assert_int_equal(open_x(&l), 0);
    assert_int_equal(l.asked, 1);
    assert_int_equal(l.count, 1);
    lender_done(&l);
}

TEST_F(it_asks_until_there_is_nothing_and_tries_for_a_while)
{
    lender l;
    lender_init(&l, f, 3);
    sim_fail(f->sim, .kinds = SIM_BIT(SIM_FILE_CREATE), .error = ENFILE, .sticky = true);
    uint64_t before = sim_count(f->sim, SIM_BIT(SIM_FILE_CREATE));
    assert_int_equal(open_x(&l), ENFILE);
    assert_int_equal(l.asked, 3 + PT_FD_RECLAIM_WAITS + 1); /* three files, and nothing */
    assert_int_equal(sim_count(f->sim, SIM_BIT(SIM_FILE_CREATE)) - before, l.asked);
    sim_faults_clear(f->sim);
    lender_done(&l);
}

/* Somebody closes a file while the reclaim looks for one in vain. */
static bool lend_by_another(void *ctx)
{
    (void)lend(ctx);
    return false;
}

TEST_F(what_came_free_meanwhile_is_taken)
{
    lender l;
    lender_init(&l, f, 1);
    l.sink.fd_reclaim.fn = lend_by_another;
    assert_int_equal(open_x(&l), 0);
    lender_done(&l);
}

TEST_F(other_errors_and_sinks_without_reclaim_are_answered_at_once)
{
    lender l;
    lender_init(&l, f, 1);
    unsigned fault = sim_fail(f->sim, .kinds = SIM_BIT(SIM_FILE_CREATE), .error = EIO);
    assert_int_equal(open_x(&l), EIO);
    assert_int_equal(sim_fault_hits(f->sim, fault), 1);
    assert_int_equal(l.asked, 0);
    l.sink.fd_reclaim = (pt_fd_reclaim){0};
    assert_int_equal(open_x(&l), EMFILE);
    assert_int_equal(l.asked, 0);
    lender_done(&l);
}

static int count_name(void *arg, const char *name, bool regular_file, uint64_t size)
{
    (void)name, (void)regular_file, (void)size;
    ++*(int *)arg;
    return 0;
}

TEST_F(a_listing_is_begun_again)
{
    lender l;
    int names = 0;
    lender_init(&l, f, 2);
    sim_fail(f->sim, .kinds = SIM_BIT(SIM_DIR_LIST), .error = EMFILE);
    assert_int_equal(pt_dir_list(f->env, f->dir, &l.sink, count_name, &names), 0);
    assert_int_equal(l.asked, 1);
    assert_int_equal(names, 2);
    lender_done(&l);
}
