/* SPDX-License-Identifier: MIT */
/*
 * scene.h - a directory that is not as it should be, or a store that becomes such: an open gets its
 * code and a text that names the path and the cause, and nothing on disk is changed, which a
 * picture of the directory shows byte by byte. Included by one .c file of a program.
 */
#ifndef TEST_API_SCENE_H
#define TEST_API_SCENE_H

#include "world/kit.h"
#include "world/files.h"

typedef struct scene {
    char dir[256];
    peat_options options;
    peat_test_options test;
    peat_error error;
} scene;

static inline int scene_new(void **state)
{
    scene *s = calloc(1, sizeof *s);
    files_new_dir(s->dir);
    s->test = (peat_test_options){.size = sizeof s->test};
    s->options =
        (peat_options){.size = sizeof s->options, .threads = PEAT_THREADS_NONE, .test = &s->test};
    *state = s;
    return 0;
}

static inline int scene_end(void **state)
{
    scene *s = *state;
    files_remove_dir(s->dir);
    (void)unlink(s->dir);
    free(s);
    return 0;
}

#define TEST_SCENE(name) TEST_WITH(name, scene *s, scene_new, scene_end)

/* A store with a table, a manifest and a log. */
static inline void make_store(scene *s)
{
    peat_db *db = NULL;
    char value[200];
    memset(value, 'v', sizeof value);
    assert_ok(peat_open(s->dir, &s->options, &db, NULL));
    for (int i = 0; i < 400; i++) {
        assert_ok(peat_put(db, NULL, nth_key(i), peat_bytes(value, sizeof value)));
        if (i == 300)
            assert_ok(peat_flush(db));
    }
    assert_ok(peat_close(db));
}

/* Removes the file; where it was. */
static inline void scene_unlink(const scene *s, const char *name, char ret_path[400])
{
    (void)snprintf(ret_path, 400, "%s/%s", s->dir, name);
    assert_int_equal(unlink(ret_path), 0);
}

/* The file of the store whose name begins so. */
static inline void scene_find(const scene *s, const char *prefix, char ret_name[64],
                              char ret_path[400])
{
    picture p = files_look(s->dir);
    (void)snprintf(ret_name, 64, "%s", files_find(&p, prefix));
    (void)snprintf(ret_path, 400, "%s/%s", s->dir, ret_name);
    files_forget(&p);
}

/* The open fails so, its text says where and why, and nothing has changed. */
static inline void expect_refused(scene *s, peat_rc expected, const char *cause)
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

/* The open fails in whatever way, and nothing has changed. */
static inline peat_rc refused_unchanged(scene *s)
{
    peat_db *db = NULL;
    picture before = files_look(s->dir);
    peat_rc rc = peat_open(s->dir, &s->options, &db, &s->error);
    assert_true(rc < 0);
    assert_null(db);
    files_expect_same(s->dir, &before);
    files_forget(&before);
    return rc;
}

/* Both ways of opening. */
static inline void expect_refused_twice(scene *s, peat_rc expected, const char *cause)
{
    s->options.read_only = false;
    expect_refused(s, expected, cause);
    s->options.read_only = true;
    expect_refused(s, expected, cause);
    s->options.read_only = false;
}

static inline void expect_good(scene *s, int entries)
{
    peat_db *db = NULL;
    if (peat_open(s->dir, &s->options, &db, &s->error) != PEAT_OK)
        fail_msg("%s", s->error.message);
    assert_int_equal(count_all(db), entries);
    assert_ok(peat_close(db));
}

#endif
