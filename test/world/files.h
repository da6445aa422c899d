/* SPDX-License-Identifier: MIT */
/*
 * files.h - real directories for tests about what is on disk: a place of its own per program,
 * pictures of a directory before and after, and small surgery on files. Included by one .c file of
 * a program.
 */
#ifndef TEST_WORLD_FILES_H
#define TEST_WORLD_FILES_H

#include "world/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 64

typedef struct picture {
    size_t count;
    struct {
        char name[64];
        size_t size;
        mode_t mode;
        uint8_t *bytes;
    } file[FILES_MAX];
} picture;

/* A fresh directory's name; it does not exist yet. */
static inline void files_new_dir(char ret_path[256])
{
    static unsigned number;
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(ret_path, 256, "%.150s/peat-api-%d-%u", tmp ? tmp : "/tmp", (int)getpid(),
                   number++);
}

static inline int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static inline uint8_t *files_read(const char *path, size_t *ret_size)
{
    FILE *in = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t n = 0, capacity = 0, got;
    *ret_size = 0;
    if (in == NULL)
        return NULL;
    do {
        if (capacity - n < 4096)
            bytes = realloc(bytes, capacity = 2 * capacity + 8192);
        got = fread(bytes + n, 1, capacity - n, in);
        n += got;
    } while (got != 0);
    (void)fclose(in);
    *ret_size = n;
    return bytes;
}

static inline void files_write(const char *dir, const char *name, const void *bytes, size_t size)
{
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

static inline picture files_look(const char *dir)
{
    picture p = {0};
    struct dirent **names;
    int n = scandir(dir, &names, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char path[600];
        struct stat st;
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && p.count < FILES_MAX && lstat(path, &st) == 0) {
            (void)snprintf(p.file[p.count].name, sizeof p.file[p.count].name, "%.60s",
                           names[i]->d_name);
            p.file[p.count].mode = st.st_mode;
            if (S_ISREG(st.st_mode))
                p.file[p.count].bytes = files_read(path, &p.file[p.count].size);
            p.count++;
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return p;
}

static inline void files_forget(picture *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->file[i].bytes);
    p->count = 0;
}

/* Names, kinds and bytes are the same as in the picture; the lock file, which holds a pid, aside.
 */
static inline void files_expect_same(const char *dir, const picture *before)
{
    picture now = files_look(dir);
    size_t b = 0, n = 0;
    for (;;) {
        while (b < before->count && strcmp(before->file[b].name, "LOCK") == 0)
            b++;
        while (n < now.count && strcmp(now.file[n].name, "LOCK") == 0)
            n++;
        if (b == before->count || n == now.count)
            break;
        assert_string_equal(now.file[n].name, before->file[b].name);
        assert_int_equal(now.file[n].mode, before->file[b].mode);
        assert_int_equal(now.file[n].size, before->file[b].size);
        if (now.file[n].size != 0)
            assert_memory_equal(now.file[n].bytes, before->file[b].bytes, now.file[n].size);
        b++;
        n++;
    }
    if (b != before->count || n != now.count)
        fail_msg("%s: %s", b != before->count ? before->file[b].name : now.file[n].name,
                 b != before->count ? "is gone" : "is new");
    files_forget(&now);
}

static inline void files_remove_dir(const char *dir)
{
    picture p = files_look(dir);
    for (size_t i = 0; i < p.count; i++) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", dir, p.file[i].name);
        (void)unlink(path);
    }
    files_forget(&p);
    (void)rmdir(dir);
}

/* The first file whose name begins so. */
static inline const char *files_find(const picture *p, const char *prefix)
{
    for (size_t i = 0; i < p->count; i++)
        if (strncmp(p->file[i].name, prefix, strlen(prefix)) == 0)
            return p->file[i].name;
    fail_msg("no file %s...", prefix);
    return NULL;
}

static inline void files_flip(const char *dir, const char *name, size_t offset)
{
    char path[400];
    uint8_t byte;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    assert_int_equal(close(fd), 0);
}

#endif
