/* SPDX-License-Identifier: MIT */
/*
 * version_iter.h - all entries of a version, in order: partition after partition, the layers of
 * each merged. Only the layers of the partition it stands in are open.
 */
#ifndef PT_VERSION_VERSION_ITER_H
#define PT_VERSION_VERSION_ITER_H

#include "entry/iter.h"
#include "version/version.h"

typedef struct pt_version_iter_options {
    pt_slice lower, upper; /* [lower, upper), internal keys, copied; data NULL: unbounded */
    pt_fetch_hint hint;
} pt_version_iter_options;

/* Holds a reference on the version. */
peat_rc pt_version_iter_new(const pt_env *env, pt_version *v,
                            const pt_version_iter_options *options, pt_iter **ret_iter) PT_MUST_USE;

#endif
