/* SPDX-License-Identifier: MIT */
/*
 * posix_fixture.h - the real environment in a directory of its own that goes away with the test.
 * Included by one .c file of a program. CASE also proves that no descriptor stays open.
 */
#ifndef TEST_ENV_POSIX_FIXTURE_H
#define TEST_ENV_POSIX_FIXTURE_H

#include "peat_env.h"
#include "world/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct fixture {
    const peat_env *env;
    char root[200]; /* a fresh directory */
    peat_env_dir *dir;
    unsigned descriptors; /* open before the test */
} fixture;

static inline unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

static inline int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    f->env = peat_env_default();
    f->descriptors = open_descriptors();
    (void)snprintf(f->root, sizeof f->root, "%s/peat-env-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->root));
    assert_int_equal(f->env->dir_open(f->env->ctx, f->root, 0, &f->dir), 0);
    *state = f;
    return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int tear_down(void **state)
{
    fixture *f = *state;
    f->env->dir_close(f->env->ctx, f->dir);
    (void)nftw(f->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    unsigned now = open_descriptors();
    if (now != f->descriptors)
        print_error("%u descriptors before, %u after\n", f->descriptors, now);
    bool leaked = now != f->descriptors;
    free(f);
    return leaked;
}

/* `name` inside the test's directory. */
static inline const char *path_of(const fixture *f, const char *name)
{
    static char path[300];
    (void)snprintf(path, sizeof path, "%s/%s", f->root, name);
    return path;
}

static inline peat_env_file *make(fixture *f, const char *name)
{
    peat_env_file *file = NULL;
    assert_int_equal(f->env->file_open(f->env->ctx, f->dir, name,
                                       PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE, &file),
                     0);
    return file;
}

static inline int open_file(fixture *f, const char *name, unsigned flags)
{
    peat_env_file *file = NULL;
    int e = f->env->file_open(f->env->ctx, f->dir, name, flags, &file);
    if (e == 0)
        f->env->file_close(f->env->ctx, file);
    else
        assert_null(file);
    return e;
}

#define TEST_F(name) TEST_WITH(name, fixture *f, set_up, tear_down)

#endif
