/* SPDX-License-Identifier: MIT */
/*
 * test_bad_input.c - directories that are not what they should be. Each case gets its code and a
 * text that names the path and the cause, and nothing on disk is changed: a picture of the
 * directory is compared byte by byte.
 */
#include "api/api_kit.h"
#include "api/files.h"

#include "base/hash.h"
#include "version/superblock.h"

#include <sched.h>
#include <sys/wait.h>

typedef struct scene {
    char dir[256];
    peat_options options;
    peat_test_options test;
    peat_error error;
} scene;

static int scene_new(void **state)
{
    scene *s = calloc(1, sizeof *s);
    files_new_dir(s->dir);
    s->test = (peat_test_options){.size = sizeof s->test};
    s->options =
        (peat_options){.size = sizeof s->options, .threads = PEAT_THREADS_NONE, .test = &s->test};
    *state = s;
    return 0;
}

static int scene_end(void **state)
{
    scene *s = *state;
    files_remove_dir(s->dir);
    (void)unlink(s->dir);
    free(s);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_new, scene_end)

/* A store with a table, a manifest and a log. */
static void make_store(scene *s)
{
    peat_db *db = NULL;
    char key[32], value[200];
    memset(value, 'v', sizeof value);
    assert_ok(peat_open(s->dir, &s->options, &db, NULL));
    for (int i = 0; i < 400; i++) {
        (void)snprintf(key, sizeof key, "key-%06d", i);
        assert_ok(peat_put(db, NULL, peat_str(key), peat_bytes(value, sizeof value)));
        if (i == 300)
            assert_ok(peat_flush(db));
    }
    assert_ok(peat_close(db));
}

/* The open fails so, its text says where and why, and nothing has changed. */
static void expect_refused(scene *s, peat_rc expected, const char *cause)
{
    peat_db *db = (peat_db *)(void *)s;
    picture before = files_look(s->dir);
    peat_rc rc = peat_open(s->dir, &s->options, &db, &s->error);
    if (rc != expected)
        fail_msg("expected %s, found %s: %s", peat_rc_name(expected), peat_rc_name(rc),
                 s->error.message);
    assert_ptr_equal(db, s); /* outputs are set only on success */
    assert_int_equal(s->error.rc, expected);
    if (strstr(s->error.message, s->dir) == NULL || strstr(s->error.message, cause) == NULL)
        fail_msg("the text does not name %s or \"%s\": %s", s->dir, cause, s->error.message);
    assert_null(strchr(s->error.message, '\n'));
    files_expect_same(s->dir, &before);
    files_forget(&before);
}

/* Both ways of opening. */
static void expect_refused_twice(scene *s, peat_rc expected, const char *cause)
{
    s->options.read_only = false;
    expect_refused(s, expected, cause);
    s->options.read_only = true;
    expect_refused(s, expected, cause);
    s->options.read_only = false;
}

static void expect_good(scene *s, int entries)
{
    peat_db *db = NULL;
    if (peat_open(s->dir, &s->options, &db, &s->error) != PEAT_OK)
        fail_msg("%s", s->error.message);
    assert_int_equal(count_all(db), entries);
    assert_ok(peat_close(db));
}

/* --- not a store
 * ---------------------------------------------------------------------------------- */

static void a_directory_with_other_things_is_no_store(void **state)
{
    scene *s = *state;
    assert_int_equal(mkdir(s->dir, 0700), 0);
    files_write(s->dir, "letter.txt", "Dear Anna,", 10);
    expect_refused_twice(s, PEAT_NOT_STORE, "letter.txt");
    assert_int_equal(peat_destroy(s->dir, &s->error), PEAT_NOT_STORE);
    assert_non_null(strstr(s->error.message, s->dir));
}

