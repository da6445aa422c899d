/* SPDX-License-Identifier: MIT */
/*
 * test_low_descriptors.c - a program that has closed its standard descriptors, as daemons do, and
 * in which something prints all the same: no byte of that reaches a store. Each life runs in a
 * child, which is killed in the end, so that what it left has to be recovered from the files.
 */
#include "world/kit.h"
#include "world/files.h"

#include <signal.h>
#include <sys/wait.h>

#define ROUNDS 2
#define ROWS   500

typedef struct life {
    char dir[256], copy[256], mended[256];
    int threads;
    int stream; /* the file of an export; above the standard ones */
    int report; /* one line when something is wrong */
} life;

static void tell(const life *l, const char *what, peat_rc rc)
{
    (void)dprintf(l->report, "%s: %s\n", what, peat_rc_name(rc));
}

/* What perror, an assertion or a logging library would do. */
static bool print_into_closed(const life *l)
{
    static const char text[] = "connection lost, retrying in 5 seconds (a message on stderr)\n";
    for (int fd = 0; fd <= 2; fd++)
        if (write(fd, text, sizeof text - 1) >= 0) {
            (void)dprintf(l->report, "descriptor %d took a message\n", fd);
            return false;
        }
    return true;
}

static peat_rc put_rows(peat_db *db, unsigned from)
{
    char key[32], value[200];
    peat_rc rc = PEAT_OK;
    memset(value, 'v', sizeof value);
    for (unsigned i = from; i < from + ROWS && rc == PEAT_OK; i++) {
        (void)snprintf(key, sizeof key, "key-%06u", i);
        rc = peat_put(db, NULL, peat_str(key), peat_bytes(value, sizeof value));
    }
    return rc;
}

#define STEP(call)                                                                                 \
    do {                                                                                           \
        peat_rc rc_ = (call);                                                                      \
        if (rc_ != PEAT_OK) {                                                                      \
            tell(l, #call, rc_);                                                                   \
            return;                                                                                \
        }                                                                                          \
        if (!print_into_closed(l))                                                                 \
            return;                                                                                \
    } while (0)

static void live(const life *l)
{
    peat_options options = {.size = sizeof options, .threads = l->threads};
    peat_repair_options repair = {.size = sizeof repair, .open = &options};
    peat_db *db = NULL;
    const peat_slice all = peat_unbounded();
    STEP(peat_open(l->dir, &options, &db, NULL));
    for (unsigned i = 0; i < ROUNDS; i++) {
        STEP(put_rows(db, i * ROWS));
        STEP(peat_flush(db));
    }
    STEP(peat_compact(db, all, all, NULL));
    STEP(peat_settle(db, PEAT_WAIT_FOREVER));
    STEP(peat_check(db, NULL, NULL));
    STEP(peat_export_fd(db, NULL, l->stream));
    STEP(peat_close(db));
    if (lseek(l->stream, 0, SEEK_SET) != 0)
        return;
    STEP(peat_import_fd(l->copy, &options, l->stream, NULL));
    STEP(peat_repair(l->dir, l->mended, &repair, NULL, NULL));
    STEP(peat_open(l->dir, &options, &db, NULL));
    STEP(put_rows(db, ROUNDS * ROWS));
    STEP(peat_sync(db));
    STEP(put_rows(db, (ROUNDS + 1) * ROWS));
    (void)dprintf(l->report, "done\n");
    (void)raise(SIGKILL);
}

/* `closed`: a bit for each of 0, 1 and 2. */
static void run_life(life *l, unsigned closed, char ret_report[256])
{
    int fds[2], status = 0;
    char name[280];
    files_new_dir(l->dir);
    files_new_dir(l->copy);
    files_new_dir(l->mended);
    (void)snprintf(name, sizeof name, "%s.stream", l->dir);
    assert_int_equal(pipe(fds), 0);
    l->report = fds[1];
    l->stream = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(l->stream > 2 && fds[1] > 2);
    pid_t pid = fork();
    if (pid == 0) {
        for (int fd = 0; fd <= 2; fd++)
            if (closed & (1u << fd))
                (void)close(fd);
            else
                (void)dup2(open("/", O_RDONLY | O_DIRECTORY), fd); /* takes no message either */
        live(l);
        _exit(1);
    }
    (void)close(fds[1]);
    ssize_t n = read(fds[0], ret_report, 255);
    ret_report[n < 0 ? 0 : n] = '\0';
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(fds[0]);
    (void)close(l->stream);
    assert_int_equal(unlink(name), 0);
}

static void expect_whole(const char *dir, int entries)
{
    peat_options options = {.size = sizeof options, .threads = PEAT_THREADS_NONE};
    peat_db *db = NULL;
    peat_error error;
    if (peat_open(dir, &options, &db, &error) != PEAT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(count_all(db), entries);
    assert_ok(peat_check(db, NULL, NULL));
    assert_ok(peat_close(db));
    assert_ok(peat_destroy(dir, NULL));
}

static void live_with_closed_descriptors(int threads, unsigned closed)
{
    life l = {.threads = threads};
    char report[256];
    run_life(&l, closed, report);
    assert_string_equal(report, "done\n");
    expect_whole(l.dir, (ROUNDS + 2) * ROWS);
    expect_whole(l.copy, ROUNDS * ROWS);
    expect_whole(l.mended, ROUNDS * ROWS);
}

TEST(messages_into_closed_descriptors_never_reach_a_store)
{
    live_with_closed_descriptors(PEAT_THREADS_NONE, 7);
}

TEST(nor_with_threads_in_the_background)
{
    live_with_closed_descriptors(0, 4); /* standard error alone */
}
