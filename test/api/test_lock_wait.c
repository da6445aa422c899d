/* SPDX-License-Identifier: MIT */
/* test_lock_wait.c - an open that waits for whoever has the store: how long, how often it looks,
 * and what it says. Time is made up: what a pause does and how long it takes is the test's. */
#include "world/kit.h"
#include "world/files.h"

#include <sys/wait.h>

typedef struct world {
    peat_env env;
    peat_host host;
    peat_options options;
    char dir[256];
    peat_error error;
    peat_db *holder;
    bool destroy_too;     /* what the holder does with the store it closes */
    unsigned close_after; /* pauses; 0: never */
    unsigned pauses, looks;
    uint64_t now_ns, shortest_ns;
    uint64_t step_ns; /* the clock goes on by itself so far at each question */
} world;

static uint64_t made_up_now(void *ctx)
{
    world *w = ctx;
    w->now_ns += w->step_ns;
    return w->now_ns;
}

static void made_up_sleep(void *ctx, uint64_t ns)
{
    world *w = ctx;
    w->now_ns += ns;
    w->pauses++;
    if (ns < w->shortest_ns)
        w->shortest_ns = ns;
    if (w->pauses == w->close_after) {
        assert_ok(peat_close(w->holder));
        w->holder = NULL;
        if (w->destroy_too)
            assert_ok(peat_destroy(w->dir, NULL));
    }
}

static int counted_lock(void *ctx, peat_env_dir *dir, const char *name, bool shared,
                        peat_env_lock **ret_lock, int64_t *ret_holder_pid)
{
    world *w = ctx;
    const peat_env *real = peat_env_default();
    w->looks++;
    return real->dir_lock(real->ctx, dir, name, shared, ret_lock, ret_holder_pid);
}

static world *world_new(uint32_t lock_wait_ms)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->env = *peat_env_default(); /* which has no use for its ctx */
    w->env.ctx = w;
    w->env.now_ns = made_up_now;
    w->env.sleep_ns = made_up_sleep;
    w->env.dir_lock = counted_lock;
    w->host = (peat_host){.size = sizeof w->host, .env = &w->env};
    w->options = (peat_options){.size = sizeof w->options,
                                .threads = PEAT_THREADS_NONE,
                                .host = &w->host,
                                .lock_wait_ms = lock_wait_ms};
    w->shortest_ns = UINT64_MAX;
    files_new_dir(w->dir);
    assert_ok(peat_open(w->dir, NULL, &w->holder, NULL));
    assert_ok(peat_put(w->holder, NULL, peat_str("a"), peat_str("1")));
    return w;
}

static void world_free(world *w)
{
    assert_ok(peat_close(w->holder));
    assert_ok(peat_destroy(w->dir, NULL));
    free(w);
}

static peat_rc open_and_close(world *w, peat_rc *ret_found)
{
    peat_db *db = NULL;
    peat_rc rc = peat_open(w->dir, &w->options, &db, &w->error);
    if (rc == PEAT_OK && ret_found != NULL)
        *ret_found = peat_exists(db, NULL, peat_str("a"));
    assert_ok(peat_close(db));
    return rc;
}

TEST(without_a_wait_the_answer_comes_at_once)
{
    world *w = world_new(0);
    assert_int_equal(open_and_close(w, NULL), PEAT_BUSY);
    assert_int_equal(w->looks, 1);
    assert_int_equal(w->pauses, 0);
    world_free(w);
}

TEST(a_store_that_is_closed_meanwhile_is_opened)
{
    for (int read_only = 0; read_only <= 1; read_only++) {
        peat_rc found = PEAT_INVALID;
        world *w = world_new(10000);
        w->options.read_only = read_only != 0;
        w->close_after = 4;
        assert_ok(open_and_close(w, &found));
        assert_ok(found);
        assert_int_equal(w->looks, 5);
        assert_string_equal(w->error.message, "");
        world_free(w);
    }
}

/* Ten seconds are about 200 looks: short pauses at first, never one under a millisecond (but the
 * last, which ends with the time). */
TEST(a_wait_ends_with_its_time_and_does_not_spin)
{
    static const uint32_t waits_ms[] = {1, 2, 1000, 10000};
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        world *w = world_new(waits_ms[i]);
        assert_int_equal(open_and_close(w, NULL), PEAT_BUSY);
        assert_non_null(strstr(w->error.message, w->dir));
        assert_int_equal(w->now_ns, (uint64_t)waits_ms[i] * 1000000);
        assert_true(w->looks == w->pauses + 1 && w->looks >= 2);
        assert_true(w->looks <= 8 + waits_ms[i] / 50);
        world_free(w);
    }
}

/* A machine that is starved of its processor makes pauses longer; the wait does not last longer for
 * that. A clock that stands still ends it, too. */
