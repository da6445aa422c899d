/* SPDX-License-Identifier: MIT */
/*
 * test_doors.c - who and what else is in the directory: another process that opens the same store,
 * and links, FIFOs, folders and names that no store puts there.
 *
 *   N=20000 test_doors --campaign      so many openings in the race of two processes
 *
 * ctest: timeout=240
 */
#include "resources/poor_kit.h"

static uint64_t openings;

/* ---- two processes at one door ---- */

/* Whoever is in adds one to a number, which nobody can do beside another. */
static void race(const char *dir, uint64_t count)
{
    peat_options o = small_options(NULL, NULL, PEAT_THREADS_NONE);
    peat_buf buf = PEAT_BUF_INIT;
    uint64_t done = 0, n;
    while (done < count) {
        peat_error e;
        peat_db *db = NULL;
        peat_rc rc = peat_open(dir, &o, &db, &e);
        if (rc == PEAT_BUSY)
            continue;
        if (rc != PEAT_OK)
            (void)fprintf(stderr, "%s: %s\n", peat_rc_name(rc), e.message);
        CHECK(rc == PEAT_OK);
        (void)alarm(STUCK_SECONDS); /* for the next one: a slow disk makes 10,000 of them long */
        rc = peat_get(db, NULL, peat_str("n"), &buf);
        CHECK(rc == PEAT_OK || rc == PEAT_NOT_FOUND);
        n = 0;
        if (rc == PEAT_OK)
            memcpy(&n, buf.data, sizeof n);
        n++;
        CHECK(peat_put(db, NULL, peat_str("n"), peat_bytes(&n, sizeof n)) == PEAT_OK);
        if (done++ % 3 != 0)
            CHECK(peat_close(db) == PEAT_OK);
        else if (fork() == 0) /* one in three ends without a close: its lock goes with it */
            _exit(0);
        else
            CHECK(wait(NULL) > 0 && peat_close(db) == PEAT_OK);
    }
    peat_buf_free(&buf);
}

TEST_IN_DIR(only_one_of_two_processes_gets_in)
{
    char dir[128];
    (void)snprintf(dir, sizeof dir, "%s/race", root);
    pid_t one = begin_child(race, dir, openings / 2), two = begin_child(race, dir, openings / 2);
    end_child(one);
    end_child(two);
    peat_db *db = NULL;
    peat_buf buf = PEAT_BUF_INIT;
    uint64_t n = 0;
    assert_ok(peat_open(dir, NULL, &db, NULL));
    assert_ok(peat_get(db, NULL, peat_str("n"), &buf));
    assert_int_equal(buf.size, sizeof n);
    memcpy(&n, buf.data, sizeof n);
    assert_int_equal(n, openings / 2 * 2);
    peat_buf_free(&buf);
    assert_ok(peat_close(db));
    trials += openings;
}

/* ---- what others put into the directory ---- */

#define OUTSIDE "do not touch"

/* Opens, writes and reads if it opens; ends in any case. */
static void try_to_live(const char *dir, uint64_t read_only)
{
    peat_error e;
    peat_db *db = NULL;
    peat_options o = small_options(NULL, &small_sizes, PEAT_THREADS_NONE);
    o.read_only = read_only != 0;
    peat_rc rc = peat_open(dir, &o, &db, &e);
    if (rc != PEAT_OK) {
        CHECK(e.message[0] != '\0');
        return;
    }
    if (read_only == 0) {
        for (uint64_t i = 0; i < 2000; i++) {
            char key[32];
            rc = peat_put(db, NULL, peat_bytes(key, key_of(i, key)), peat_str(OUTSIDE));
            if (rc != PEAT_OK)
                break;
        }
        (void)!peat_settle(db, PEAT_WAIT_FOREVER);
    }
    (void)!peat_check(db, NULL, NULL);
    (void)!peat_close(db);
}

typedef enum planted { PLANT_LINK, PLANT_DANGLING, PLANT_FIFO, PLANT_DIR, PLANTED } planted;

static void plant(planted what, const char *path, const char *outside)
{
    (void)unlink(path);
    switch (what) {
    case PLANT_LINK:
        assert_int_equal(symlink(outside, path), 0);
        break;
    case PLANT_DANGLING:
        assert_int_equal(symlink("/tmp/peat-poor-nothing-here/x", path), 0);
        break;
    case PLANT_FIFO:
        assert_int_equal(mkfifo(path, 0600), 0);
        break;
    default:
        assert_int_equal(mkdir(path, 0700), 0);
    }
}

static void outside_is_untouched(const char *outside)
{
    char text[64] = "";
    int fd = open(outside, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof text - 1), sizeof OUTSIDE - 1);
    assert_string_equal(text, OUTSIDE);
    (void)close(fd);
}

static void make_outside(const char *outside)
{
    FILE *f = fopen(outside, "w");
    assert_non_null(f);
    assert_true(fputs(OUTSIDE, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

TEST_IN_DIR(nothing_planted_is_followed)
{
    static const char *const names[] = {"PEAT",     "LOCK",     "m-000001", "m-000002", "w-000000",
                                        "w-000001", "w-000002", "t-000001", "t-000002", "reserve",
                                        "w-1",      "w-2",      "m-1",      "t-1"};
    char outside[128], dir[128], path[200];
    (void)snprintf(outside, sizeof outside, "%s/outside", root);
    make_outside(outside);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (unsigned what = 0; what < PLANTED; what++)
            for (uint64_t old = 0; old < 2; old++) {
                (void)snprintf(dir, sizeof dir, "%s/p%zu-%u-%" PRIu64, root, i, what, old);
                if (old != 0)
                    run_child(try_to_live, dir, 0);
                else
                    assert_int_equal(mkdir(dir, 0700), 0);
                (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
                plant((planted)what, path, outside);
                run_child(try_to_live, dir, 1);
                run_child(try_to_live, dir, 0);
                outside_is_untouched(outside);
            }
}

/* Names that look like a store's and are none, and such as break careless programs: they stay. */
TEST_IN_DIR(odd_names_are_left_alone)
{
    static const char *const names[] = {
        "t-",       "t--1", "t-0x10", "t-99999999999999999999999999",
        "w-1.tmp",  "m-1 ", "t-1\n",  "%s%s%n",
        "\xff\xfe", "-rf",  " ",      "t-1/../x",
        "PEAT.old", "peat", "w-+1",   "t-000001.bak"};
    char dir[128], path[256];
    peat_options o = small_options(NULL, &small_sizes, PEAT_THREADS_NONE);
    (void)snprintf(dir, sizeof dir, "%s/odd", root);
    run_child(try_to_live, dir, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            continue; /* the one that is a path */
        (void)close(fd);
        peat_db *db = NULL;
        assert_ok(peat_open(dir, &o, &db, NULL));
        assert_ok(peat_settle(db, PEAT_WAIT_FOREVER));
        assert_ok(peat_close(db));
        if (access(path, F_OK) != 0)
            fail_msg("\"%s\" was removed", names[i]);
        trials++;
    }
}

int main(int argc, char **argv)
{
    bool campaign = test_is_campaign(argc, argv);
    openings = campaign ? test_number("N", 20000) : TEST_SAMPLE(200, 200, 60);
    return run_poor(campaign);
}
