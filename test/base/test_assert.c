/* SPDX-License-Identifier: MIT */
/* test_assert.c - what a failed assertion says, and that debug builds know who holds a lock. */
#include "base/sync.h"
#include "world/test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `fn` in a child; what it wrote to standard error, and how it ended. */
static int end_of_child(void (*fn)(void), char *ret_text, size_t size)
{
    int ends[2], status = 0;
    size_t n = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        fn();
        _exit(0);
    }
    (void)close(ends[1]);
    for (ssize_t got; n + 1 < size && (got = read(ends[0], ret_text + n, size - n - 1)) > 0;)
        n += (size_t)got;
    ret_text[n] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void fails(void)
{
    PT_ASSERT(getpid() < 0, "I2: nobody else may publish");
}

static void holds(void)
{
    PT_ASSERT(getpid() > 0, "a process has a number");
    PT_DCHECK(getpid() > 0, "and here as well");
}

TEST(a_failed_assertion_says_where_and_what_must_hold)
{
    char text[400];
    int status = end_of_child(fails, text, sizeof text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_memory_equal(text, "peat: ", 6);
    assert_non_null(strstr(text, "test_assert.c:34: I2: nobody else may publish\n"));
}

TEST(what_holds_says_nothing)
{
    char text[400];
    assert_int_equal(end_of_child(holds, text, sizeof text), 0);
    assert_string_equal(text, "");
}

#ifdef PT_DEBUG
static void unlocks_what_is_not_held(void)
{
    pt_mutex mu;
    pt_mutex_init(&mu);
    pt_mutex_unlock(&mu);
}

static void locks_twice(void)
{
    pt_mutex mu;
    pt_mutex_init(&mu);
    pt_mutex_lock(&mu);
    pt_mutex_lock(&mu);
}

TEST(a_debug_build_knows_who_holds_a_lock)
{
    char text[400];
    pt_mutex mu;
    pt_mutex_init(&mu);
    assert_false(pt_mutex_held(&mu));
    assert_true(pt_mutex_try_lock(&mu));
    assert_true(pt_mutex_held(&mu));
    pt_mutex_unlock(&mu);
    assert_false(pt_mutex_held(&mu));
    pt_mutex_done(&mu);
    (void)end_of_child(unlocks_what_is_not_held, text, sizeof text);
    assert_non_null(strstr(text, "by who holds it"));
    (void)end_of_child(locks_twice, text, sizeof text);
    assert_non_null(strstr(text, "I12: no thread takes a lock twice"));
}
#endif