static void a_file_in_its_place_is_no_store(void **state)
{
    scene *s = *state;
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

static void a_missing_store_is_not_found_when_it_may_not_be_made(void **state)
{
    scene *s = *state;
    s->options.create = PEAT_CREATE_NEVER;
    expect_refused_twice(s, PEAT_NOT_FOUND, "");
    assert_int_not_equal(access(s->dir, F_OK), 0);
    assert_int_equal(mkdir(s->dir, 0700), 0);
    expect_refused_twice(s, PEAT_NOT_FOUND, "");
    assert_int_equal(peat_destroy("/nowhere/at/all", NULL), PEAT_NOT_FOUND);
}

static void only_the_last_part_of_the_path_is_made(void **state)
{
    scene *s = *state;
    (void)strcat(s->dir, "/deeper");
    expect_refused(s, PEAT_IO, "");
    assert_int_equal(s->error.os_errno, ENOENT);
}

static void a_link_to_a_file_in_place_of_the_superblock_is_refused(void **state)
{
    scene *s = *state;
    char path[400];
    make_store(s);
    (void)snprintf(path, sizeof path, "%s/PEAT", s->dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    picture before = files_look(s->dir);
    peat_db *db = NULL;
    assert_true(peat_open(s->dir, &s->options, &db, &s->error) < 0);
    files_expect_same(s->dir, &before);
    files_forget(&before);
}

/* --- another's store
 * ------------------------------------------------------------------------------ */

static void a_store_of_another_application_is_refused(void **state)
{
    scene *s = *state;
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

static void a_store_of_another_version_is_refused(void **state)
{
    scene *s = *state;
    make_store(s);
    set_version(s->dir, PT_FORMAT_VERSION + 1);
    expect_refused_twice(s, PEAT_VERSION, "version");
    set_version(s->dir, PT_FORMAT_VERSION);
    expect_good(s, 400);
}

static void a_store_that_is_there_already_is_refused_when_asked(void **state)
{
    scene *s = *state;
    s->options.error_if_exists = true;
    make_store(s);
    expect_refused(s, PEAT_EXISTS, "");
    s->options.error_if_exists = false;
    expect_good(s, 400);
}

/* --- damage
 * --------------------------------------------------------------------------------------- */

static void a_superblock_damaged_in_both_slots_is_corrupt(void **state)
{
    scene *s = *state;
    make_store(s);
    for (unsigned slot = 0; slot < PT_SUPERBLOCK_SLOTS; slot++)
        files_flip(s->dir, "PEAT", (size_t)slot * PT_SUPERBLOCK_SLOT_BYTES + 20);
    expect_refused_twice(s, PEAT_CORRUPT, "PEAT");
    for (unsigned slot = 0; slot < PT_SUPERBLOCK_SLOTS; slot++)
        files_flip(s->dir, "PEAT", (size_t)slot * PT_SUPERBLOCK_SLOT_BYTES + 20);
    expect_good(s, 400);
}

static void one_damaged_slot_is_survived(void **state)
{
    scene *s = *state;
    make_store(s);
    files_flip(s->dir, "PEAT", 20);
    expect_good(s, 400);
    files_flip(s->dir, "PEAT", PT_SUPERBLOCK_SLOT_BYTES + 20);
    expect_good(s, 400);
}

static void an_empty_superblock_beside_tables_is_corrupt(void **state)
{
    scene *s = *state;
    make_store(s);
    files_write(s->dir, "PEAT", "", 0);
    expect_refused_twice(s, PEAT_CORRUPT, "PEAT");
}

static void a_missing_superblock_beside_tables_is_no_new_store(void **state)
{
    scene *s = *state;
    char path[400];
    make_store(s);
    (void)snprintf(path, sizeof path, "%s/PEAT", s->dir);
    assert_int_equal(unlink(path), 0);
    picture before = files_look(s->dir);
    peat_db *db = NULL;
    peat_rc rc = peat_open(s->dir, &s->options, &db, &s->error);
    if (rc != PEAT_CORRUPT && rc != PEAT_NOT_STORE)
        fail_msg("found %s: %s", peat_rc_name(rc), s->error.message);
    assert_non_null(strstr(s->error.message, "PEAT"));
    files_expect_same(s->dir, &before);
    files_forget(&before);
}

static void a_missing_table_is_corrupt_and_named(void **state)
{
    scene *s = *state;
    char path[400];
    make_store(s);
    picture p = files_look(s->dir);
    const char *name = files_find(&p, "t-");
    (void)snprintf(path, sizeof path, "%s/%s", s->dir, name);
    assert_int_equal(unlink(path), 0);
    expect_refused_twice(s, PEAT_CORRUPT, name);
    files_forget(&p);
}

static void a_shortened_table_is_corrupt_and_named(void **state)
{
    scene *s = *state;
    char path[400];
    make_store(s);
    picture p = files_look(s->dir);
    const char *name = files_find(&p, "t-");
    (void)snprintf(path, sizeof path, "%s/%s", s->dir, name);
    assert_int_equal(truncate(path, 4096), 0);
    expect_refused_twice(s, PEAT_CORRUPT, name);
    files_forget(&p);
}

static void a_missing_manifest_is_corrupt_and_named(void **state)
{
    scene *s = *state;
    char path[400];
    make_store(s);
    picture p = files_look(s->dir);
    const char *name = files_find(&p, "m-");
    (void)snprintf(path, sizeof path, "%s/%s", s->dir, name);
    assert_int_equal(unlink(path), 0);
    expect_refused_twice(s, PEAT_CORRUPT, name);
    files_forget(&p);
}

static bool note_damage(void *ctx, const peat_damage *damage)
{
    char *text = ctx;
    (void)snprintf(text, 400, "%s %s", damage->file, damage->message);
    return true;
}

/* Other keys are readable, the damaged ones never read as absent. */
static void a_damaged_table_is_told_with_file_and_offset(void **state)
{
    scene *s = *state;
    char key[32], text[400] = "";
    peat_db *db = NULL;
    peat_buf buf = PEAT_BUF_INIT;
    int corrupt = 0, ok = 0;
    s->test.block_bytes = 1024;
    s->options.compression = PEAT_COMPRESSION_NONE;
    make_store(s);
    picture p = files_look(s->dir);
    const char *name = files_find(&p, "t-");
    files_flip(s->dir, name, 9000);
    assert_ok(peat_open(s->dir, &s->options, &db, NULL));
    for (int i = 0; i < 400; i++) {
        (void)snprintf(key, sizeof key, "key-%06d", i);
        peat_rc rc = peat_get(db, NULL, peat_str(key), &buf);
        assert_true(rc == PEAT_OK || rc == PEAT_CORRUPT);
        ok += rc == PEAT_OK;
        corrupt += rc == PEAT_CORRUPT;
    }
    assert_true(corrupt > 0 && ok > corrupt);
    assert_int_equal(peat_db_error(db, &s->error), PEAT_CORRUPT);
    assert_non_null(strstr(s->error.message, name));
    peat_check_options check = {.size = sizeof check, .damage_fn = note_damage, .damage_ctx = text};
    peat_check_report report = {.size = sizeof report};
    assert_int_equal(peat_check(db, &check, &report), PEAT_CORRUPT);
    assert_true(report.damages >= 1);
    assert_non_null(strstr(text, name));
    assert_true(stats_of(db).damages > 0);
    peat_buf_free(&buf);
    assert_ok(peat_close(db));
    files_forget(&p);
}

/* --- open elsewhere
 * ------------------------------------------------------------------------------- */

static void a_second_open_in_this_process_is_busy(void **state)
{
    scene *s = *state;
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

static void an_open_by_another_process_is_busy_and_names_it(void **state)
{
    scene *s = *state;
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

/* --- rights and room
 * ------------------------------------------------------------------------------ */

/* On a simulated disk, so that it also holds for root. */
static void a_directory_without_permission_says_so(void **state)
{
    kit *k = *state;
    sim_fault_add(
        k->sim,
        (sim_fault){.kinds = SIM_BIT(SIM_DIR_OPEN), .at = 1, .error = EACCES, .sticky = true});
    assert_int_equal(kit_open(k), PEAT_IO);
    assert_int_equal(k->error.os_errno, EACCES);
    assert_non_null(strstr(k->error.message, "store"));
    assert_non_null(strstr(k->error.message, strerror(EACCES)));
    sim_faults_clear(k->sim);
    kit_must_open(k);
}

static void a_file_without_permission_is_named(void **state)
{
    kit *k = *state;
    kit_must_open(k);
    put(k, "a", "1");
    kit_close(k);
    sim_fault_add(k->sim, (sim_fault){.kinds = SIM_BIT(SIM_FILE_OPEN),
                                      .at = 1,
                                      .error = EACCES,
                                      .sticky = true,
                                      .name_prefix = "m-"});
    assert_int_equal(kit_open(k), PEAT_IO);
    assert_int_equal(k->error.os_errno, EACCES);
    assert_non_null(strstr(k->error.message, "m-"));
    sim_faults_clear(k->sim);
    kit_must_open(k);
    expect_get(k, "a", "1");
}

static void a_read_only_file_system_opens_read_only(void **state)
{
    kit *k = *state;
    kit_must_open(k);
    put(k, "a", "1");
    kit_close(k);
    sim_read_only(k->sim, true);
    assert_int_equal(kit_open(k), PEAT_READ_ONLY);
    assert_non_null(strstr(k->error.message, "store"));
    assert_non_null(strstr(k->error.message, "read-only"));
    k->options.read_only = true;
    kit_must_open(k);
    expect_get(k, "a", "1");
    kit_close(k);
    k->options.read_only = false;
    sim_read_only(k->sim, false);
    kit_must_open(k);
    expect_get(k, "a", "1");
}

static void a_new_store_on_a_read_only_file_system_is_refused(void **state)
{
    kit *k = *state;
    sim_read_only(k->sim, true);
    assert_int_equal(kit_open(k), PEAT_READ_ONLY);
    sim_read_only(k->sim, false);
    kit_must_open(k);
}

static void a_full_disk_refuses_a_new_store_and_leaves_none(void **state)
{
    kit *k = *state;
    sim_limit_disk(k->sim, 1);
    assert_int_equal(kit_open(k), PEAT_FULL);
    assert_non_null(strstr(k->error.message, "store"));
    sim_limit_disk(k->sim, 0);
    kit_must_open(k);
    assert_int_equal(count_all(k->db), 0);
}

static void a_full_disk_refuses_writes_and_takes_them_again_later(void **state)
{
    kit *k = *state;
    make_tiny(k);
    kit_must_open(k);
    put_many(k, 200, 100);
    sim_limit_disk(k->sim, sim_disk_bytes(k->sim) + (64 << 10));
    char value[1000], key[32];
    int written = 0;
    peat_rc rc = PEAT_OK;
    memset(value, 'v', sizeof value);
    for (int i = 0; i < 5000 && rc == PEAT_OK; i++) {
        (void)snprintf(key, sizeof key, "more-%06d", i);
        rc = peat_put(k->db, NULL, peat_str(key), peat_bytes(value, sizeof value));
        written += rc == PEAT_OK;
    }
    assert_int_equal(rc, PEAT_FULL);
    assert_ok(peat_get(k->db, NULL, peat_str("key-000000"), &k->buf)); /* reads go on */
    assert_int_equal(k->buf.size, 102);
    assert_int_equal(count_all(k->db), 200 + written);
    sim_limit_disk(k->sim, 0);
    put(k, "after", "there is room"); /* and writes resume by themselves */
    kit_reopen(k);
    assert_int_equal(count_all(k->db), 201 + written);
    expect_get(k, "after", "there is room");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_directory_with_other_things_is_no_store),
        TEST(a_file_in_its_place_is_no_store),
        TEST(a_missing_store_is_not_found_when_it_may_not_be_made),
        TEST(only_the_last_part_of_the_path_is_made),
        TEST(a_link_to_a_file_in_place_of_the_superblock_is_refused),
        TEST(a_store_of_another_application_is_refused),
        TEST(a_store_of_another_version_is_refused),
        TEST(a_store_that_is_there_already_is_refused_when_asked),
        TEST(a_superblock_damaged_in_both_slots_is_corrupt),
        TEST(one_damaged_slot_is_survived),
        TEST(an_empty_superblock_beside_tables_is_corrupt),
        TEST(a_missing_superblock_beside_tables_is_no_new_store),
        TEST(a_missing_table_is_corrupt_and_named),
        TEST(a_shortened_table_is_corrupt_and_named),
        TEST(a_missing_manifest_is_corrupt_and_named),
        TEST(a_damaged_table_is_told_with_file_and_offset),
        TEST(a_second_open_in_this_process_is_busy),
        TEST(an_open_by_another_process_is_busy_and_names_it),
        TEST_NEW(a_directory_without_permission_says_so),
        TEST_NEW(a_file_without_permission_is_named),
        TEST_NEW(a_read_only_file_system_opens_read_only),
        TEST_NEW(a_new_store_on_a_read_only_file_system_is_refused),
        TEST_NEW(a_full_disk_refuses_a_new_store_and_leaves_none),
        TEST_NEW(a_full_disk_refuses_writes_and_takes_them_again_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
