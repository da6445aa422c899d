/* SPDX-License-Identifier: MIT */
/* repair.c - peat_repair. */
#include "repair/repair.h"

#include "api/handle.h"
#include "api/settings.h"

static bool valid(const char *dir, const char *to_dir, const peat_repair_options *o,
                  const peat_repair_report *report)
{
    return dir != NULL && *dir != '\0' && to_dir != NULL && *to_dir != '\0' &&
           pt_api_options_valid(o, sizeof *o, sizeof *o) &&
           (report == NULL || report->size >= sizeof(size_t));
}

/* By their names alone; what links lead to is found by what lies in it (pt_repair_store). */
static bool lies_in(const char *to_dir, const char *dir)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    return strncmp(to_dir, dir, n) == 0 && (to_dir[n] == '\0' || to_dir[n] == '/');
}

peat_rc peat_repair(const char *dir, const char *to_dir, const peat_repair_options *options,
                    peat_repair_report *ret_report, peat_error *ret_error)
{
    peat_repair_options o;
    peat_repair_report report = {0};
    pt_settings settings;
    const pt_env *env;
    const char *why = NULL;
    peat_rc rc = PEAT_INVALID;
    peat_error error = {0};
    if (!valid(dir, to_dir, options, ret_report)) {
        why = "peat_repair: a directory or the options make no sense";
    } else if (lies_in(to_dir, dir)) {
        why = "peat_repair: the new store is not made in the directory of the damaged one";
    } else {
        pt_api_options_copy(options, &o, sizeof o);
        rc = pt_settings_resolve(o.open, &settings, &env, &why);
    }
    if (rc != PEAT_OK)
        return pt_api_say(ret_error, rc, why);
    settings.may_create = settings.error_if_exists = settings.unfinished = true;
    settings.no_log = true; /* one flush at the end makes all of it durable */
    settings.read_only = false;
    rc = pt_repair_store(dir, to_dir, env, &settings, &o, &report, &error);
    if (rc != PEAT_OK && error.rc == PEAT_OK)
        (void)pt_api_say(&error, rc, NULL);
    pt_api_report_copy(&report, sizeof report, ret_report);
    return pt_api_answer(rc, &error, ret_error);
}
