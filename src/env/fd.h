/* SPDX-License-Identifier: MIT */
/*
 * fd.h - file descriptors of the caller: the only input and output that is not a file of the
 * environment. See env_posix_fd.c.
 */
#ifndef PT_ENV_FD_H
#define PT_ENV_FD_H

#include "base/base.h"

/* All bytes, or an errno. */
int pt_fd_write(int fd, const void *data, size_t size) PT_MUST_USE;
/* Some bytes; *ret_n 0 is the end. 0 or an errno. */
int pt_fd_read(int fd, void *buf, size_t size, size_t *ret_n) PT_MUST_USE;

#endif
