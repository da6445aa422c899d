/* SPDX-License-Identifier: MIT */
/* consumer.c - a stranger's program: one record in, one record out. Also compiled as C++. */
#include <peat.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    peat_db *db = NULL;
    peat_error error;
    peat_buf value;
    peat_rc rc;

    memset(&value, 0, sizeof value);
    if (argc != 2)
        return 2;
    rc = peat_open(argv[1], NULL, &db, &error);
    if (rc != PEAT_OK) {
        fprintf(stderr, "%s: %s\n", peat_rc_name(rc), error.message);
        return 1;
    }
    rc = peat_put(db, NULL, peat_str("oak"), peat_str("bog oak"));
    if (rc == PEAT_OK)
        rc = peat_get(db, NULL, peat_str("oak"), &value);
    if (rc == PEAT_OK)
        printf("%.*s\n", (int)value.size, (const char *)value.data);
    peat_buf_free(&value);
    return peat_close(db) == PEAT_OK && rc == PEAT_OK ? 0 : 1;
}
