/* SPDX-License-Identifier: MIT */
/* test_table_files_threads.c - tables that share descriptors, and threads that wait for them. */
#include "shared_files.h"

#include <sched.h>

typedef struct call {
    fixture *f;
    int table;
    int reads;
    atomic_bool done;
    bool answer;
    peat_rc rc;
} call;

static void *run_read(void *arg)
{
    call *c = arg;
    c->rc = read_table(c->f, c->table);
    atomic_store(&c->done, true);
    return NULL;
}

static void *run_reclaim(void *arg)
{
    call *c = arg;
    c->answer = pt_table_files_relieve(&c->f->files);
    atomic_store(&c->done, true);
    return NULL;
}

static void wait_for_leaving(fixture *f)
{
    for (size_t leaving = 0; leaving == 0; (void)sched_yield()) {
        pt_mutex_lock(&f->files.mu);
        leaving = f->files.leaving;
        pt_mutex_unlock(&f->files.mu);
    }
}

/* The thread can go on only when the file that is in use is given back. */
static void wait_behind_a_reader(fixture *f, void *(*run)(void *), call *c)
{
    pthread_t thread;
    pt_file *file = NULL;
    assert_ok(pt_table_pin(f->tables[0], &file));
    assert_int_equal(pthread_create(&thread, NULL, run, c), 0);
    wait_for_leaving(f);
    assert_false(atomic_load(&c->done));
    uint64_t size = 0; /* the file is still good */
    assert_int_equal(f->env->file_size(f->env->ctx, file, &size), 0);
    assert_int_equal(size, pt_table_get_meta(f->tables[0])->file_bytes);
    pt_table_unpin(f->tables[0]);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

TEST_F(a_newcomer_waits_for_a_read_to_end)
{
    call c = {.f = f, .table = 1};
    f->files.limit = 1;
    wait_behind_a_reader(f, run_read, &c);
    assert_ok(c.rc);
    assert_int_equal(files_held(f), 1);
    assert_ok(read_table(f, 0));
}

TEST_F(a_file_that_is_leaving_is_opened_again_behind_its_end)
{
    call c = {.f = f, .table = 0}; /* the same table */
    pthread_t fd_reclaim;
    call r = {.f = f};
    pt_file *file = NULL;
    pt_file *last = NULL;
    assert_ok(pt_table_pin(f->tables[0], &file));
    assert_ok(pt_table_pin(f->tables[1], &last)); /* the one that is kept */
    assert_int_equal(pthread_create(&fd_reclaim, NULL, run_reclaim, &r), 0);
    wait_for_leaving(f);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, run_read, &c), 0);
    pt_table_unpin(f->tables[0]);
    assert_int_equal(pthread_join(fd_reclaim, NULL), 0);
    pt_table_unpin(f->tables[1]); /* with half of two open, the reader wants its place */
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_true(r.answer);
    assert_ok(c.rc);
    assert_int_equal(files_held(f), 1);
}

TEST_F(reclaim_waits_for_a_read_to_end)
{
    call c = {.f = f};
    pt_file *file = NULL;
    assert_ok(read_table(f, 0)); /* older, so the first to go */
    assert_ok(pt_table_pin(f->tables[1], &file));
    wait_behind_a_reader(f, run_reclaim, &c);
    pt_table_unpin(f->tables[1]);
    assert_true(c.answer);
    assert_int_equal(files_held(f), 1);
}

/* Else who holds outputs and waits for an input would wait for ever: all descriptors are outputs.
 */
TEST_F(the_last_file_is_not_given_to_others)
{
    assert_ok(read_table(f, 0));
    assert_false(pt_table_files_relieve(&f->files));
    assert_int_equal(files_held(f), 1);
    leave_descriptors(f, 1);
    for (int i = 1; i < TABLES; i++)
        assert_ok(read_table(f, i));
    assert_int_equal(files_held(f), 1);
}

static void *run_many(void *arg)
{
    call *c = arg;
    for (int n = 0; n < c->reads && c->rc == PEAT_OK; n++) {
        c->rc = read_table(c->f, (c->table + n) % TABLES);
        /* what the writers of a store do now and then */
        if (n % 50 == 0)
            (void)pt_table_files_relieve(&c->f->files);
    }
    return NULL;
}

TEST_F(many_readers_share_two_descriptors)
{
    call calls[5];
    pthread_t threads[5];
    leave_descriptors(f, 2);
    for (int i = 0; i < 5; i++) {
        calls[i] = (call){.f = f, .table = i, .reads = 1000};
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, &calls[i]), 0);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_ok(calls[i].rc);
    }
    assert_true(files_held(f) <= 2);
    assert_int_equal(f->files.leaving, 0);
    assert_int_equal(f->files.opening, 0);
}
