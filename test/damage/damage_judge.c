/* SPDX-License-Identifier: MIT */
/* damage_judge.c - what a damaged store answers, held against what it was given; see damage.h. */
#include "damage.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* More than a small store ever needs: a length that was believed would pass it. */
#define MEMORY_MAX ((uint64_t)8 << 20)

typedef struct judge {
    const damage_world *w;
    peat_db *db;
    size_t promised;
    damage_result *r;
    bool counted; /* "count" could be read */
} judge;

__attribute__((format(printf, 2, 3))) static void wrong(damage_result *r, const char *format, ...)
{
    va_list args;
    if (r->verdict == DAMAGE_WRONG)
        return; /* the first one tells most */
    r->verdict = DAMAGE_WRONG;
    va_start(args, format);
    (void)vsnprintf(r->why, sizeof r->why, format, args);
    va_end(args);
}

bool damage_place(const char *text, char ret_file[32], uint64_t *ret_offset)
{
    const char *at = NULL;
    ret_file[0] = '\0';
    for (const char *p = text; *p != '\0' && at == NULL; p++) {
        size_t n = strncmp(p, "PEAT", 4) == 0 ? 4 : 0;
        if (n == 0 && (*p == 't' || *p == 'm' || *p == 'w') && p[1] == '-' && isdigit(p[2]))
            n = 2 + strspn(p + 2, "0123456789");
        if (n == 0 || n >= 32 || (p > text && isalnum(p[-1])))
            continue;
        memcpy(ret_file, p, n);
        ret_file[n] = '\0';
        at = p + n;
    }
    at = at != NULL ? strchr(at, '@') : NULL;
    if (at == NULL || !isdigit(at[1]))
        return false;
    *ret_offset = strtoull(at + 1, NULL, 10);
    return true;
}

/* Damage is told once, with its place; any other error is none that damage may cause. */
static void read_failed(judge *j, peat_rc rc, const char *what)
{
    if (rc != PEAT_CORRUPT) {
        wrong(j->r, "%s answered %s", what, peat_rc_name(rc));
        return;
    }
    if (j->r->verdict != DAMAGE_SAME)
        return;
    j->r->verdict = DAMAGE_NOTICED;
    j->r->rc = rc;
    (void)peat_db_error(j->db, &j->r->error);
}

static void count_commits(judge *j)
{
    peat_buf buf = PEAT_BUF_INIT;
    char text[24] = "";
    peat_rc rc = peat_get(j->db, NULL, peat_str("count"), &buf);
    j->counted = rc == PEAT_OK || rc == PEAT_NOT_FOUND;
    j->r->commits = 0;
    if (rc == PEAT_OK && buf.size < sizeof text) {
        memcpy(text, buf.data, buf.size);
        j->r->commits = (size_t)strtoull(text, NULL, 10);
    }
    if (!j->counted)
        read_failed(j, rc, "get of count");
    if (j->r->commits > j->w->commit_count)
        wrong(j->r, "%zu commits are shown", j->r->commits);
    peat_buf_free(&buf);
}

static bool value_is(size_t key, uint8_t version, const void *data, size_t size)
{
    char text[128];
    return size == damage_value(key, version, text) && memcmp(data, text, size) == 0;
}

static void judge_gets(judge *j)
{
    peat_buf buf = PEAT_BUF_INIT;
    char k[32];
    for (size_t key = 0; key < DAMAGE_KEYS; key++) {
        uint8_t want = damage_version(j->w, key, j->r->commits);
        peat_rc rc = peat_get(j->db, NULL, peat_bytes(k, damage_key(key, k)), &buf);
        if (rc == PEAT_NOT_FOUND && want != 0)
            wrong(j->r, "%s is \"not found\"", k);
        else if (rc == PEAT_OK && (want == 0 || !value_is(key, want, buf.data, buf.size)))
            wrong(j->r, "get of %s: %.*s, not version %u", k, (int)buf.size, (const char *)buf.data,
                  want);
        else if (rc < 0)
            read_failed(j, rc, "get");
    }
    peat_buf_free(&buf);
}

/* The next key that should be shown, going forward or back; DAMAGE_KEYS: none. */
static size_t next_key(const judge *j, size_t from, bool back)
{
    size_t key = from;
    while (key < DAMAGE_KEYS && damage_version(j->w, key, j->r->commits) == 0)
        key = back ? key - 1 : key + 1; /* below 0 is above the last */
    return key;
}

