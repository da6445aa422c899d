/* SPDX-License-Identifier: MIT */
/* file_store of the real system: what it stores is in the file, and what it may not store it
 * refuses. */
#include "env/posix_fixture.h"

#include <linux/magic.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define FILE_BYTES ((uint64_t)4 << 20)
#define PIECE      100u

static peat_env_file *allocated_file(fixture *f, const char *name)
{
    peat_env_file *file = make(f, name);
    assert_int_equal(f->env->file_allocate(f->env->ctx, file, 0, FILE_BYTES), 0);
    return file;
}

static void piece_of(uint64_t offset, uint8_t ret_piece[PIECE])
{
    for (unsigned i = 0; i < PIECE; i++)
        ret_piece[i] = (uint8_t)((offset + i) * 31 % 251 + 1);
}

/* Stores or writes pieces one behind the other; returns how many were stored. */
static uint64_t fill(const peat_env *env, peat_env_file *file, uint64_t from, uint64_t to)
{
    uint64_t stored = 0;
    for (uint64_t at = from; at + PIECE <= to; at += PIECE) {
        uint8_t piece[PIECE];
        piece_of(at, piece);
        int e = env->file_store(env->ctx, file, at, piece, sizeof piece);
        stored += e == 0;
        if (e == EOPNOTSUPP)
            e = env->file_write(env->ctx, file, at, piece, sizeof piece);
        assert_int_equal(e, 0);
    }
    return stored;
}

static void assert_filled(const peat_env *env, peat_env_file *file, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at + PIECE <= to; at += PIECE) {
        uint8_t want[PIECE], got[PIECE];
        size_t n = 0;
        piece_of(at, want);
        assert_int_equal(env->file_read(env->ctx, file, at, got, sizeof got, &n), 0);
        assert_int_equal(n, sizeof got);
        assert_memory_equal(got, want, sizeof got);
    }
}

TEST_F(what_is_stored_is_in_the_file)
{
    peat_env_file *file = allocated_file(f, "a");
    (void)fill(f->env, file, 0, FILE_BYTES);
    assert_filled(f->env, file, 0, FILE_BYTES);
    assert_int_equal(f->env->file_sync(f->env->ctx, file), 0);
    assert_filled(f->env, file, 0, FILE_BYTES);
    f->env->file_close(f->env->ctx, file);
    assert_int_equal(f->env->file_open(f->env->ctx, f->dir, "a", 0, &file), 0);
    assert_filled(f->env, file, 0, FILE_BYTES);
    f->env->file_close(f->env->ctx, file);
}

TEST_F(a_killed_process_leaves_what_it_stored)
{
    peat_env_file *file = allocated_file(f, "a");
    pid_t child = fork();
    if (child == 0) {
        (void)fill(f->env, file, 0, FILE_BYTES);
        (void)kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_filled(f->env, file, 0, FILE_BYTES);
    f->env->file_close(f->env->ctx, file);
}

TEST_F(a_sync_between_stores_changes_nothing)
{
    peat_env_file *file = allocated_file(f, "a");
    const uint64_t step = (uint64_t)1000 * PIECE, end = FILE_BYTES / step * step;
    for (uint64_t at = 0; at < end; at += step) {
        (void)fill(f->env, file, at, at + step);
        assert_int_equal(f->env->file_sync(f->env->ctx, file), 0);
    }
    assert_filled(f->env, file, 0, end);
    f->env->file_close(f->env->ctx, file);
}

/* Stores past the end of a file would be signals. */
TEST_F(what_has_no_page_is_refused)
{
    peat_env_file *file = allocated_file(f, "a");
    uint8_t big[8192] = {0}, piece[PIECE] = {0};
    (void)fill(f->env, file, 0, FILE_BYTES / 2);
    assert_int_equal(f->env->file_store(f->env->ctx, file, FILE_BYTES / 2, big, sizeof big),
                     EOPNOTSUPP);
    assert_int_equal(f->env->file_store(f->env->ctx, file, FILE_BYTES - 1, piece, sizeof piece),
                     EOPNOTSUPP);
    assert_int_equal(f->env->file_store(f->env->ctx, file, FILE_BYTES * 4, piece, sizeof piece),
                     EOPNOTSUPP);
    f->env->file_close(f->env->ctx, file);
}

TEST_F(a_slow_writer_is_sent_to_file_write)
{
    peat_env_file *file = allocated_file(f, "a");
    uint8_t piece[PIECE] = {0};
    /* the first store of a file has no stream before it */
    assert_int_equal(f->env->file_store(f->env->ctx, file, 0, piece, sizeof piece), EOPNOTSUPP);
    for (uint64_t at = 0; at < 20; at++) {
        assert_int_equal(f->env->file_sync(f->env->ctx, file), 0);
        assert_int_equal(f->env->file_store(f->env->ctx, file, at * PIECE, piece, sizeof piece),
                         EOPNOTSUPP);
    }
    f->env->file_close(f->env->ctx, file);
}

/* Populating pages came with Linux 5.14. */
static bool can_populate(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    bool can = madvise(p, page, 23) == 0;
    assert_int_equal(munmap(p, page), 0);
    return can;
}

TEST_F(a_stream_is_stored_where_the_file_system_is_known)
{
    struct statfs fs;
    assert_int_equal(statfs(f->root, &fs), 0);
    if ((fs.f_type != EXT4_SUPER_MAGIC && fs.f_type != TMPFS_MAGIC) || !can_populate())
        skip();
    peat_env_file *file = allocated_file(f, "a");
    uint64_t stored = 0;
    for (unsigned pass = 0; stored == 0 && pass < 100; pass++)
        stored += fill(f->env, file, 0, FILE_BYTES);
    assert_true(stored > 0);
    f->env->file_close(f->env->ctx, file);
}
