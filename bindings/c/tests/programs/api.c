// Calls every function of the header in its right and its wrong uses. Prints "ok" when all went as the header says.

#include <inttypes.h>
#include <pthread.h>
#include <rustdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                        \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                            \
        }                                                                       \
    } while (0)

static rustdb_error *err = NULL;

static void print_error(void) {
    if (err != NULL) {
        fprintf(stderr, "%s: %s\n", rustdb_error_sqlstate(err), rustdb_error_message(err));
    }
}

// The call succeeds and leaves no error.
#define OK(call)                          \
    do {                                  \
        rustdb_status status_ = (call);   \
        if (status_ != RUSTDB_OK) print_error(); \
        CHECK(status_ == RUSTDB_OK);      \
        CHECK(err == NULL);               \
    } while (0)

// The call fails with this status and SQLSTATE.
#define FAILS(call, status, state)                              \
    do {                                                        \
        CHECK((call) == (status));                              \
        CHECK(err != NULL && rustdb_error_code(err) == (status)); \
        if (strcmp(rustdb_error_sqlstate(err), (state)) != 0) print_error(); \
        CHECK(strcmp(rustdb_error_sqlstate(err), (state)) == 0); \
        CHECK(strlen(rustdb_error_message(err)) > 0);           \
        rustdb_error_free(err);                                 \
        err = NULL;                                             \
    } while (0)

#define STEP(stmt, expected)                     \
    do {                                         \
        rustdb_status status_ = rustdb_step((stmt), &err); \
        if (status_ != (expected)) print_error(); \
        CHECK(status_ == (expected));            \
    } while (0)

static rustdb_stmt *prepare(rustdb_conn *conn, const char *sql) {
    rustdb_stmt *stmt = NULL;
    OK(rustdb_prepare(conn, sql, RUSTDB_NUL_TERMINATED, &stmt, NULL, &err));
    CHECK(stmt != NULL);
    return stmt;
}

static int64_t column_i64(rustdb_stmt *stmt, size_t column) {
    int64_t value = -1;
    OK(rustdb_column_i64(stmt, column, &value, &err));
    return value;
}

static const char *column_text(rustdb_stmt *stmt, size_t column) {
    const char *value = NULL;
    size_t length = 0;
    OK(rustdb_column_text(stmt, column, &value, &length, &err));
    CHECK(value == NULL || strlen(value) == length);
    return value;
}

static void versions(void) {
    CHECK(rustdb_abi_version() == RUSTDB_ABI_VERSION);
    CHECK(strchr(rustdb_version(), '.') != NULL);
}

