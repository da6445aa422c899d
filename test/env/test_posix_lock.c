/* SPDX-License-Identifier: MIT */
/* test_posix_lock.c - the directory lock within a process, across processes and over fork. */
#include "env/posix_fixture.h"

#include <signal.h>
#include <sys/wait.h>

static int try_lock(fixture *f, bool shared, peat_env_lock **ret_lock, int64_t *ret_pid)
{
    return f->env->dir_lock(f->env->ctx, f->dir, "LOCK", shared, ret_lock, ret_pid);
}

static peat_env_lock *lock_now(fixture *f, bool shared)
{
    peat_env_lock *lock = NULL;
    int64_t pid = 0;
    assert_int_equal(try_lock(f, shared, &lock, &pid), 0);
    return lock;
}

/* The errno of a new attempt; a lock that was got is given back. */
static int probe(fixture *f, bool shared, int64_t *ret_pid)
{
    peat_env_lock *lock = NULL;
    int e = try_lock(f, shared, &lock, ret_pid);
    if (e == 0)
        f->env->dir_unlock(f->env->ctx, lock);
    return e;
}

TEST_F(a_second_lock_in_the_process_is_refused_with_the_pid)
{
    int64_t pid = 0;
    peat_env_lock *lock = lock_now(f, false);
    assert_int_equal(probe(f, false, &pid), EWOULDBLOCK);
    assert_int_equal(pid, getpid());
    assert_int_equal(probe(f, true, &pid), EWOULDBLOCK);
    assert_int_equal(pid, getpid());
    f->env->dir_unlock(f->env->ctx, lock);
    assert_int_equal(probe(f, false, &pid), 0);
}

TEST_F(the_file_holds_the_pid_in_decimal)
{
    char expected[32], found[32] = {0};
    FILE *file = fopen(path_of(f, "LOCK"), "w");
    assert_non_null(file);
    (void)fputs("12345678901234567890 from long ago", file); /* longer than any pid */
    (void)fclose(file);
    peat_env_lock *lock = lock_now(f, false);
    (void)snprintf(expected, sizeof expected, "%lld\n", (long long)getpid());
    file = fopen(path_of(f, "LOCK"), "r");
    assert_non_null(file);
    assert_int_equal(fread(found, 1, sizeof found - 1, file), strlen(expected));
    (void)fclose(file);
    assert_string_equal(found, expected);
    f->env->dir_unlock(f->env->ctx, lock);
}

TEST_F(readers_share_create_nothing_and_leave_no_pid)
{
    int64_t pid = 0;
    assert_int_equal(probe(f, true, &pid), ENOENT);
    assert_int_equal(access(path_of(f, "LOCK"), F_OK), -1);
    assert_int_equal(probe(f, false, &pid), 0); /* leaves the file with our pid in it */
    peat_env_lock *one = lock_now(f, true), *two = lock_now(f, true);
    assert_int_equal(probe(f, false, &pid), EWOULDBLOCK);
    assert_int_equal(pid, 0);
    f->env->dir_unlock(f->env->ctx, one);
    assert_int_equal(probe(f, false, &pid), EWOULDBLOCK);
    f->env->dir_unlock(f->env->ctx, two);
    assert_int_equal(probe(f, false, &pid), 0);
}

/* Runs `child` in a forked process that waits at the end until it is told; the parent goes on when
 * the child is done with it. */
typedef struct forked {
    pid_t pid;
    int told_by_child, tell_child;
    char answer;
} forked;

typedef char (*child_fn)(fixture *f, peat_env_lock *inherited);