TEST(a_wait_is_measured_by_the_clock_and_by_its_pauses)
{
    world *w = world_new(1000);
    w->step_ns = 200000000; /* each look costs 200 ms */
    assert_int_equal(open_and_close(w, NULL), PEAT_BUSY);
    assert_true(w->looks <= 7);
    world_free(w);
}

TEST(a_store_that_is_destroyed_meanwhile_is_made_anew)
{
    for (int create = PEAT_CREATE_IF_MISSING; create <= PEAT_CREATE_NEVER; create++) {
        peat_rc found = PEAT_INVALID;
        world *w = world_new(1000);
        w->options.create = (peat_create)create;
        w->close_after = 2;
        w->destroy_too = true;
        if (create == PEAT_CREATE_NEVER) {
            assert_int_equal(open_and_close(w, NULL), PEAT_NOT_FOUND);
            assert_int_equal(access(w->dir, F_OK), -1);
            free(w);
            continue;
        }
        assert_ok(open_and_close(w, &found));
        assert_int_equal(found, PEAT_NOT_FOUND);
        world_free(w);
    }
}

/* After the parent's close its child still has the lock, and the pid written down is the parent's.
 */
TEST(nobody_is_called_the_holder_who_may_not_be)
{
    char byte = 0;
    int go[2], status = 0;
    world *w = world_new(0);
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(go[1]);
        (void)!read(go[0], &byte, 1);
        _exit(0);
    }
    (void)close(go[0]);
    assert_ok(peat_close(w->holder));
    w->holder = NULL;
    assert_int_equal(open_and_close(w, NULL), PEAT_BUSY);
    assert_non_null(strstr(w->error.message, "this one, a child it forked, or one of another"));
    (void)close(go[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_ok(open_and_close(w, NULL));
    world_free(w);
}

TEST(two_processes_wait_for_each_other)
{
    char dir[256];
    int status = 0;
    files_new_dir(dir);
    peat_options options = {.size = sizeof options, .lock_wait_ms = 100000};
    pid_t children[8];
    for (int i = 0; i < 8; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            char key = (char)('a' + i);
            peat_db *db = NULL;
            peat_rc rc = peat_open(dir, &options, &db, NULL);
            if (rc == PEAT_OK)
                rc = peat_put(db, NULL, peat_bytes(&key, 1), peat_str("here"));
            if (peat_close(db) != PEAT_OK)
                rc = PEAT_IO;
            _exit(rc == PEAT_OK ? 0 : 1);
        }
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    peat_db *db = NULL;
    assert_ok(peat_open(dir, NULL, &db, NULL));
    assert_int_equal(count_all(db), 8);
    assert_ok(peat_close(db));
    assert_ok(peat_destroy(dir, NULL));
}

/* ---- what an open says of its path ---- */

static const char *open_says(const char *dir, peat_rc want)
{
    static peat_error error;
    peat_db *db = NULL;
    assert_int_equal(peat_open(dir, NULL, &db, &error), want);
    assert_null(strpbrk(error.message, "\n\r\t\033"));
    return error.message;
}

TEST(a_missing_parent_is_named_as_such)
{
    char dir[256], path[400];
    files_new_dir(dir);
    (void)snprintf(path, sizeof path, "%s/absent/store", dir);
    const char *text = open_says(path, PEAT_IO);
    assert_non_null(strstr(text, "the directory that is to hold the store does not exist"));
    assert_non_null(strstr(text, path));
    (void)snprintf(path, sizeof path, "%s/absent/store//", dir);
    assert_non_null(strstr(open_says(path, PEAT_IO), "that is to hold the store does not exist"));
    /* a link that leads nowhere has its parent */
    (void)snprintf(path, sizeof path, "%s", dir);
    assert_int_equal(mkdir(path, 0777), 0);
    (void)snprintf(path, sizeof path, "%s/link", dir);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_null(strstr(open_says(path, PEAT_IO), "that is to hold"));
    assert_int_equal(unlink(path), 0);
    files_remove_dir(dir);
}

TEST(a_path_is_told_once_and_on_one_line)
{
    char dir[256], path[400];
    peat_error error;
    files_new_dir(dir);
    (void)snprintf(path, sizeof path, "%s/a\nb\033[1m/s", dir);
    const char *text = open_says(path, PEAT_IO);
    assert_non_null(strstr(text, "a\\x0ab\\x1b[1m/s: "));
    assert_null(strstr(strstr(text, dir) + 1, dir));
    assert_int_equal(peat_destroy(path, &error), PEAT_NOT_FOUND);
    assert_non_null(strstr(error.message, "a\\x0ab\\x1b[1m/s: there is nothing here"));
}

/* Names of other people's files are no better than paths. */
TEST(a_foreign_name_does_not_break_the_line)
{
    char dir[256];
    files_new_dir(dir);
    assert_int_equal(mkdir(dir, 0777), 0);
    files_write(dir, "x\ny", "mine", 4);
    assert_non_null(strstr(open_says(dir, PEAT_NOT_STORE), "\"x\\x0ay\""));
    files_remove_dir(dir);
}
