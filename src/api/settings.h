/* SPDX-License-Identifier: MIT */
/* settings.h - from the public options to settings in which nothing is open any more. */
#ifndef PT_API_SETTINGS_H
#define PT_API_SETTINGS_H

#include "state/store.h"

/* PEAT_INVALID with a text, PEAT_UNSUPPORTED for a codec that is not built in. */
peat_rc pt_settings_resolve(const peat_options *options, pt_settings *ret_settings,
                            const pt_env **ret_env, const char **ret_why) PT_MUST_USE;

#endif
