/* SPDX-License-Identifier: MIT */
/* test_posix.c - files and directories of the real environment. */
#include "env/posix_fixture.h"

TEST_F(bytes_come_back_and_end_with_the_file)
{
    peat_env_file *file = make(f, "x");
    char buf[16] = {0};
    size_t n = 99;
    uint64_t size = 0;
    assert_int_equal(f->env->file_write(f->env->ctx, file, 3, "hello", 5), 0);
    assert_int_equal(f->env->file_size(f->env->ctx, file, &size), 0);
    assert_int_equal(size, 8);
    assert_int_equal(f->env->file_read(f->env->ctx, file, 1, buf, sizeof buf, &n), 0);
    assert_int_equal(n, 7);
    assert_memory_equal(buf, "\0\0hello", 7);
    assert_int_equal(f->env->file_read(f->env->ctx, file, 8, buf, 1, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(f->env->file_read(f->env->ctx, file, 100, buf, 1, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(f->env->file_write(f->env->ctx, file, 0, NULL, 0), 0);
    assert_int_equal(f->env->file_sync(f->env->ctx, file), 0);
    f->env->file_close(f->env->ctx, file);
}

TEST_F(offsets_beyond_the_system_are_refused)
{
    peat_env_file *file = make(f, "x");
    char c = 0;
    size_t n = 0;
    uint64_t far = (uint64_t)INT64_MAX;
    assert_int_equal(f->env->file_write(f->env->ctx, file, far, &c, 1), EFBIG);
    assert_int_equal(f->env->file_write(f->env->ctx, file, UINT64_MAX, &c, 1), EFBIG);
    assert_int_equal(f->env->file_read(f->env->ctx, file, UINT64_MAX, &c, 1, &n), EINVAL);
    assert_int_equal(f->env->file_truncate(f->env->ctx, file, far + 1), EFBIG);
    assert_int_equal(f->env->file_allocate(f->env->ctx, file, far, 1), EFBIG);
    assert_int_equal(f->env->file_advise(f->env->ctx, file, 0, 0, 0), EINVAL);
    assert_int_equal(f->env->file_advise(f->env->ctx, file, 0, 0, 5), EINVAL);
    f->env->file_close(f->env->ctx, file);
}

TEST_F(a_file_grows_and_shrinks_with_zeroes)
{
    peat_env_file *file = make(f, "x");
    char buf[100];
    size_t n = 0;
    uint64_t size = 0;
    memset(buf, 'a', sizeof buf);
    assert_int_equal(f->env->file_write(f->env->ctx, file, 0, buf, sizeof buf), 0);
    assert_int_equal(f->env->file_truncate(f->env->ctx, file, 50), 0);
    int e = f->env->file_allocate(f->env->ctx, file, 0, 100);
    if (e == EOPNOTSUPP) /* not every file system has it */
        e = f->env->file_truncate(f->env->ctx, file, 100);
    assert_int_equal(e, 0);
    assert_int_equal(f->env->file_size(f->env->ctx, file, &size), 0);
    assert_int_equal(size, 100);
    assert_int_equal(f->env->file_read(f->env->ctx, file, 0, buf, sizeof buf, &n), 0);
    assert_int_equal(n, 100);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf[i], i < 50 ? 'a' : 0);
    assert_int_equal(f->env->file_allocate(f->env->ctx, file, 0, 0), 0);
    for (int advice = PEAT_ENV_ADVISE_RANDOM; advice <= PEAT_ENV_ADVISE_DONTNEED; advice++)
        assert_int_equal(f->env->file_advise(f->env->ctx, file, 0, 0, advice), 0);
    f->env->file_close(f->env->ctx, file);
}

TEST_F(opening_needs_the_name_and_creating_its_absence)
{
    peat_env_file *file = NULL;
    assert_int_equal(open_file(f, "x", 0), ENOENT);
    assert_int_equal(open_file(f, "x", PEAT_ENV_FILE_WRITE), ENOENT);
    assert_int_equal(open_file(f, "x", PEAT_ENV_FILE_CREATE), 0);
    assert_int_equal(open_file(f, "x", PEAT_ENV_FILE_CREATE), EEXIST);
    assert_int_equal(f->env->file_open(f->env->ctx, f->dir, "x", 0, &file), 0);
    assert_int_equal(f->env->file_write(f->env->ctx, file, 0, "a", 1), EBADF);
    f->env->file_close(f->env->ctx, file);
}

TEST_F(a_path_is_not_a_name)
{
    static const char *const names[] = {"", ".", "..", "a/b", "/etc/passwd", "../x"};
    peat_env_lock *lock = NULL;
    int64_t pid = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(open_file(f, names[i], 0), EINVAL);
        assert_int_equal(open_file(f, names[i], PEAT_ENV_FILE_CREATE), EINVAL);
        assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, names[i], false, &lock, &pid),
                         EINVAL);
        assert_int_not_equal(f->env->dir_remove(f->env->ctx, f->dir, names[i]), 0);
    }
}

