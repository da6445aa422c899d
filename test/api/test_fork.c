/* SPDX-License-Identifier: MIT */
/* test_fork.c - in a child of fork() every handle is dead, and the parent does not notice. */
#include "world/kit.h"
#include "world/files.h"

#include <sys/wait.h>

typedef struct handles {
    peat_db *db;
    peat_iter *it;
    peat_snapshot *snapshot;
    peat_batch *batch;
    peat_pinned pin;
} handles;

/* Number of the first call that did not say PEAT_CLOSED; 0: none. */
static int child_calls(const handles *h)
{
    peat_buf buf = PEAT_BUF_INIT;
    peat_pinned pin = PEAT_PINNED_INIT;
    peat_iter *it = NULL;
    peat_snapshot *snapshot = NULL;
    peat_statistics stats = {.size = sizeof stats};
    peat_row row;
    size_t n = 0;
    uint64_t number = 0;
    bool there;
    peat_error error;
    peat_pinned held = h->pin;
    const peat_slice a = peat_str("a"), all = peat_unbounded();
    const peat_rc found[] = {
        peat_put(h->db, NULL, a, a),
        peat_delete(h->db, NULL, a),
        peat_write(h->db, NULL, h->batch),
        peat_get(h->db, NULL, a, &buf),
        peat_get_pinned(h->db, NULL, a, &pin),
        peat_exists(h->db, NULL, a),
        peat_has(h->db, NULL, a, &there),
        peat_iter_open(h->db, NULL, &it),
        peat_iter_next(h->it),
        peat_iter_seek(h->it, a),
        peat_iter_fill(h->it, &row, 1, &n),
        peat_iter_refresh(h->it),
        peat_snapshot_open(h->db, &snapshot),
        peat_sync(h->db),
        peat_flush(h->db),
        peat_compact(h->db, all, all, NULL),
        peat_settle(h->db, 0),
        peat_work(h->db, 1, &n),
        peat_check(h->db, NULL, NULL),
        peat_approximate_size(h->db, all, all, &number),
        peat_stats(h->db, &stats),
        peat_stats_json(h->db, &buf),
        peat_call_error(h->db, &error),
        peat_close(h->db),
    };
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (found[i] != PEAT_CLOSED)
            return (int)i + 1;
    peat_iter_close(h->it);
    peat_snapshot_close(h->snapshot);
    peat_unpin(&held);
    return 0;
}

TEST(a_forked_child_has_only_dead_handles)
{
    char dir[256];
    handles h = {0};
    peat_buf buf = PEAT_BUF_INIT;
    int status = 0;
    files_new_dir(dir);
    assert_ok(peat_open(dir, NULL, &h.db, NULL));
    assert_ok(peat_put(h.db, NULL, peat_str("a"), peat_str("1")));
    assert_ok(peat_iter_open(h.db, NULL, &h.it));
    assert_ok(peat_snapshot_open(h.db, &h.snapshot));
    assert_ok(peat_get_pinned(h.db, NULL, peat_str("a"), &h.pin));
    assert_ok(peat_batch_new(&h.batch));
    assert_ok(peat_batch_put(h.batch, peat_str("a"), peat_str("from the child")));
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_calls(&h));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %x: the number of the call that did not say PEAT_CLOSED",
                 (unsigned)status);
    assert_ok(peat_iter_next(h.it)); /* the parent's are alive */
    assert_ok(peat_put(h.db, NULL, peat_str("b"), peat_str("2")));
    assert_ok(peat_get(h.db, NULL, peat_str("a"), &buf));
    expect_bytes(buf.data, buf.size, "1");
    peat_buf_free(&buf);
    peat_batch_free(h.batch);
    expect_bytes(h.pin.data, h.pin.size, "1");
    peat_unpin(&h.pin);
    peat_iter_close(h.it);
    peat_snapshot_close(h.snapshot);
    assert_ok(peat_close(h.db));
    assert_ok(peat_open(dir, NULL, &h.db, NULL));
    assert_ok(peat_exists(h.db, NULL, peat_str("b")));
    assert_ok(peat_close(h.db));
    assert_ok(peat_destroy(dir, NULL));
}

/* The lock lives until the parent and its children are gone. */
TEST(the_lock_outlives_the_parents_close_while_a_child_lives)
{
    char dir[256], byte = 0;
    peat_db *db = NULL;
    peat_error error;
    int go[2], status = 0;
    files_new_dir(dir);
    assert_ok(peat_open(dir, NULL, &db, NULL));
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(go[1]);
        (void)!read(go[0], &byte, 1);
        _exit(0);
    }
    (void)close(go[0]);
    assert_ok(peat_close(db));
    assert_int_equal(peat_open(dir, NULL, &db, &error), PEAT_BUSY);
    assert_non_null(strstr(error.message, dir));
    (void)close(go[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_ok(peat_open(dir, NULL, &db, &error));
    assert_ok(peat_close(db));
    assert_ok(peat_destroy(dir, NULL));
}
