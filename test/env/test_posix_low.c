/* SPDX-License-Identifier: MIT */
/*
 * test_posix_low.c - the real environment in a program that has closed its standard descriptors:
 * none of the library's is 0, 1 or 2.
 *
 * The program defines openat and fcntl itself, in front of the C library's, and passes them on with
 * syscall(2): to see what every call got, to close a low descriptor at the wrong moment, and to
 * refuse a copy. Nothing is asserted while descriptors are closed: cmocka would print into nothing.
 */
#include "env/posix_fixture.h"

#include <sys/random.h>
#include <sys/syscall.h>

#define LOW 3

static struct {
    int saved[LOW];         /* the program's own, above */
    unsigned low_writable;  /* opens for writing that got a low number */
    int close_before_open;  /* closed inside openat, as another thread would; 0: none */
    int put_before_open;    /* put there in the same way, from saved[1] */
    int copy_error;         /* what F_DUPFD_CLOEXEC answers */
    unsigned copies_before; /* so many first succeed */
    bool no_getrandom;
} wire;

int openat(int dir_fd, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = va_arg(args, int);
    va_end(args);
    if (wire.close_before_open != 0)
        (void)close(wire.close_before_open);
    if (wire.put_before_open != 0)
        (void)dup2(wire.saved[1], wire.put_before_open);
    int fd = (int)syscall(SYS_openat, dir_fd, path, flags, mode);
    wire.low_writable += fd >= 0 && fd < LOW && (flags & O_ACCMODE) != O_RDONLY;
    return fd;
}

int fcntl(int fd, int cmd, ...)
{
    va_list args;
    va_start(args, cmd);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (cmd == F_DUPFD_CLOEXEC && wire.copy_error != 0 && wire.copies_before-- == 0) {
        errno = wire.copy_error;
        return -1;
    }
    return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

ssize_t getrandom(void *buf, size_t n, unsigned flags)
{
    if (!wire.no_getrandom)
        return syscall(SYS_getrandom, buf, n, flags);
    errno = ENOSYS;
    return -1;
}

static int set_up_low(void **state)
{
    memset(&wire, 0, sizeof wire);
    return set_up(state);
}

static void close_standard(void)
{
    (void)fflush(NULL);
    for (int fd = 0; fd < LOW; fd++) {
        wire.saved[fd] = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 20);
        (void)close(fd);
    }
}

static void reopen_standard(void)
{
    wire.close_before_open = wire.put_before_open = wire.copy_error = 0;
    for (int fd = 0; fd < LOW; fd++) {
        (void)dup2(wire.saved[fd], fd);
        (void)close(wire.saved[fd]);
    }
}

static bool any_low(void)
{
    for (int fd = 0; fd < LOW; fd++)
        if (syscall(SYS_fcntl, fd, F_GETFD, 0) >= 0)
            return true;
    return false;
}

static int look_while_listing(void *arg, const char *name, bool regular_file, uint64_t size)
{
    (void)name;
    (void)regular_file;
    (void)size;
    *(bool *)arg |= any_low();
    return 0;
}

/* Step by step; the number of the first that failed, or left a low descriptor. */
static int use_everything(fixture *f)
{
    const peat_env *env = f->env;
    peat_env_dir *dir = NULL;
    peat_env_file *x = NULL;
    peat_env_lock *lock = NULL;
    int64_t pid = 0;
    uint8_t drawn[8];
    bool low = false;
    int step = 1;
    if (env->dir_open(env->ctx, path_of(f, "sub"), PEAT_ENV_DIR_CREATE, &dir) != 0 || any_low())
        return step;
    step++;
    if (env->dir_lock(env->ctx, dir, "LOCK", false, &lock, &pid) != 0 || any_low())
        return step;
    step++;
    if (env->file_open(env->ctx, dir, "x", PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE, &x) != 0 ||
        any_low())
        return step;
    step++;
    if (env->dir_list(env->ctx, dir, look_while_listing, &low) != 0 || low || any_low())
        return step;
    step++;
    wire.no_getrandom = true;
    if (env->random(env->ctx, drawn, sizeof drawn) != 0 || any_low())
        return step;
    env->file_close(env->ctx, x);
    env->dir_unlock(env->ctx, lock);
    env->dir_close(env->ctx, dir);
    return 0;
}