TEST_F(links_are_not_followed)
{
    peat_env_lock *lock = NULL;
    int64_t pid = 0;
    f->env->file_close(f->env->ctx, make(f, "x"));
    assert_int_equal(symlink("x", path_of(f, "link")), 0);
    assert_int_equal(symlink("nowhere", path_of(f, "dangling")), 0);
    assert_int_equal(open_file(f, "link", 0), ELOOP);
    assert_int_equal(open_file(f, "link", PEAT_ENV_FILE_WRITE), ELOOP);
    assert_int_equal(open_file(f, "dangling", PEAT_ENV_FILE_CREATE), EEXIST);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "dangling", false, &lock, &pid), ELOOP);
    assert_int_equal(access(path_of(f, "nowhere"), F_OK), -1);
}

TEST_F(only_regular_files_open_and_a_fifo_does_not_hang)
{
    peat_env_lock *lock = NULL;
    int64_t pid = 0;
    assert_int_equal(mkfifo(path_of(f, "fifo"), 0600), 0);
    assert_int_equal(mkdir(path_of(f, "sub"), 0700), 0);
    assert_int_equal(open_file(f, "fifo", 0), EINVAL);
    assert_int_equal(open_file(f, "fifo", PEAT_ENV_FILE_WRITE), EINVAL);
    assert_int_equal(f->env->dir_lock(f->env->ctx, f->dir, "fifo", false, &lock, &pid), EINVAL);
    assert_int_equal(open_file(f, "sub", 0), EINVAL);
    assert_int_equal(open_file(f, "sub", PEAT_ENV_FILE_WRITE), EISDIR);
}

/* The descriptor of `name`, found by its target. */
static int find_descriptor(const fixture *f, const char *name)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s", path_of(f, name));
    for (int fd = 0; fd < 200; fd++) {
        char link[64], target[300];
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        if (n > 0 && (target[n] = '\0', strcmp(target, path) == 0))
            return fd;
    }
    return -1;
}

TEST_F(descriptors_close_on_exec_and_do_not_stay_nonblocking)
{
    char real[300];
    assert_non_null(realpath(f->root, real)); /* TMPDIR may be a link */
    (void)snprintf(f->root, sizeof f->root, "%.199s", real);
    peat_env_file *file = make(f, "x");
    int fd = find_descriptor(f, "x");
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
    f->env->file_close(f->env->ctx, file);
}

typedef struct seen {
    unsigned count, irregular;
    uint64_t bytes;
    int stop_with;
} seen;

static int see(void *arg, const char *name, bool regular_file, uint64_t size)
{
    seen *s = arg;
    assert_string_not_equal(name, ".");
    assert_string_not_equal(name, "..");
    s->count++;
    s->irregular += !regular_file;
    s->bytes += size;
    return s->stop_with;
}