static void opening(void) {
    rustdb_db *db = (rustdb_db *)&err;
    rustdb_config *config = NULL;
    FAILS(rustdb_open(NULL, NULL, &db, &err), RUSTDB_MISUSE, "HY000");
    CHECK(db == NULL);
    CHECK(rustdb_open(":memory:", NULL, NULL, NULL) == RUSTDB_MISUSE);
    FAILS(rustdb_open("\xff", NULL, &db, &err), RUSTDB_ERROR, "22021");
    CHECK(rustdb_open("no/such/folder/file", NULL, &db, &err) == RUSTDB_ERROR);
    CHECK(db == NULL && err != NULL);
    rustdb_error_free(err);
    err = NULL;

    OK(rustdb_config_new(&config, &err));
    OK(rustdb_config_set(config, "memory_limit", "64MB", &err));
    OK(rustdb_config_set(config, "threads", "2", &err));
    OK(rustdb_config_set(config, "lock_timeout", "1234ms", &err));
    FAILS(rustdb_config_set(config, "threads", "many", &err), RUSTDB_ERROR, "22023");
    FAILS(rustdb_config_set(config, NULL, "1", &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_config_set(NULL, "threads", "1", &err), RUSTDB_MISUSE, "HY000");
    OK(rustdb_open("config.rustdb", config, &db, &err));
    rustdb_config_free(config);
    rustdb_config_free(NULL);

    rustdb_conn *conn = NULL;
    OK(rustdb_connect(db, &conn, &err));
    rustdb_stmt *stmt = prepare(conn, "SHOW lock_timeout");
    STEP(stmt, RUSTDB_ROW);
    CHECK(strcmp(column_text(stmt, 0), "1234ms") == 0);

    FAILS(rustdb_disconnect(conn, &err), RUSTDB_BUSY, "HY010");
    rustdb_finalize(stmt);
    FAILS(rustdb_close(db, &err), RUSTDB_BUSY, "HY010");
    OK(rustdb_disconnect(conn, &err));
    OK(rustdb_close(db, &err));

    // A deferred close leaves the connection working.
    OK(rustdb_open("config.rustdb", NULL, &db, &err));
    OK(rustdb_connect(db, &conn, &err));
    rustdb_close_deferred(db);
    OK(rustdb_exec(conn, "SELECT 1", &err));
    OK(rustdb_disconnect(conn, &err));
    rustdb_close_deferred(NULL);
    OK(rustdb_close(NULL, &err));
    OK(rustdb_disconnect(NULL, &err));
}

static void null_handles(void) {
    rustdb_conn *conn = NULL;
    rustdb_stmt *stmt = NULL;
    int64_t integer;
    FAILS(rustdb_connect(NULL, &conn, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_exec(NULL, "SELECT 1", &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_begin(NULL, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_commit(NULL, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_rollback(NULL, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_prepare(NULL, "SELECT 1", 8, &stmt, NULL, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_step(NULL, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_bind_null(NULL, 1, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_column_i64(NULL, 0, &integer, &err), RUSTDB_MISUSE, "HY000");
    CHECK(!rustdb_in_transaction(NULL));
    CHECK(rustdb_changes(NULL) == 0);
    CHECK(rustdb_param_count(NULL) == 0 && rustdb_param_type(NULL, 1) == 0);
    CHECK(rustdb_param_index(NULL, "a") == 0);
    CHECK(rustdb_column_count(NULL) == 0 && rustdb_column_oid(NULL, 0) == 0);
    CHECK(rustdb_column_name(NULL, 0) == NULL && rustdb_column_is_null(NULL, 0));
    rustdb_interrupt(NULL);
    rustdb_reset(NULL);
    rustdb_clear_bindings(NULL);
    rustdb_finalize(NULL);
    rustdb_error_free(NULL);
    CHECK(rustdb_error_code(NULL) == RUSTDB_OK && rustdb_error_sqlstate(NULL) == NULL);
    CHECK(rustdb_error_message(NULL) == NULL && rustdb_error_position(NULL) == 0);
    CHECK(rustdb_error_detail(NULL) == NULL && rustdb_error_hint(NULL) == NULL);
}

static void errors(rustdb_conn *conn) {
    rustdb_stmt *stmt = (rustdb_stmt *)&err;
    const char *sql = "SELECT 1; SELECT nothing FROM nowhere";
    const char *tail = NULL;
    OK(rustdb_prepare(conn, sql, RUSTDB_NUL_TERMINATED, &stmt, &tail, &err));
    CHECK(strcmp(tail, " SELECT nothing FROM nowhere") == 0);
    rustdb_finalize(stmt);
    CHECK(rustdb_prepare(conn, tail, RUSTDB_NUL_TERMINATED, &stmt, &tail, &err) == RUSTDB_ERROR);
    CHECK(stmt == NULL);
    CHECK(strcmp(rustdb_error_sqlstate(err), "42P01") == 0);
    CHECK(strcmp(rustdb_error_message(err), "relation \"nowhere\" does not exist") == 0);
    CHECK(rustdb_error_position(err) == 22);
    rustdb_error_free(err);
    err = NULL;
    FAILS(rustdb_prepare(conn, "SELECT '\xc3'", RUSTDB_NUL_TERMINATED, &stmt, NULL, &err), RUSTDB_ERROR, "22021");
    FAILS(rustdb_exec(conn, "SELEC 1", &err), RUSTDB_ERROR, "42601");
    CHECK(rustdb_exec(conn, "SELEC 1", NULL) == RUSTDB_ERROR);
    FAILS(rustdb_exec(conn, NULL, &err), RUSTDB_MISUSE, "HY000");

    // Only what the length covers is looked at; blanks and comments are no statement.
    OK(rustdb_prepare(conn, "SELECT 1garbage", 8, &stmt, &tail, &err));
    CHECK(strcmp(tail, "garbage") == 0);
    rustdb_finalize(stmt);
    OK(rustdb_prepare(conn, " ; -- nothing\n", RUSTDB_NUL_TERMINATED, &stmt, &tail, &err));
    CHECK(stmt == NULL && *tail == 0);
    OK(rustdb_prepare(conn, NULL, 0, &stmt, &tail, &err));
    CHECK(stmt == NULL);

    CHECK(rustdb_exec(conn, "SELECT 12345::numeric(4,2)", &err) == RUSTDB_ERROR);
    CHECK(strcmp(rustdb_error_sqlstate(err), "22003") == 0 && rustdb_error_hint(err) == NULL);
    CHECK(strcmp(rustdb_error_detail(err),
                 "A field with precision 4, scale 2 must round to an absolute value less than 10^2.") == 0);
    rustdb_error_free(err);
    err = NULL;
    CHECK(rustdb_exec(conn, "SELECT no_such_function(1)", &err) == RUSTDB_ERROR);
    CHECK(strcmp(rustdb_error_sqlstate(err), "42883") == 0 && rustdb_error_detail(err) == NULL);
    CHECK(strncmp(rustdb_error_hint(err), "No function matches", 19) == 0);
    rustdb_error_free(err);
    err = NULL;
}

static void transactions(rustdb_conn *conn) {
    OK(rustdb_exec(conn, "CREATE TABLE t (a int)", &err));
    CHECK(!rustdb_in_transaction(conn));
    OK(rustdb_begin(conn, &err));
    CHECK(rustdb_in_transaction(conn));
    OK(rustdb_exec(conn, "INSERT INTO t VALUES (1), (2), (3)", &err));
    CHECK(rustdb_changes(conn) == 3);
    OK(rustdb_rollback(conn, &err));
    CHECK(!rustdb_in_transaction(conn));
    OK(rustdb_begin(conn, &err));
    OK(rustdb_exec(conn, "INSERT INTO t VALUES (4)", &err));
    FAILS(rustdb_exec(conn, "SELECT 1 / 0", &err), RUSTDB_ERROR, "22012");
    CHECK(rustdb_in_transaction(conn));
    FAILS(rustdb_exec(conn, "SELECT 1", &err), RUSTDB_ERROR, "25P02");
    OK(rustdb_commit(conn, &err));
    OK(rustdb_begin(conn, &err));
    OK(rustdb_exec(conn, "INSERT INTO t VALUES (5)", &err));
    OK(rustdb_commit(conn, &err));
    rustdb_stmt *stmt = prepare(conn, "SELECT count(*), min(a) FROM t");
    STEP(stmt, RUSTDB_ROW);
    CHECK(column_i64(stmt, 0) == 1 && column_i64(stmt, 1) == 5);
    STEP(stmt, RUSTDB_DONE);
    CHECK(rustdb_changes(conn) == 0);
    rustdb_finalize(stmt);

    // A script outside of a block is one transaction.
    FAILS(rustdb_exec(conn, "INSERT INTO t VALUES (6); SELECT 1 / 0", &err), RUSTDB_ERROR, "22012");
    stmt = prepare(conn, "DELETE FROM t WHERE a > $1");
    OK(rustdb_bind_i32(stmt, 1, 0, &err));
    CHECK(rustdb_column_count(stmt) == 0);
    STEP(stmt, RUSTDB_DONE);
    CHECK(rustdb_changes(conn) == 1);
    rustdb_finalize(stmt);
}

static void binding(rustdb_conn *conn) {
    static const uint8_t uuid[16] = {0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8,
                                     0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11};
    rustdb_stmt *stmt = prepare(conn, "SELECT $1::bool, $2::int4, $3::int8, $4::float8, $5::text, $6::bytea, "
                                      "$7::numeric(10,2), $8::date, $9::timestamptz, $10::timestamp, $11::uuid, $12::int4");
    static const uint32_t oids[] = {16, 23, 20, 701, 25, 17, 1700, 1082, 1184, 1114, 2950, 23};
    CHECK(rustdb_param_count(stmt) == 12 && rustdb_column_count(stmt) == 12);
    for (size_t i = 0; i < 12; i++) {
        CHECK(rustdb_column_oid(stmt, i) == oids[i]);
        CHECK(rustdb_param_type(stmt, i + 1) == oids[i]);
    }
    CHECK(rustdb_param_type(stmt, 0) == 0 && rustdb_param_type(stmt, 13) == 0);
    CHECK(rustdb_column_oid(stmt, 12) == 0 && rustdb_column_name(stmt, 12) == NULL);

    STEP(stmt, RUSTDB_ROW);
    for (size_t i = 0; i < 12; i++) {
        CHECK(rustdb_column_is_null(stmt, i) && column_text(stmt, i) == NULL);
    }
    CHECK(column_i64(stmt, 1) == 0);
    FAILS(rustdb_bind_bool(stmt, 1, true, &err), RUSTDB_MISUSE, "HY000");
    rustdb_reset(stmt);

    OK(rustdb_bind_bool(stmt, 1, true, &err));
    OK(rustdb_bind_i32(stmt, 2, -7, &err));
    OK(rustdb_bind_i64(stmt, 3, INT64_MIN, &err));
    OK(rustdb_bind_f64(stmt, 4, 0.5, &err));
    OK(rustdb_bind_text(stmt, 5, "na\xc3\xafve and more", 6, &err));
    OK(rustdb_bind_blob(stmt, 6, "\0\1\xff", 3, &err));
    OK(rustdb_bind_decimal(stmt, 7, "-12.5", &err));
    OK(rustdb_bind_date(stmt, 8, 19723, &err));
    OK(rustdb_bind_timestamp(stmt, 9, 1704067200123456, &err));
    OK(rustdb_bind_timestamp(stmt, 10, -1, &err));
    OK(rustdb_bind_uuid(stmt, 11, uuid, &err));
    OK(rustdb_bind_text(stmt, 12, "42", RUSTDB_NUL_TERMINATED, &err));
    FAILS(rustdb_bind_null(stmt, 0, &err), RUSTDB_RANGE, "07009");
    FAILS(rustdb_bind_null(stmt, 13, &err), RUSTDB_RANGE, "07009");
    FAILS(rustdb_bind_text(stmt, 5, "\xff", 1, &err), RUSTDB_ERROR, "22021");
    FAILS(rustdb_bind_text(stmt, 5, NULL, RUSTDB_NUL_TERMINATED, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_bind_decimal(stmt, 7, "twelve", &err), RUSTDB_ERROR, "22P02");
    FAILS(rustdb_bind_uuid(stmt, 11, NULL, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_bind_date(stmt, 8, INT32_MIN + 1, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_column_i64(stmt, 0, NULL, &err), RUSTDB_MISUSE, "HY000");

    STEP(stmt, RUSTDB_ROW);
    static const char *const texts[] = {"t",
                                        "-7",
                                        "-9223372036854775808",
                                        "0.5",
                                        "na\xc3\xafve",
                                        "\\x0001ff",
                                        "-12.50",
                                        "2024-01-01",
                                        "2024-01-01 00:00:00.123456+00",
                                        "1969-12-31 23:59:59.999999",
                                        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                                        "42"};
    for (size_t i = 0; i < 12; i++) {
        CHECK(!rustdb_column_is_null(stmt, i));
        if (strcmp(column_text(stmt, i), texts[i]) != 0) fprintf(stderr, "%s\n", column_text(stmt, i));
        CHECK(strcmp(column_text(stmt, i), texts[i]) == 0);
        CHECK(column_text(stmt, i) == column_text(stmt, i));
    }
    static const struct {
        size_t column;
        int64_t value;
    } integers[] = {{0, 1}, {1, -7}, {2, INT64_MIN}, {4 - 1, 0}, {7, 19723}, {8, 1704067200123456}, {9, -1}, {11, 42}};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        CHECK(column_i64(stmt, integers[i].column) == integers[i].value);
    }
    CHECK(column_i64(stmt, 6) == -13);
    double real = 0;
    OK(rustdb_column_f64(stmt, 3, &real, &err));
    CHECK(real == 0.5);
    OK(rustdb_column_f64(stmt, 6, &real, &err));
    CHECK(real == -12.5);
    OK(rustdb_column_f64(stmt, 1, &real, &err));
    CHECK(real == -7);
    int64_t integer;
    FAILS(rustdb_column_i64(stmt, 4, &integer, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_column_f64(stmt, 7, &real, &err), RUSTDB_MISUSE, "HY000");
    FAILS(rustdb_column_i64(stmt, 12, &integer, &err), RUSTDB_RANGE, "07009");
    CHECK(rustdb_column_is_null(stmt, 12));
    const void *blob = NULL;
    size_t length = 0;
    OK(rustdb_column_blob(stmt, 5, &blob, &length, &err));
    CHECK(length == 3 && memcmp(blob, "\0\1\xff", 3) == 0);
    OK(rustdb_column_blob(stmt, 4, &blob, &length, &err));
    CHECK(length == 6 && memcmp(blob, "na\xc3\xafve", 6) == 0);
    FAILS(rustdb_column_blob(stmt, 1, &blob, &length, &err), RUSTDB_MISUSE, "HY000");
    STEP(stmt, RUSTDB_DONE);
    FAILS(rustdb_column_i64(stmt, 1, &integer, &err), RUSTDB_MISUSE, "HY000");

    // Values stay bound until they are cleared.
    STEP(stmt, RUSTDB_ROW);
    CHECK(column_i64(stmt, 1) == -7);
    rustdb_clear_bindings(stmt);
    OK(rustdb_bind_date(stmt, 8, INT32_MAX, &err));
    OK(rustdb_bind_timestamp(stmt, 9, INT64_MIN, &err));
    OK(rustdb_bind_blob(stmt, 6, NULL, 0, &err));
    STEP(stmt, RUSTDB_ROW);
    CHECK(rustdb_column_is_null(stmt, 1));
    CHECK(strcmp(column_text(stmt, 7), "infinity") == 0 && column_i64(stmt, 7) == INT64_MAX);
    CHECK(strcmp(column_text(stmt, 8), "-infinity") == 0 && column_i64(stmt, 8) == INT64_MIN);
    OK(rustdb_column_blob(stmt, 5, &blob, &length, &err));
    CHECK(blob != NULL && length == 0);
    OK(rustdb_column_blob(stmt, 1, &blob, &length, &err));
    CHECK(blob == NULL && length == 0);
    rustdb_finalize(stmt);

    // A value that the type cannot have is an error of the step, and the statement can be run again.
    stmt = prepare(conn, "SELECT $small::int2 AS \"the column\", $other::text");
    CHECK(strcmp(rustdb_column_name(stmt, 0), "the column") == 0);
    CHECK(rustdb_param_index(stmt, "small") == 1 && rustdb_param_index(stmt, "other") == 2);
    CHECK(rustdb_param_index(stmt, "none") == 0 && rustdb_param_index(stmt, NULL) == 0);
    OK(rustdb_bind_i32(stmt, 1, 70000, &err));
    FAILS(rustdb_step(stmt, &err), RUSTDB_ERROR, "22003");
    OK(rustdb_bind_i32(stmt, 1, 7, &err));
    STEP(stmt, RUSTDB_ROW);
    CHECK(column_i64(stmt, 0) == 7);
    rustdb_finalize(stmt);
}

static void many_rows(rustdb_conn *conn) {
    rustdb_stmt *stmt = prepare(conn, "SELECT g, 'row ' || g FROM generate_series(1, 5000) AS g");
    rustdb_stmt *other = prepare(conn, "SELECT 1");
    int64_t expected = 0;
    rustdb_status status;
    while ((status = rustdb_step(stmt, &err)) == RUSTDB_ROW) {
        char text[32];
        expected++;
        CHECK(column_i64(stmt, 0) == expected);
        snprintf(text, sizeof text, "row %" PRId64, expected);
        CHECK(strcmp(column_text(stmt, 1), text) == 0);
        if (expected == 1000) {
            // Another statement does not disturb the rows of this one.
            STEP(other, RUSTDB_ROW);
            rustdb_reset(other);
        }
    }
    CHECK(status == RUSTDB_DONE && expected == 5000);
    rustdb_finalize(other);
    // Left in the middle.
    STEP(stmt, RUSTDB_ROW);
    rustdb_finalize(stmt);
}

struct runner {
    rustdb_conn *conn;
    rustdb_status status;
    char sqlstate[6];
    pthread_mutex_t mutex;
    bool done;
};

static void *run_forever(void *argument) {
    struct runner *runner = argument;
    rustdb_error *error = NULL;
    rustdb_status status = rustdb_exec(
        runner->conn,
        "SELECT count(*) FROM generate_series(1, 100000000) a CROSS JOIN generate_series(1, 100000000) b", &error);
    pthread_mutex_lock(&runner->mutex);
    runner->status = status;
    if (error != NULL) memcpy(runner->sqlstate, rustdb_error_sqlstate(error), 6);
    runner->done = true;
    pthread_mutex_unlock(&runner->mutex);
    rustdb_error_free(error);
    return NULL;
}

static void interruption(rustdb_conn *conn) {
    struct runner runner = {.conn = conn, .mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run_forever, &runner) == 0);
    bool done = false;
    while (!done) {
        // Nothing happens before the statement has begun.
        rustdb_interrupt(conn);
        pthread_mutex_lock(&runner.mutex);
        done = runner.done;
        pthread_mutex_unlock(&runner.mutex);
    }
    pthread_join(thread, NULL);
    CHECK(runner.status == RUSTDB_ERROR && strcmp(runner.sqlstate, "57014") == 0);
    OK(rustdb_exec(conn, "SELECT 1", &err));
}

int main(void) {
    versions();
    opening();
    null_handles();

    rustdb_db *db = NULL;
    rustdb_conn *conn = NULL;
    OK(rustdb_open(":memory:", NULL, &db, &err));
    OK(rustdb_connect(db, &conn, &err));
    errors(conn);
    transactions(conn);
    binding(conn);
    many_rows(conn);
    interruption(conn);
    OK(rustdb_disconnect(conn, &err));
    OK(rustdb_close(db, &err));
    puts("ok");
    return 0;
}
