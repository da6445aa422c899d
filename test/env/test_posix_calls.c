/* SPDX-License-Identifier: MIT */
/*
 * test_posix_calls.c - the real environment when system calls are interrupted, short or refused.
 *
 * The program defines the calls itself, in front of the C library's, and passes them on with
 * syscall(2) unless a script of errors says otherwise.
 */
#include "env/posix_fixture.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>

typedef enum call {
    PREAD,
    PWRITE,
    FSYNC,
    FDATASYNC,
    FALLOCATE,
    GETRANDOM,
    MADVISE,
    SLEEP,
    FTRUNCATE,
    FCNTL_LOCK,
    CALLS
} call;

#define SHORT (-1) /* do one byte */
#define NONE  (-2) /* answer 0 */

static struct {
    int script[CALLS][4]; /* errno, SHORT, NONE; 0: as the system does */
    unsigned calls[CALLS];
    struct stat synced; /* what the last fsync was of */
    char unlink_at_lock[300];
} wire;

static int next_of(call c)
{
    unsigned n = wire.calls[c]++;
    int e = n < 4 ? wire.script[c][n] : 0;
    if (e > 0)
        errno = e;
    return e;
}

ssize_t pread(int fd, void *buf, size_t n, off_t offset)
{
    int e = next_of(PREAD);
    return e > 0 ? -1 : syscall(SYS_pread64, fd, buf, e == SHORT ? 1 : n, offset);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    int e = next_of(PWRITE);
    if (e == NONE)
        return 0;
    return e > 0 ? -1 : syscall(SYS_pwrite64, fd, buf, e == SHORT ? 1 : n, offset);
}

int fsync(int fd)
{
    if (fstat(fd, &wire.synced) != 0)
        return -1;
    return next_of(FSYNC) > 0 ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return next_of(FDATASYNC) > 0 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fallocate(int fd, int mode, off_t offset, off_t n)
{
    return next_of(FALLOCATE) > 0 ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, n);
}

