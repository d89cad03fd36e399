// RustDB for C and C++. Generated from bindings/c/src by cbindgen; `make docs` writes it anew.
//
// Results: a function that can fail returns a rustdb_status and takes a rustdb_error **err last. It sets *err to NULL,
// or to an error that the caller frees with rustdb_error_free; err may be NULL. An object comes out through
// X **out, which is NULL after a failure.
//
// Ownership: each object has one owner and one function that frees it: rustdb_close, rustdb_disconnect,
// rustdb_finalize, rustdb_config_free, rustdb_error_free. All of them accept NULL. A database is closed after its
// connections and a connection after its statements; else the result is RUSTDB_BUSY and nothing is freed. A
// const char * from a getter belongs to the object and lives until the next step, reset or finalize of the statement.
//
// Threads: any thread may use a rustdb_db, and call rustdb_interrupt. A connection and its statements are used by one
// thread at a time.
//
// Handles and pointers that are not what the function's text says are undefined behaviour; NULL handles, numbers out
// of range and text that is not UTF-8 are errors.

#ifndef RUSTDB_H
#define RUSTDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// As a length: the text ends at its NUL.
#define RUSTDB_NUL_TERMINATED SIZE_MAX

// The number of the binary interface. A program can use a library whose number is the one of its header.
#define RUSTDB_ABI_VERSION 1

// What a function came to.
typedef enum {
    // Done.
    RUSTDB_OK = 0,
    // The database refused: the error's SQLSTATE says why.
    RUSTDB_ERROR = 1,
    // A call that breaks the rules of this header: a null handle, a value of no row.
    RUSTDB_MISUSE = 2,
    // No parameter or column has that number.
    RUSTDB_RANGE = 3,
    // The handle has children that are in use; nothing was freed.
    RUSTDB_BUSY = 4,
    // A fault of the library. The connection accepts no further calls but `rustdb_disconnect`.
    RUSTDB_INTERNAL = 5,
    // `rustdb_step`: there is a row.
    RUSTDB_ROW = 100,
    // `rustdb_step`: there are no more rows.
    RUSTDB_DONE = 101,
} rustdb_status;

// Options for opening a database.
typedef struct rustdb_config rustdb_config;

// A connection. One thread at a time uses it and its statements; only `rustdb_interrupt` may come from any other.
typedef struct rustdb_conn rustdb_conn;

// An open database. Any thread may use it.
typedef struct rustdb_db rustdb_db;

// An error. Its owner is whoever passed the out-pointer; `rustdb_error_free` frees it.
typedef struct rustdb_error rustdb_error;

// A prepared statement.
typedef struct rustdb_stmt rustdb_stmt;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The library's version, such as "0.1.0".
const char *rustdb_version(void);

// `RUSTDB_ABI_VERSION` as the library has it.
uint32_t rustdb_abi_version(void);

// The status that the failed call returned; `RUSTDB_OK` of no error.
rustdb_status rustdb_error_code(const rustdb_error *error);

// The SQLSTATE, five characters; null of no error.
const char *rustdb_error_sqlstate(const rustdb_error *error);

// What went wrong, one line in UTF-8; null of no error.
const char *rustdb_error_message(const rustdb_error *error);

// More about it, such as the key that was there already; null if there is nothing to add.
const char *rustdb_error_detail(const rustdb_error *error);

// What may help; null if nothing is known to.
const char *rustdb_error_hint(const rustdb_error *error);

// Where in the statement's text, counted in characters from 1; 0 if nowhere in particular.
uint32_t rustdb_error_position(const rustdb_error *error);

// Frees an error.
void rustdb_error_free(rustdb_error *error);

// Makes options that change nothing. `rustdb_config_free` frees them.
rustdb_status rustdb_config_new(rustdb_config **out, rustdb_error **err);

// Sets one option: `memory_limit` ("256MB"), `threads`, `page_size` (of a database that is made), or any setting
// that SET knows, for all connections. An unknown name or a value that does not fit is refused here.
rustdb_status rustdb_config_set(rustdb_config *config,
                                const char *name,
                                const char *value,
                                rustdb_error **err);

// Frees options. Databases opened with them do not need them any more.
void rustdb_config_free(rustdb_config *config);

