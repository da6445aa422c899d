/* SPDX-License-Identifier: MIT */
/*
 * test_repair_place.c - peat_repair does not touch the damaged store when to_dir leads into it by
 * another name, whatever the store has lost.
 */
#include "world/kit.h"

#include "world/files.h"

/* In the directory at hand: a store `s`, links to it and to here. */
static void make_store(void)
{
    peat_db *db = NULL;
    char key[16];
    assert_ok(peat_open("s", NULL, &db, NULL));
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "key%04d", i);
        assert_ok(peat_put(db, NULL, peat_str(key), peat_str("value")));
    }
    assert_ok(peat_close(db));
    assert_int_equal(symlink("s", "link"), 0);
    assert_int_equal(symlink(".", "here"), 0);
}

static void refuse(const char *dir, const char *to_dir)
{
    peat_error e;
    picture before = files_look("s");
    peat_rc rc = peat_repair(dir, to_dir, NULL, NULL, &e);
    if (rc != PEAT_INVALID)
        fail_msg("%s to %s: %s", dir, to_dir, peat_rc_name(rc));
    assert_true(strstr(e.message, "would lie in this one") != NULL);
    files_expect_same("s", &before);
    files_forget(&before);
}

/* What the store has lost: LOCK, by which it would be known to be in use, and what says that it is
 * a store. */
TEST(links_into_the_store_are_refused)
{
    static const char *const lost[] = {NULL, "s/LOCK", "s/PEAT"};
    static const char *const places[] = {"link",    "link/",       "./s",   "here/s",
                                         "link/in", "here/s/in//", "s/../s"};
    char home[256], before[1024];
    files_new_dir(home);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(mkdir(home, 0700), 0);
    assert_int_equal(chdir(home), 0);
    make_store();
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        if (lost[i] != NULL)
            assert_int_equal(unlink(lost[i]), 0);
        for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
            if (strncmp(places[k], "s/", 2) != 0) /* by its name */
                refuse("s", places[k]);
            if (strncmp(places[k], "link", 4) != 0)
                refuse("link", places[k]);
        }
        assert_int_equal(chdir("s"), 0);
        peat_error e;
        assert_int_equal(peat_repair("../link", "in", NULL, NULL, &e), PEAT_INVALID);
        assert_int_equal(chdir(".."), 0);
    }
    assert_ok(peat_repair("link", "here/new", NULL, NULL, NULL));
    peat_db *db = NULL;
    assert_ok(peat_open("new", NULL, &db, NULL));
    assert_int_equal(count_all(db), 1000);
    assert_ok(peat_close(db));
    assert_ok(peat_destroy("new", NULL));
    assert_int_equal(unlink("link") | unlink("here"), 0);
    files_remove_dir("s");
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(home), 0);
}
