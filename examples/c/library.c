// A library of books: opens a database file, loads it in one transaction, and prints a report.
//
//     gcc -std=c11 library.c $(pkg-config --cflags --libs rustdb) -o library && ./library

#include <inttypes.h>
#include <rustdb.h>
#include <stdio.h>
#include <stdlib.h>

// Prints the error of a failed call and ends the program.
static void check(rustdb_status status, rustdb_error *err) {
    if (status == RUSTDB_OK) return;
    const char *hint = rustdb_error_hint(err);
    fprintf(stderr, "ERROR %s: %s\n", rustdb_error_sqlstate(err), rustdb_error_message(err));
    if (hint != NULL) fprintf(stderr, "HINT: %s\n", hint);
    exit(1);
}

typedef struct {
    const char *title;
    int32_t year;
    const char *price;
} book;

int main(void) {
    static const book books[] = {
        {"The Art of Computer Programming", 1968, "199.99"},
        {"A Relational Model of Data", 1970, "0.00"},
        {"Transaction Processing", 1992, "89.50"},
        {"Readings in Database Systems", 1988, NULL},
    };
    rustdb_error *err = NULL;
    rustdb_db *db;
    rustdb_conn *conn;
    rustdb_stmt *stmt;

    check(rustdb_open("library.rustdb", NULL, &db, &err), err);
    check(rustdb_connect(db, &conn, &err), err);
    check(rustdb_exec(conn,
                      "DROP TABLE IF EXISTS books;"
                      "CREATE TABLE books (title text PRIMARY KEY, year int, price numeric(8,2))",
                      &err),
          err);

    check(rustdb_begin(conn, &err), err);
    const char *insert = "INSERT INTO books VALUES ($1, $2, $3)";
    check(rustdb_prepare(conn, insert, RUSTDB_NUL_TERMINATED, &stmt, NULL, &err), err);
    for (size_t i = 0; i < sizeof books / sizeof *books; i++) {
        const book *b = &books[i];
        check(rustdb_bind_text(stmt, 1, b->title, RUSTDB_NUL_TERMINATED, &err), err);
        check(rustdb_bind_i32(stmt, 2, b->year, &err), err);
        if (b->price == NULL) {
            check(rustdb_bind_null(stmt, 3, &err), err);
        } else {
            check(rustdb_bind_decimal(stmt, 3, b->price, &err), err);
        }
        rustdb_status status = rustdb_step(stmt, &err);
        if (status != RUSTDB_DONE) check(status, err);
    }
    rustdb_finalize(stmt);
    check(rustdb_commit(conn, &err), err);

    const char *report = "SELECT year / 10 * 10 AS decade, count(*) AS books, max(price) AS dearest "
                         "FROM books WHERE year >= $since GROUP BY 1 ORDER BY 1";
    check(rustdb_prepare(conn, report, RUSTDB_NUL_TERMINATED, &stmt, NULL, &err), err);
    check(rustdb_bind_i32(stmt, rustdb_param_index(stmt, "since"), 1970, &err), err);
    rustdb_status status;
    while ((status = rustdb_step(stmt, &err)) == RUSTDB_ROW) {
        int64_t decade, count;
        const char *dearest;
        check(rustdb_column_i64(stmt, 0, &decade, &err), err);
        check(rustdb_column_i64(stmt, 1, &count, &err), err);
        check(rustdb_column_text(stmt, 2, &dearest, NULL, &err), err);
        printf("%" PRId64 "s: %" PRId64 " at most %s\n", decade, count, dearest ? dearest : "unknown");
    }
    if (status != RUSTDB_DONE) check(status, err);
    rustdb_finalize(stmt);

    check(rustdb_disconnect(conn, &err), err);
    check(rustdb_close(db, &err), err);
    return 0;
}