// Opens a database, or makes it if the file is not there: "app.db", "rustdb:app.db?memory_limit=256MB", or one in
// memory, ":memory:" for one of its own and "rustdb::memory:name" for one that the process shares. `config` may be
// null. `rustdb_close` closes it.
rustdb_status rustdb_open(const char *location,
                          const rustdb_config *config,
                          rustdb_db **out,
                          rustdb_error **err);

// Closes a database and frees the handle, also if the last write to the file fails. While it has connections it
// stays as it is and the result is `RUSTDB_BUSY`. Null is closed already.
rustdb_status rustdb_close(rustdb_db *db,
                           rustdb_error **err);

// Frees the handle; the database closes with its last connection.
void rustdb_close_deferred(rustdb_db *db);

// Connects. `rustdb_disconnect` ends the connection.
rustdb_status rustdb_connect(const rustdb_db *db, rustdb_conn **out, rustdb_error **err);

// Ends a connection and frees the handle; an open transaction is rolled back. While it has statements it stays as it
// is and the result is `RUSTDB_BUSY`. Null is ended already.
rustdb_status rustdb_disconnect(rustdb_conn *conn,
                                rustdb_error **err);

// Cancels the statement that runs on the connection, if one does: it fails with SQLSTATE 57014. Any thread may call
// it, also while another is inside a call on this connection.
void rustdb_interrupt(const rustdb_conn *conn);

// Begins a transaction, as BEGIN does.
rustdb_status rustdb_begin(const rustdb_conn *conn, rustdb_error **err);

// Commits the transaction. If a statement of it failed it is rolled back, as COMMIT does; `rustdb_in_transaction`
// tells beforehand.
rustdb_status rustdb_commit(const rustdb_conn *conn,
                            rustdb_error **err);

// Rolls the transaction back, as ROLLBACK does.
rustdb_status rustdb_rollback(const rustdb_conn *conn, rustdb_error **err);

// Whether the connection is inside a transaction block.
bool rustdb_in_transaction(const rustdb_conn *conn);

// How many rows the last statement changed that ran to its end on this connection; 0 if it was none that changes
// rows.
uint64_t rustdb_changes(const rustdb_conn *conn);

// Runs any number of statements, separated by semicolons, and drops their rows. Outside of a transaction block they
// are one transaction.
rustdb_status rustdb_exec(const rustdb_conn *conn,
                          const char *sql,
                          rustdb_error **err);

// Prepares the first statement of a text of `length` bytes, or up to its NUL with `RUSTDB_NUL_TERMINATED`. `tail`, if
// not null, is pointed at what follows the statement. A text without a statement gives `RUSTDB_OK` and a null `out`.
// `rustdb_finalize` frees the statement.
rustdb_status rustdb_prepare(const rustdb_conn *conn,
                             const char *sql,
                             size_t length,
                             rustdb_stmt **out,
                             const char **tail,
                             rustdb_error **err);

// Runs the statement to its next row: `RUSTDB_ROW`, `RUSTDB_DONE` behind the last one, or an error. The first step
// and the one after `RUSTDB_DONE`, an error or `rustdb_reset` run the statement anew.
rustdb_status rustdb_step(rustdb_stmt *stmt,
                          rustdb_error **err);

// Leaves the rows that were not fetched, so that parameters can be bound and the statement run again. Values that
// are bound stay.
void rustdb_reset(rustdb_stmt *stmt);

// Resets the statement and sets all parameters to NULL.
void rustdb_clear_bindings(rustdb_stmt *stmt);

// Frees a statement, rows that were not fetched included.
void rustdb_finalize(rustdb_stmt *stmt);

// How many parameters the statement has.
size_t rustdb_param_count(const rustdb_stmt *stmt);

// The number of the parameter that the statement writes as `$name` or `:name`; 0 if it has none of that name.
size_t rustdb_param_index(const rustdb_stmt *stmt, const char *name);

// The type of a parameter as an oid of PostgreSQL's catalog; 0 if there is none of that number.
uint32_t rustdb_param_type(const rustdb_stmt *stmt, size_t number);

// Binds NULL to a parameter; parameters are numbered from 1.
rustdb_status rustdb_bind_null(rustdb_stmt *stmt, size_t number, rustdb_error **err);

