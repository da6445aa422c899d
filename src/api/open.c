/* SPDX-License-Identifier: MIT */
/* open.c - peat_open, peat_close, peat_destroy. */
#include "api/handle.h"
#include "api/settings.h"
#include "db/destroy.h"
#include "db/db.h"

peat_rc pt_api_say(peat_error *ret_error, peat_rc rc, const char *why)
{
    if (ret_error == NULL)
        return rc;
    memset(ret_error, 0, sizeof *ret_error);
    ret_error->rc = rc;
    const char *text = rc == PEAT_OK ? "" : why != NULL ? why : peat_rc_text(rc);
    size_t n = strlen(text);
    n = n < sizeof ret_error->message ? n : sizeof ret_error->message - 1;
    memcpy(ret_error->message, text, n);
    return rc;
}

peat_rc pt_api_open(const char *dir, const peat_options *options, bool unfinished, peat_db **ret_db,
                    peat_error *ret_error)
{
    pt_settings settings;
    const pt_env *env;
    const char *why = NULL;
    pt_store *store = NULL;
    (void)pt_api_say(ret_error, PEAT_OK, NULL);
    if (dir == NULL || dir[0] == '\0' || ret_db == NULL)
        return pt_api_say(ret_error, PEAT_INVALID,
                          "peat_open: dir or ret_db is NULL, or dir is empty");
    peat_rc rc = pt_settings_resolve(options, &settings, &env, &why);
    if (rc != PEAT_OK)
        return pt_api_say(ret_error, rc, why);
    settings.unfinished = unfinished;
    peat_db *db = (peat_db *)pt_alloc(env, sizeof *db);
    if (db == NULL)
        return pt_api_say(ret_error, PEAT_NOMEM, NULL);
    rc = pt_db_open(dir, env, &settings, &store, ret_error);
    if (rc != PEAT_OK) {
        if (ret_error != NULL && ret_error->rc == PEAT_OK)
            (void)pt_api_say(ret_error, rc, NULL);
        pt_free(env, db);
        return rc;
    }
    db->store = store;
    db->keyspace = PT_KEYSPACE_DEFAULT;
    *ret_db = db;
    return PEAT_OK;
}

peat_rc pt_api_answer(peat_rc rc, const peat_error *error, peat_error *ret_error)
{
    if (ret_error != NULL)
        *ret_error = *error;
    return rc;
}

peat_rc peat_open(const char *dir, const peat_options *options, peat_db **ret_db,
                  peat_error *ret_error)
{
    peat_error error;
    peat_rc rc = pt_api_open(dir, options, false, ret_db, &error);
    return pt_api_answer(rc, &error, ret_error);
}

peat_rc peat_close(peat_db *db)
{
    if (db == NULL)
        return PEAT_OK;
    const pt_env *env = db->store->env;
    if (pt_store_forked(db->store))
        return PEAT_CLOSED; /* the parent's; its memory goes with this process */
    peat_rc rc = pt_db_close(db->store);
    pt_free(env, db);
    return rc;
}

peat_rc peat_destroy(const char *dir, peat_error *ret_error)
{
    peat_error error = {0};
    if (dir == NULL || dir[0] == '\0')
        return pt_api_say(ret_error, PEAT_INVALID, "peat_destroy: dir is NULL or empty");
    peat_rc rc = pt_destroy_store(dir, peat_env_default(), &error);
    return pt_api_answer(rc, &error, ret_error);
}

peat_rc peat_call_error(peat_db *db, peat_error *ret_error)
{
    if (ret_error == NULL)
        return PEAT_INVALID;
    (void)pt_api_say(ret_error, PEAT_INVALID, "the handle is NULL");
    if (db == NULL)
        return PEAT_INVALID;
    if (!pt_store_call_begin(db->store))
        return pt_api_say(ret_error, PEAT_CLOSED, NULL);
    pt_sink_thread_error(&db->store->sink, ret_error);
    pt_store_call_end(db->store);
    return ret_error->rc;
}

peat_rc peat_db_error(peat_db *db, peat_error *ret_error)
{
    if (db == NULL || ret_error == NULL)
        return PEAT_INVALID;
    pt_sink_first(&db->store->sink, ret_error);
    return ret_error->rc;
}