TEST_F(a_listing_tells_kind_and_size)
{
    peat_env_file *x = make(f, "x");
    assert_int_equal(f->env->file_write(f->env->ctx, x, 0, "12345", 5), 0);
    f->env->file_close(f->env->ctx, x);
    f->env->file_close(f->env->ctx, make(f, "y"));
    assert_int_equal(mkdir(path_of(f, "sub"), 0700), 0);
    assert_int_equal(symlink("x", path_of(f, "link")), 0);
    for (int twice = 0; twice < 2; twice++) {
        seen s = {0};
        assert_int_equal(f->env->dir_list(f->env->ctx, f->dir, see, &s), 0);
        assert_int_equal(s.count, 4);
        assert_int_equal(s.irregular, 2);
        assert_int_equal(s.bytes, 5);
    }
    seen stopped = {.stop_with = EDOM};
    assert_int_equal(f->env->dir_list(f->env->ctx, f->dir, see, &stopped), EDOM);
    assert_int_equal(stopped.count, 1);
}

TEST_F(names_and_directories_are_removed)
{
    peat_env_dir *sub = NULL;
    char path[300];
    (void)snprintf(path, sizeof path, "%s", path_of(f, "sub"));
    assert_int_equal(f->env->dir_open(f->env->ctx, path, 0, &sub), ENOENT);
    assert_int_equal(f->env->dir_open(f->env->ctx, path, PEAT_ENV_DIR_CREATE, &sub), 0);
    f->env->dir_close(f->env->ctx, sub);
    assert_int_equal(f->env->dir_open(f->env->ctx, path, PEAT_ENV_DIR_CREATE, &sub), 0);
    peat_env_file *file = NULL;
    assert_int_equal(f->env->file_open(f->env->ctx, sub, "x", PEAT_ENV_FILE_CREATE, &file), 0);
    f->env->file_close(f->env->ctx, file);
    assert_int_equal(f->env->dir_sync(f->env->ctx, sub), 0);
    assert_int_equal(f->env->dir_delete(f->env->ctx, path), ENOTEMPTY);
    assert_int_equal(f->env->dir_remove(f->env->ctx, sub, "x"), 0);
    assert_int_equal(f->env->dir_remove(f->env->ctx, sub, "x"), ENOENT);
    f->env->dir_close(f->env->ctx, sub);
    assert_int_equal(f->env->dir_delete(f->env->ctx, path), 0);
    assert_int_equal(f->env->dir_delete(f->env->ctx, path), ENOENT);
}

TEST_F(a_directory_needs_its_parent_and_no_file_in_its_place)
{
    peat_env_dir *dir = NULL;
    f->env->file_close(f->env->ctx, make(f, "x"));
    assert_int_equal(f->env->dir_open(f->env->ctx, path_of(f, "no/sub"), PEAT_ENV_DIR_CREATE, &dir),
                     ENOENT);
    assert_int_equal(f->env->dir_open(f->env->ctx, path_of(f, "x"), PEAT_ENV_DIR_CREATE, &dir),
                     ENOTDIR);
    assert_int_equal(f->env->dir_open(f->env->ctx, path_of(f, "x/y"), 0, &dir), ENOTDIR);
    assert_int_equal(f->env->dir_open(f->env->ctx, "", PEAT_ENV_DIR_CREATE, &dir), ENOENT);
    assert_null(dir);
}

TEST_F(the_real_environment_is_complete)
{
    const unsigned char *p = (const unsigned char *)f->env;
    assert_int_equal(f->env->size, sizeof(peat_env));
    /* after size and ctx there are only function pointers: none is NULL */
    for (size_t at = offsetof(peat_env, alloc); at < sizeof(peat_env);
         at += sizeof(void (*)(void))) {
        void (*member)(void);
        memcpy(&member, p + at, sizeof member);
        assert_true(member != NULL);
    }
    assert_ptr_equal(f->env, peat_env_default());
}