// Binds a boolean.
rustdb_status rustdb_bind_bool(rustdb_stmt *stmt, size_t number, bool value, rustdb_error **err);

// Binds an integer.
rustdb_status rustdb_bind_i32(rustdb_stmt *stmt, size_t number, int32_t value, rustdb_error **err);

// Binds a bigint.
rustdb_status rustdb_bind_i64(rustdb_stmt *stmt, size_t number, int64_t value, rustdb_error **err);

// Binds a double precision number.
rustdb_status rustdb_bind_f64(rustdb_stmt *stmt, size_t number, double value, rustdb_error **err);

// Binds a text in UTF-8, copied, of `length` bytes or `RUSTDB_NUL_TERMINATED`. A parameter of another type reads it
// as it would a quoted literal.
rustdb_status rustdb_bind_text(rustdb_stmt *stmt,
                               size_t number,
                               const char *value,
                               size_t length,
                               rustdb_error **err);

// Binds bytes, copied.
rustdb_status rustdb_bind_blob(rustdb_stmt *stmt,
                               size_t number,
                               const void *value,
                               size_t length,
                               rustdb_error **err);

// Binds a decimal number written as text, such as "-12.50".
rustdb_status rustdb_bind_decimal(rustdb_stmt *stmt, size_t number, const char *value, rustdb_error **err);

// Binds a date, as days since 1970-01-01; `INT32_MIN` and `INT32_MAX` are the infinities.
rustdb_status rustdb_bind_date(rustdb_stmt *stmt, size_t number, int32_t days, rustdb_error **err);

// Binds a point in time, as microseconds since 1970-01-01 00:00 UTC; `INT64_MIN` and `INT64_MAX` are the infinities.
// To a parameter of type `timestamp` they count from 1970-01-01 00:00 without a time zone.
rustdb_status rustdb_bind_timestamp(rustdb_stmt *stmt,
                                    size_t number,
                                    int64_t micros,
                                    rustdb_error **err);

// Binds a UUID of 16 bytes, the first the one that is written first.
rustdb_status rustdb_bind_uuid(rustdb_stmt *stmt, size_t number, const uint8_t *value, rustdb_error **err);

// How many columns the statement's rows have; 0 if it gives none. Columns are numbered from 0.
size_t rustdb_column_count(const rustdb_stmt *stmt);

// The name of a column, alive as long as the statement; null if there is none of that number.
const char *rustdb_column_name(const rustdb_stmt *stmt, size_t column);

// The type of a column as an oid of PostgreSQL's catalog (20 is bigint, 25 text); 0 if there is none of that number.
uint32_t rustdb_column_oid(const rustdb_stmt *stmt,
                           size_t column);

// Whether a value of the current row is NULL; true as well if there is no such value.
bool rustdb_column_is_null(const rustdb_stmt *stmt, size_t column);

// A value of the current row as a whole number: a boolean as 0 or 1, a date as days since 1970-01-01, a time as
// microseconds since midnight, a timestamp as microseconds since 1970-01-01 00:00 (UTC if it has a time zone),
// another number as CAST makes it a bigint. NULL gives 0.
rustdb_status rustdb_column_i64(rustdb_stmt *stmt,
                                size_t column,
                                int64_t *out,
                                rustdb_error **err);

// A number of the current row in double precision. NULL gives 0.
rustdb_status rustdb_column_f64(rustdb_stmt *stmt, size_t column, double *out, rustdb_error **err);

// A value of any type as text in UTF-8, as PostgreSQL writes it, with a NUL behind it that `length` does not count.
// NULL gives a null pointer. The text lives until the next step, reset or finalize; `length` may be null.
rustdb_status rustdb_column_text(rustdb_stmt *stmt,
                                 size_t column,
                                 const char **out,
                                 size_t *length,
                                 rustdb_error **err);

// The bytes of a bytea or text value. NULL gives a null pointer, a value without bytes one that is not null. They
// live until the next step, reset or finalize.
rustdb_status rustdb_column_blob(rustdb_stmt *stmt,
                                 size_t column,
                                 const void **out,
                                 size_t *length,
                                 rustdb_error **err);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RUSTDB_H */