static forked fork_with(fixture *f, peat_env_lock *inherited, child_fn child)
{
    int up[2], down[2];
    assert_int_equal(pipe(up), 0);
    assert_int_equal(pipe(down), 0);
    forked p = {.pid = fork(), .told_by_child = up[0], .tell_child = down[1]};
    assert_true(p.pid >= 0);
    if (p.pid == 0) {
        char c = child(f, inherited);
        (void)close(down[1]);
        (void)!write(up[1], &c, 1);
        (void)!read(down[0], &c, 1); /* until told, or killed */
        _exit(0);
    }
    (void)close(up[1]);
    (void)close(down[0]);
    assert_int_equal(read(p.told_by_child, &p.answer, 1), 1);
    return p;
}

static void end_child(forked *p, bool by_force)
{
    int status = 0;
    if (by_force)
        assert_int_equal(kill(p->pid, SIGKILL), 0);
    (void)close(p->tell_child);
    (void)close(p->told_by_child);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    assert_int_equal(WIFSIGNALED(status), by_force);
}

static char child_probes(fixture *f, peat_env_lock *inherited)
{
    int64_t pid = 0;
    (void)inherited;
    return probe(f, false, &pid) == EWOULDBLOCK && pid == getppid() ? 'y' : 'n';
}

TEST_F(another_process_is_refused_and_told_who_holds_it)
{
    peat_env_lock *lock = lock_now(f, false);
    forked p = fork_with(f, lock, child_probes);
    assert_int_equal(p.answer, 'y');
    end_child(&p, false);
    f->env->dir_unlock(f->env->ctx, lock);
}

static char child_unlocks(fixture *f, peat_env_lock *inherited)
{
    f->env->dir_unlock(f->env->ctx, inherited);
    return 'y';
}

TEST_F(a_forked_child_does_not_take_the_lock_away)
{
    int64_t pid = 0;
    peat_env_lock *lock = lock_now(f, false);
    forked p = fork_with(f, lock, child_unlocks);
    assert_int_equal(probe(f, false, &pid), EWOULDBLOCK);
    end_child(&p, false);
    assert_int_equal(probe(f, false, &pid), EWOULDBLOCK);
    f->env->dir_unlock(f->env->ctx, lock);
    assert_int_equal(probe(f, false, &pid), 0);
}

static char child_idles(fixture *f, peat_env_lock *inherited)
{
    (void)f;
    (void)inherited;
    return 'y';
}

TEST_F(a_forked_child_keeps_the_lock_of_its_parent)
{
    int64_t pid = 0;
    peat_env_lock *lock = lock_now(f, false);
    forked p = fork_with(f, lock, child_idles);
    f->env->dir_unlock(f->env->ctx, lock);
    assert_int_equal(probe(f, false, &pid), EWOULDBLOCK);
    end_child(&p, false);
    assert_int_equal(probe(f, false, &pid), 0);
}

static char child_locks(fixture *f, peat_env_lock *inherited)
{
    int64_t pid = 0;
    return try_lock(f, false, &inherited, &pid) == 0 ? 'y' : 'n';
}

TEST_F(the_lock_goes_with_a_killed_process)
{
    int64_t pid = 0;
    forked p = fork_with(f, NULL, child_locks);
    assert_int_equal(p.answer, 'y');
    assert_int_equal(probe(f, false, &pid), EWOULDBLOCK);
    assert_int_equal(pid, p.pid);
    end_child(&p, true);
    /* its pid is still in the file, but a reader in the way must not be taken for it */
    peat_env_lock *reader = lock_now(f, true);
    assert_int_equal(probe(f, false, &pid), EWOULDBLOCK);
    assert_int_equal(pid, 0);
    f->env->dir_unlock(f->env->ctx, reader);
    assert_int_equal(probe(f, false, &pid), 0);
}

TEST_F(closing_another_descriptor_of_the_file_keeps_the_lock)
{
    int64_t pid = 0;
    peat_env_lock *lock = lock_now(f, false);
    assert_int_equal(open_file(f, "LOCK", PEAT_ENV_FILE_WRITE), 0);
    assert_int_equal(probe(f, false, &pid), EWOULDBLOCK);
    f->env->dir_unlock(f->env->ctx, lock);
}