#define TEST_LOW(name) TEST_WITH(name, fixture *f, set_up_low, tear_down)

TEST_LOW(no_descriptor_is_a_standard_one)
{
    close_standard();
    int failed = use_everything(f);
    reopen_standard();
    assert_int_equal(failed, 0);
}

TEST_LOW(what_can_be_written_to_is_not_low_for_a_moment_either)
{
    close_standard();
    int failed = use_everything(f);
    reopen_standard();
    assert_int_equal(failed, 0);
    assert_int_equal(wire.low_writable, 0);
}

static int create(fixture *f, const char *name)
{
    return open_file(f, name, PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE);
}

TEST_LOW(a_number_that_becomes_free_meanwhile_is_left_again)
{
    peat_env_file *file = NULL;
    close_standard();
    wire.close_before_open = 2;
    int e = f->env->file_open(f->env->ctx, f->dir, "x", PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE,
                              &file);
    bool low = any_low();
    reopen_standard();
    assert_int_equal(e, 0);
    assert_false(low);
    assert_int_equal(wire.low_writable, 1); /* the moment was reached */
    f->env->file_close(f->env->ctx, file);
}

TEST_LOW(what_the_program_puts_there_meanwhile_stays)
{
    struct stat wanted, found;
    memset(&found, 0, sizeof found);
    close_standard();
    wire.put_before_open = 2;
    int e = open_file(f, "x", PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE);
    (void)fstat(2, &found);
    reopen_standard();
    assert_int_equal(e, 0);
    assert_int_equal(fstat(1, &wanted), 0);
    assert_true(wanted.st_dev == found.st_dev && wanted.st_ino == found.st_ino);
}

/* The copies fail from the n-th on: those that hold the low numbers, then the one that moves. */
TEST_LOW(a_copy_that_fails_leaves_neither_file_nor_descriptor)
{
    static const struct {
        int system, expected;
    } cases[] = {{EMFILE, EMFILE}, {EINVAL, EMFILE}, {ENFILE, ENFILE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned n = 0; n < 4; n++) {
            close_standard();
            wire.close_before_open = 2;
            wire.copies_before = n;
            wire.copy_error = n < 3 ? cases[i].expected : cases[i].system;
            int e = create(f, "x");
            bool low = any_low();
            wire.close_before_open = 0;
            wire.copy_error = 0;
            int again = create(f, "x");
            reopen_standard();
            assert_int_equal(e, cases[i].expected);
            assert_false(low);
            assert_int_equal(again, 0); /* nothing was left in the way */
            assert_int_equal(f->env->dir_remove(f->env->ctx, f->dir, "x"), 0);
        }
}

TEST_LOW(a_failed_copy_removes_no_file_that_was_there)
{
    f->env->file_close(f->env->ctx, make(f, "x"));
    close_standard();
    wire.close_before_open = 2;
    wire.copies_before = 3;
    wire.copy_error = EMFILE;
    int e = open_file(f, "x", PEAT_ENV_FILE_WRITE), made = create(f, "x");
    reopen_standard();
    assert_int_equal(e, EMFILE);
    assert_int_equal(made, EEXIST);
    assert_int_equal(open_file(f, "x", 0), 0);
}

TEST_LOW(descriptors_are_still_closed_on_exec)
{
    peat_env_file *file = NULL;
    int flags[64];
    memset(flags, 0, sizeof flags);
    close_standard();
    int e = f->env->file_open(f->env->ctx, f->dir, "x", PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE,
                              &file);
    for (int fd = LOW; fd < 20; fd++)
        flags[fd] = (int)syscall(SYS_fcntl, fd, F_GETFD, 0);
    reopen_standard();
    assert_int_equal(e, 0);
    f->env->file_close(f->env->ctx, file);
    unsigned closed = 0;
    for (int fd = LOW; fd < 20; fd++)
        if (syscall(SYS_fcntl, fd, F_GETFD, 0) < 0 && flags[fd] >= 0) {
            assert_true(flags[fd] & FD_CLOEXEC);
            closed++;
        }
    assert_int_equal(closed, 1);
}
