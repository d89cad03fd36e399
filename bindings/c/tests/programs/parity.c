// What every way into the engine must answer alike: the steps of the file that STEPS names, see its head. Prints "ok".

#include <inttypes.h>
#include <rustdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 1 << 16 };

static char sql[LONGEST];
static char expected[LONGEST];
static char got[LONGEST];

static void fail(const char *what) {
    fprintf(stderr, "%s\n%s\nexpected:\n%sgot:\n%s", what, sql, expected, got);
    exit(1);
}

static void add(char *text, const char *more) {
    if (strlen(text) + strlen(more) >= LONGEST) fail("too long");
    strcat(text, more);
}

// Writes what a statement comes to as the file does; rows are only counted if `count`.
static void answer(rustdb_conn *conn, int count) {
    rustdb_error *err = NULL;
    rustdb_stmt *stmt = NULL;
    char number[32];
    uint64_t rows = 0;
    rustdb_status status = rustdb_prepare(conn, sql, RUSTDB_NUL_TERMINATED, &stmt, NULL, &err);
    while (status == RUSTDB_OK || status == RUSTDB_ROW) {
        status = rustdb_step(stmt, &err);
        if (status != RUSTDB_ROW) break;
        rows += 1;
        for (size_t column = 0; !count && column < rustdb_column_count(stmt); column++) {
            const char *text = NULL;
            if (rustdb_column_text(stmt, column, &text, NULL, &err) != RUSTDB_OK) fail("no text");
            add(got, column == 0 ? "= " : "|");
            add(got, text == NULL ? "null" : text);
        }
        if (!count) add(got, "\n");
    }
    if (err != NULL) {
        got[0] = '\0';
        snprintf(number, sizeof number, "! %s\n", rustdb_error_sqlstate(err));
        add(got, number);
        rustdb_error_free(err);
    } else if (count) {
        snprintf(number, sizeof number, "%% %" PRIu64 "\n", rows);
        add(got, number);
    } else if (expected[0] == '~') {
        snprintf(number, sizeof number, "~ %" PRIu64 "\n", rustdb_changes(conn));
        add(got, number);
    }
    if (stmt != NULL) rustdb_finalize(stmt);
}

static void finish_step(rustdb_conn *conn) {
    if (sql[0] != '\0' && sql[0] != '#') {
        got[0] = '\0';
        answer(conn, expected[0] == '%');
        if (strcmp(got, expected) != 0) fail("not alike");
    }
    sql[0] = expected[0] = '\0';
}

int main(void) {
    const char *path = getenv("STEPS");
    FILE *steps = path == NULL ? NULL : fopen(path, "r");
    rustdb_db *db = NULL;
    rustdb_conn *conn = NULL;
    if (steps == NULL || rustdb_open(":memory:", NULL, &db, NULL) != RUSTDB_OK ||
        rustdb_connect(db, &conn, NULL) != RUSTDB_OK) {
        fail("cannot begin");
    }
    char line[4096];
    while (fgets(line, sizeof line, steps) != NULL) {
        if (line[0] == '\n') {
            finish_step(conn);
        } else {
            int is_answer = strchr("=~%!", line[0]) != NULL && line[1] == ' ';
            add(is_answer ? expected : sql, line);
        }
    }
    finish_step(conn);
    fclose(steps);
    if (rustdb_disconnect(conn, NULL) != RUSTDB_OK || rustdb_close(db, NULL) != RUSTDB_OK) fail("cannot end");
    puts("ok");
    return 0;
}