static void judge_row(judge *j, size_t want, const peat_iter *it)
{
    char k[32];
    peat_slice key = peat_iter_key(it), value = peat_iter_value(it);
    size_t n = want < DAMAGE_KEYS ? damage_key(want, k) : 0;
    if (n == 0 || key.size != n || memcmp(key.data, k, n) != 0)
        wrong(j->r, "a scan shows %.*s where %s should be", (int)key.size, (const char *)key.data,
              n == 0 ? "the end" : k);
    else if (!value_is(want, damage_version(j->w, want, j->r->commits), value.data, value.size))
        wrong(j->r, "a scan shows %s with %.*s", k, (int)value.size, (const char *)value.data);
}

static void judge_scan(judge *j, bool back)
{
    peat_iter *it = NULL;
    peat_iter_options options = {.size = sizeof options, .prefix = peat_str("key/")};
    peat_rc rc = peat_iter_open(j->db, &options, &it);
    size_t want = next_key(j, back ? DAMAGE_KEYS - 1 : 0, back);
    while (rc == PEAT_OK && j->r->verdict != DAMAGE_WRONG) {
        rc = back ? peat_iter_prev(it) : peat_iter_next(it);
        if (rc != PEAT_OK)
            break;
        judge_row(j, want, it);
        want = next_key(j, back ? want - 1 : want + 1, back);
    }
    if (rc == PEAT_END && want < DAMAGE_KEYS)
        wrong(j->r, "a scan ends before key %zu", want);
    else if (rc < 0)
        read_failed(j, rc, "scan");
    peat_iter_close(it);
}

static bool note_place(void *ctx, const peat_damage *damage)
{
    damage_result *r = ctx;
    if (r->damages++ == 0) {
        (void)snprintf(r->place_file, sizeof r->place_file, "%s", damage->file);
        r->place_at = damage->offset;
    }
    return true;
}

static void run_check(judge *j)
{
    peat_check_options options = {
        .size = sizeof options, .damage_fn = note_place, .damage_ctx = j->r};
    peat_rc rc = peat_check(j->db, &options, NULL);
    j->r->checked = true;
    if (rc != (j->r->damages != 0 ? PEAT_CORRUPT : PEAT_OK))
        wrong(j->r, "check answers %s and has %" PRIu64 " findings", peat_rc_name(rc),
              j->r->damages);
}

static void judge_reads(judge *j)
{
    damage_result *r = j->r;
    r->verdict = DAMAGE_SAME;
    count_commits(j);
    if (!j->counted) /* in a table, and damaged: then the log holds no commit */
        r->commits = j->w->commit_count;
    if (j->r->verdict != DAMAGE_WRONG && r->commits < j->promised)
        wrong(r, "only %zu of %zu promised commits are shown", r->commits, j->promised);
    judge_gets(j);
    judge_scan(j, false);
    judge_scan(j, true);
    if (r->verdict == DAMAGE_SAME && r->commits < j->w->commit_count)
        r->verdict = DAMAGE_SHORTER;
}

void damage_judge(const damage_world *w, sim_env *sim, size_t promised, bool read_only, bool check,
                  damage_result *r)
{
    model_open open;
    judge j = {.w = w, .promised = promised, .r = r};
    *r = (damage_result){.verdict = DAMAGE_REFUSED};
    damage_options(w, sim, &open);
    open.options.create = PEAT_CREATE_NEVER;
    open.options.read_only = read_only;
    sim_peak_reset(sim);
    r->rc = peat_open(DAMAGE_DIR, &open.options, &j.db, &r->error);
    if (r->rc == PEAT_OK) {
        judge_reads(&j);
        if (check)
            run_check(&j);
        peat_rc rc = peat_close(j.db);
        if (rc != PEAT_OK && r->verdict != DAMAGE_NOTICED)
            wrong(r, "close answered %s", peat_rc_name(rc));
    }
    if (sim_get_held(sim).bytes_peak > MEMORY_MAX)
        wrong(r, "%" PRIu64 " bytes of memory were used", sim_get_held(sim).bytes_peak);
    if (!sim_is_clean(sim))
        wrong(r, "something was left open or allocated");
}
