/* SPDX-License-Identifier: MIT */
/*
 * test_bad_input.c - directories that hold no store, another's, or one that is open elsewhere; see
 * scene.h.
 */
#include "api/scene.h"

#include "version/superblock.h"

#include <sys/wait.h>

/* --- not a store --- */

TEST_SCENE(a_directory_with_other_things_is_no_store)
{
    assert_int_equal(mkdir(s->dir, 0700), 0);
    files_write(s->dir, "letter.txt", "Dear Anna,", 10);
    expect_refused_twice(s, PEAT_NOT_STORE, "letter.txt");
    assert_int_equal(peat_destroy(s->dir, &s->error), PEAT_NOT_STORE);
    assert_non_null(strstr(s->error.message, s->dir));
}

TEST_SCENE(a_file_in_its_place_is_no_store)
{
    int fd = open(s->dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "text", 4), 4);
    assert_int_equal(close(fd), 0);
    expect_refused_twice(s, PEAT_NOT_STORE, "not a directory");
    size_t size = 0;
    uint8_t *bytes = files_read(s->dir, &size);
    assert_int_equal(size, 4);
    assert_memory_equal(bytes, "text", 4);
    free(bytes);
    assert_int_equal(peat_destroy(s->dir, NULL), PEAT_NOT_STORE);
}

TEST_SCENE(a_missing_store_is_not_found_when_it_may_not_be_made)
{
    s->options.create = PEAT_CREATE_NEVER;
    expect_refused_twice(s, PEAT_NOT_FOUND, "");
    assert_int_not_equal(access(s->dir, F_OK), 0);
    assert_int_equal(mkdir(s->dir, 0700), 0);
    expect_refused_twice(s, PEAT_NOT_FOUND, "");
    assert_int_equal(peat_destroy("/nowhere/at/all", NULL), PEAT_NOT_FOUND);
}

TEST_SCENE(only_the_last_part_of_the_path_is_made)
{
    (void)strcat(s->dir, "/deeper");
    expect_refused(s, PEAT_IO, "");
    assert_int_equal(s->error.os_errno, ENOENT);
}

TEST_SCENE(a_link_to_a_file_in_place_of_the_superblock_is_refused)
{
    char path[400];
    make_store(s);
    scene_unlink(s, "PEAT", path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    (void)refused_unchanged(s);
}

/* --- another's store --- */

TEST_SCENE(a_store_of_another_application_is_refused)
{
    peat_host host = {.size = sizeof host, .app_id = 7};
    peat_db *db = NULL;
    s->options.host = &host;
    make_store(s);
    host.app_id = 8;
    expect_refused_twice(s, PEAT_NOT_STORE, "application");
    host.app_id = 0; /* does not ask */
    expect_good(s, 400);
    host.app_id = 7;
    expect_good(s, 400);
    assert_ok(peat_open(s->dir, NULL, &db, NULL));
    assert_ok(peat_close(db));
}

/* Rewrites both slots as another version would have written them. */
static void set_version(const char *dir, uint32_t version)
{
    char path[400];
    size_t size = 0;
    (void)snprintf(path, sizeof path, "%s/PEAT", dir);
    uint8_t *bytes = files_read(path, &size);
    assert_int_equal(size, PT_SUPERBLOCK_FILE_BYTES);
    for (unsigned slot = 0; slot < PT_SUPERBLOCK_SLOTS; slot++) {
        pt_superblock sb;
        uint8_t *at = bytes + (size_t)slot * PT_SUPERBLOCK_SLOT_BYTES;
        if (!pt_superblock_decode(at, PT_SUPERBLOCK_SLOT_BYTES, slot, &sb))
            continue;
        sb.format_version = version;
        pt_superblock_encode(&sb, at);
    }
    files_write(dir, "PEAT", bytes, size);
    free(bytes);
}

TEST_SCENE(a_store_of_another_version_is_refused)
{
    make_store(s);
    set_version(s->dir, PT_FORMAT_VERSION + 1);
    expect_refused_twice(s, PEAT_VERSION, "version");
    set_version(s->dir, PT_FORMAT_FIRST);
    expect_good(s, 400);
}

TEST_SCENE(a_store_that_is_there_already_is_refused_when_asked)
{
    s->options.error_if_exists = true;
    make_store(s);
    expect_refused(s, PEAT_EXISTS, "");
    s->options.error_if_exists = false;
    expect_good(s, 400);
}

/* --- open elsewhere --- */

TEST_SCENE(a_second_open_in_this_process_is_busy)
{
    char pid[32];
    peat_db *db = NULL, *second = NULL;
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    make_store(s);
    assert_ok(peat_open(s->dir, &s->options, &db, NULL));
    expect_refused_twice(s, PEAT_BUSY, pid);
    assert_int_equal(peat_destroy(s->dir, &s->error), PEAT_BUSY);
    assert_int_equal(count_all(db), 400);
    assert_ok(peat_close(db));
    s->options.read_only = true; /* readers share */
    assert_ok(peat_open(s->dir, &s->options, &db, NULL));
    assert_ok(peat_open(s->dir, &s->options, &second, NULL));
    s->options.read_only = false;
    expect_refused(s, PEAT_BUSY, "");
    assert_ok(peat_close(db));
    assert_ok(peat_close(second));
    expect_good(s, 400);
}

TEST_SCENE(an_open_by_another_process_is_busy_and_names_it)
{
    int told[2], done[2], status = 0;
    char byte = 0, pid_text[32];
    make_store(s);
    assert_int_equal(pipe(told), 0);
    assert_int_equal(pipe(done), 0);
    pid_t pid = fork();
    if (pid == 0) {
        peat_db *db = NULL;
        peat_rc rc = peat_open(s->dir, &s->options, &db, NULL);
        byte = rc == PEAT_OK ? 'y' : 'n';
        (void)!write(told[1], &byte, 1);
        (void)!read(done[0], &byte, 1);
        _Exit(peat_close(db) == PEAT_OK ? 0 : 1);
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    (void)snprintf(pid_text, sizeof pid_text, "%d", (int)pid);
    expect_refused_twice(s, PEAT_BUSY, pid_text);
    assert_int_equal(write(done[1], "x", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    expect_good(s, 400);
    for (int i = 0; i < 2; i++) {
        (void)close(told[i]);
        (void)close(done[i]);
    }
}