int ftruncate(int fd, off_t size)
{
    return next_of(FTRUNCATE) > 0 ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

ssize_t getrandom(void *buf, size_t n, unsigned flags)
{
    int e = next_of(GETRANDOM);
    return e > 0 ? -1 : syscall(SYS_getrandom, buf, e == SHORT ? 1 : n, flags);
}

int madvise(void *p, size_t n, int advice)
{
    if (advice != MADV_DONTNEED)
        return (int)syscall(SYS_madvise, p, n, advice);
    return next_of(MADVISE) > 0 ? -1 : (int)syscall(SYS_madvise, p, n, advice);
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    int e = next_of(SLEEP);
    if (left != NULL)
        *left = *wanted;
    return e > 0 ? -1 : 0; /* time itself is not what is tested */
}

int fcntl(int fd, int cmd, ...)
{
    va_list args;
    va_start(args, cmd);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (cmd == F_OFD_SETLK) {
        if (wire.unlink_at_lock[0] != '\0' && wire.calls[FCNTL_LOCK] == 0)
            (void)unlink(wire.unlink_at_lock);
        if (next_of(FCNTL_LOCK) > 0)
            return -1;
    }
    return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

static void script(call c, int first, int second, int third)
{
    memset(&wire.script[c], 0, sizeof wire.script[c]);
    wire.script[c][0] = first;
    wire.script[c][1] = second;
    wire.script[c][2] = third;
    wire.calls[c] = 0;
}

static int set_up_wire(void **state)
{
    memset(&wire, 0, sizeof wire);
    return set_up(state);
}

#define TEST_WIRED(name) TEST_WITH(name, fixture *f, set_up_wire, tear_down)

TEST_WIRED(reads_and_writes_go_on_after_interrupts_and_short_counts)
{
    peat_env_file *file = make(f, "x");
    char buf[6] = {0};
    size_t n = 0;
    script(PWRITE, EINTR, SHORT, EINTR);
    assert_int_equal(f->env->file_write(f->env->ctx, file, 0, "hello", 5), 0);
    assert_int_equal(wire.calls[PWRITE], 4);
    script(PREAD, EINTR, SHORT, EINTR);
    assert_int_equal(f->env->file_read(f->env->ctx, file, 0, buf, 5, &n), 0);
    assert_int_equal(wire.calls[PREAD], 4);
    assert_int_equal(n, 5);
    assert_string_equal(buf, "hello");
    f->env->file_close(f->env->ctx, file);
}

TEST_WIRED(other_errors_come_up_at_once)
{
    peat_env_file *file = make(f, "x");
    char c = 'a';
    size_t n = 0;
    script(PWRITE, SHORT, ENOSPC, 0);
    assert_int_equal(f->env->file_write(f->env->ctx, file, 0, "hello", 5), ENOSPC);
    script(PWRITE, NONE, 0, 0);
    assert_int_equal(f->env->file_write(f->env->ctx, file, 0, "hello", 5), EIO);
    assert_int_equal(wire.calls[PWRITE], 1);
    script(PREAD, EIO, 0, 0);
    assert_int_equal(f->env->file_read(f->env->ctx, file, 0, &c, 1, &n), EIO);
    assert_int_equal(wire.calls[PREAD], 1);
    f->env->file_close(f->env->ctx, file);
}

TEST_WIRED(a_sync_is_repeated_after_an_interrupt_but_never_after_an_error)
{
    peat_env_file *file = make(f, "x");
    script(FDATASYNC, EINTR, EINTR, 0);
    assert_int_equal(f->env->file_sync(f->env->ctx, file), 0);
    assert_int_equal(wire.calls[FDATASYNC], 3);
    script(FDATASYNC, EIO, 0, 0);
    assert_int_equal(f->env->file_sync(f->env->ctx, file), EIO);
    assert_int_equal(wire.calls[FDATASYNC], 1);
    script(FSYNC, EINTR, EIO, 0);
    assert_int_equal(f->env->dir_sync(f->env->ctx, f->dir), EIO);
    assert_int_equal(wire.calls[FSYNC], 2);
    script(FSYNC, EINVAL, 0, 0); /* a file system without directory syncs */
    assert_int_equal(f->env->dir_sync(f->env->ctx, f->dir), 0);
    f->env->file_close(f->env->ctx, file);
}

TEST_WIRED(making_a_directory_syncs_its_parent)
{
    struct stat root;
    peat_env_dir *dir = NULL;
    assert_int_equal(stat(f->root, &root), 0);
    for (int again = 0; again < 2; again++) { /* its maker may not have got that far */
        memset(&wire.synced, 0, sizeof wire.synced);
        assert_int_equal(
            f->env->dir_open(f->env->ctx, path_of(f, "sub/"), PEAT_ENV_DIR_CREATE, &dir), 0);
        assert_true(wire.synced.st_ino == root.st_ino && wire.synced.st_dev == root.st_dev);
        f->env->dir_close(f->env->ctx, dir);
    }
    script(FSYNC, EIO, 0, 0);
    assert_int_equal(f->env->dir_open(f->env->ctx, path_of(f, "sub"), PEAT_ENV_DIR_CREATE, &dir),
                     EIO);
    script(FSYNC, 0, 0, 0);
    assert_int_equal(f->env->dir_open(f->env->ctx, path_of(f, "sub"), 0, &dir), 0);
    assert_int_equal(wire.calls[FSYNC], 0); /* a read-only open syncs nothing */
    f->env->dir_close(f->env->ctx, dir);
}

TEST_WIRED(allocation_and_truncation_pass_their_errors_up)
{
    static const struct {
        int system, expected;
    } cases[] = {{EOPNOTSUPP, EOPNOTSUPP}, {ENOSYS, EOPNOTSUPP}, {ENOSPC, ENOSPC}};
    peat_env_file *file = make(f, "x");
    uint64_t size = 0;
    for (size_t i = 0; i < 3; i++) {
        script(FALLOCATE, cases[i].system, 0, 0);
        assert_int_equal(f->env->file_allocate(f->env->ctx, file, 0, 4096), cases[i].expected);
        assert_int_equal(wire.calls[FALLOCATE], 1);
    }
    assert_int_equal(f->env->file_size(f->env->ctx, file, &size), 0);
    assert_int_equal(size, 0); /* nobody wrote zeroes instead */
    script(FALLOCATE, EINTR, EOPNOTSUPP, 0);
    assert_int_equal(f->env->file_allocate(f->env->ctx, file, 0, 4096), EOPNOTSUPP);
    assert_int_equal(wire.calls[FALLOCATE], 2);
    script(FTRUNCATE, EINTR, 0, 0);
    assert_int_equal(f->env->file_truncate(f->env->ctx, file, 10), 0);
    script(FTRUNCATE, EIO, 0, 0);
    assert_int_equal(f->env->file_truncate(f->env->ctx, file, 20), EIO);
    f->env->file_close(f->env->ctx, file);
}

TEST_WIRED(random_bytes_come_without_getrandom_too)
{
    static const int first[] = {0, EINTR, SHORT, ENOSYS, EPERM};
    uint8_t drawn[5][300];
    for (size_t i = 0; i < 5; i++) {
        memset(drawn[i], 0, sizeof drawn[i]);
        script(GETRANDOM, first[i], first[i], 0);
        assert_int_equal(f->env->random(f->env->ctx, drawn[i], sizeof drawn[i]), 0);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(drawn[i], drawn[k], sizeof drawn[i]);
        assert_memory_not_equal(drawn[i] + 284, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    }
}

TEST_WIRED(a_sleep_is_taken_up_again_after_an_interrupt)
{
    script(SLEEP, EINTR, EINTR, 0);
    f->env->sleep_ns(f->env->ctx, 5);
    assert_int_equal(wire.calls[SLEEP], 3);
}

TEST_WIRED(a_lock_file_that_is_swapped_is_locked_again)
{
    peat_env_lock *lock = NULL, *other = NULL;
    int64_t pid = 0;
    (void)snprintf(wire.unlink_at_lock, sizeof wire.unlink_at_lock, "%s", path_of(f, "LOCK"));
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", false, &lock, &pid), 0);
    assert_int_equal(wire.calls[FCNTL_LOCK], 2);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", false, &other, &pid),
                     EWOULDBLOCK);
    f->env->dir_unlock(f->env->ctx, lock);
}

TEST_WIRED(a_lock_does_not_need_room_for_the_pid)
{
    peat_env_lock *lock = NULL, *other = NULL;
    int64_t pid = -1;
    script(PWRITE, ENOSPC, 0, 0);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", false, &lock, &pid), 0);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", false, &other, &pid),
                     EWOULDBLOCK);
    assert_int_equal(pid, 0);
    f->env->dir_unlock(f->env->ctx, lock);
    script(FCNTL_LOCK, EINTR, ENOLCK, 0);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "LOCK", false, &lock, &pid), ENOLCK);
}
