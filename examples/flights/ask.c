// Answers the statement in a file and prints the rows, values apart by commas: ask DATABASE FILE

#include <rustdb.h>
#include <stdio.h>
#include <stdlib.h>

// Prints the error of a failed call and ends the program.
static void check(rustdb_status status, rustdb_error *err) {
    if (status == RUSTDB_OK) return;
    fprintf(stderr, "ERROR %s: %s\n", rustdb_error_sqlstate(err), rustdb_error_message(err));
    exit(1);
}

int main(int argc, char **argv) {
    static char sql[65536];
    rustdb_error *err = NULL;
    rustdb_db *db;
    rustdb_conn *conn;
    rustdb_stmt *stmt;
    FILE *file = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: ask DATABASE FILE\n");
        return 2;
    }
    size_t length = fread(sql, 1, sizeof sql, file);
    fclose(file);

    check(rustdb_open(argv[1], NULL, &db, &err), err);
    check(rustdb_connect(db, &conn, &err), err);
    check(rustdb_prepare(conn, sql, length, &stmt, NULL, &err), err);
    rustdb_status status;
    while ((status = rustdb_step(stmt, &err)) == RUSTDB_ROW) {
        for (int column = 0; column < (int)rustdb_column_count(stmt); column++) {
            const char *text;
            check(rustdb_column_text(stmt, column, &text, NULL, &err), err);
            printf("%s%s", column > 0 ? "," : "", text ? text : "");
        }
        printf("\n");
    }
    if (status != RUSTDB_DONE) check(status, err);
    rustdb_finalize(stmt);
    check(rustdb_disconnect(conn, &err), err);
    check(rustdb_close(db, &err), err);
    return 0;
}
