/* The functions of the language for the sandbox: the same as the first way has. */
#include "query/sandbox.h"

#include <string.h>

static batch_query_room_t *room_of(sqlite3_context *context)
{
    return sqlite3_user_data(context);
}

static batch_query_value_t value_of(sqlite3_value *value)
{
    batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};
    const char *text;

    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        return batch_query_integer_value(sqlite3_value_int64(value));
    case SQLITE_FLOAT:
        return batch_query_number_value(sqlite3_value_double(value));
    case SQLITE_TEXT:
        text = (const char *)sqlite3_value_text(value);
        return text ? batch_query_text_value(text, (apr_size_t)sqlite3_value_bytes(value))
                    : nothing;
    default:
        return nothing;
    }
}

static batch_query_value_t text_of(sqlite3_context *context, sqlite3_value *value)
{
    batch_query_value_t any = value_of(value);

    return batch_query_convert(&any, BATCH_QUERY_TEXT, room_of(context));
}

static void answer(sqlite3_context *context, const batch_query_value_t *value)
{
    batch_query_room_t *room = room_of(context);
    char text[40];

    switch (value->kind) {
    case BATCH_QUERY_BOOLEAN:
    case BATCH_QUERY_INTEGER:
        sqlite3_result_int64(context, value->integer);
        break;
    case BATCH_QUERY_NUMBER:
        sqlite3_result_double(context, value->number);
        break;
    case BATCH_QUERY_TEXT:
        (void)batch_query_work(room, value->length / 16); /* to copy it */
        sqlite3_result_text(context, value->text, (int)value->length, SQLITE_TRANSIENT);
        break;
    case BATCH_QUERY_DATE:
    case BATCH_QUERY_TIMESTAMP:
        batch_query_time_format(text, value->integer, value->kind);
        sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
        break;
    default:
        sqlite3_result_null(context);
        break;
    }
    if (room->over) {
        sqlite3_result_error(context, "too much work for one value", -1);
    }
    room->used = 0;
    room->over = 0;
    if (room->dirty) {
        apr_pool_clear(room->p);
        room->dirty = 0;
    }
}

/* ---- LIKE ------------------------------------------------------------------------------------ */

/* SQLite calls like(pattern, text, escape) for text LIKE pattern ESCAPE escape. */
static void match(sqlite3_context *context, int count, sqlite3_value **values, int fold)
{
    batch_query_room_t *room = room_of(context);
    batch_query_value_t pattern = text_of(context, values[0]), text = text_of(context, values[1]);
    batch_query_value_t escape = batch_query_text_value("\\", 1), truth = {0};

    if (count > 2) {
        escape = text_of(context, values[2]);
    }
    if (fold && pattern.kind == BATCH_QUERY_TEXT && text.kind == BATCH_QUERY_TEXT) {
        pattern = batch_query_fold(&pattern, 0, room);
        text = batch_query_fold(&text, 0, room);
    }
    if (pattern.kind == BATCH_QUERY_TEXT && text.kind == BATCH_QUERY_TEXT &&
        escape.kind == BATCH_QUERY_TEXT) {
        truth = batch_query_boolean_value(batch_query_like(&text, &pattern, &escape, room));
    }
    answer(context, &truth);
}

static void call_like(sqlite3_context *context, int count, sqlite3_value **values)
{
    match(context, count, values, 0);
}

static void call_ilike(sqlite3_context *context, int count, sqlite3_value **values)
{
    match(context, count, values, 1);
}

/* ---- The others ------------------------------------------------------------------------------ */

static void call_lower(sqlite3_context *context, int count, sqlite3_value **values)
{
    batch_query_value_t text = text_of(context, values[0]);

    (void)count;
    if (text.kind == BATCH_QUERY_TEXT) {
        text = batch_query_fold(&text, 0, room_of(context));
    }
    answer(context, &text);
}

static void call_upper(sqlite3_context *context, int count, sqlite3_value **values)
{
    batch_query_value_t text = text_of(context, values[0]);

    (void)count;
    if (text.kind == BATCH_QUERY_TEXT) {
        text = batch_query_fold(&text, 1, room_of(context));
    }
    answer(context, &text);
}

static void trim(sqlite3_context *context, int count, sqlite3_value **values, int sides)
{
    batch_query_value_t text = text_of(context, values[0]);
    batch_query_value_t set = batch_query_text_value(" ", 1);
    batch_query_value_t nothing = {.kind = BATCH_QUERY_NULL};

    if (count > 1) {
        set = text_of(context, values[1]);
    }
    if (text.kind == BATCH_QUERY_TEXT && set.kind == BATCH_QUERY_TEXT) {
        nothing = batch_query_trim(&text, &set, sides, room_of(context));
    }
    answer(context, &nothing);
}

static void call_ltrim(sqlite3_context *context, int count, sqlite3_value **values)
{
    trim(context, count, values, 1);
}

static void call_rtrim(sqlite3_context *context, int count, sqlite3_value **values)
{
    trim(context, count, values, 2);
}

static void call_trim(sqlite3_context *context, int count, sqlite3_value **values)
{
    trim(context, count, values, 3);
}

static void call_length(sqlite3_context *context, int count, sqlite3_value **values)
{
    batch_query_value_t text = text_of(context, values[0]);

    (void)count;
    if (text.kind == BATCH_QUERY_TEXT) {
        text = batch_query_integer_value(batch_query_length(&text, room_of(context)));
    }
    answer(context, &text);
}

static void call_substr(sqlite3_context *context, int count, sqlite3_value **values)
{
    batch_query_value_t text = text_of(context, values[0]), part = {0};

    if (text.kind == BATCH_QUERY_TEXT && sqlite3_value_type(values[1]) != SQLITE_NULL &&
        (count < 3 || sqlite3_value_type(values[2]) != SQLITE_NULL)) {
        part = batch_query_substr(&text, sqlite3_value_int64(values[1]),
                                  count > 2 ? sqlite3_value_int64(values[2]) : APR_INT64_MAX,
                                  room_of(context));
    }
    answer(context, &part);
}

static void convert(sqlite3_context *context, sqlite3_value *value, batch_query_kind_e kind)
{
    batch_query_value_t from = value_of(value);

    from = batch_query_convert(&from, kind, room_of(context));
    answer(context, &from);
}

/* CAST(value AS kind) */
static void call_cast(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *name = (const char *)sqlite3_value_text(values[1]);
    int kind;

    (void)count;
    for (kind = BATCH_QUERY_BOOLEAN; kind <= BATCH_QUERY_TIMESTAMP; kind++) {
        if (name && !strcmp(name, batch_query_kind_name((batch_query_kind_e)kind))) {
            convert(context, values[0], (batch_query_kind_e)kind);
            return;
        }
    }
    sqlite3_result_null(context);
}

static void call_date(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    convert(context, values[0], BATCH_QUERY_DATE);
}

static void call_now(sqlite3_context *context, int count, sqlite3_value **values)
{
    batch_query_value_t now = {.kind = BATCH_QUERY_TIMESTAMP, .integer = apr_time_now()};

    (void)count;
    (void)values;
    answer(context, &now);
}

int batch_sandbox_functions(sqlite3 *database, batch_query_room_t *room)
{
    static const struct {
        const char *name;
        int count;
        void (*call)(sqlite3_context *context, int count, sqlite3_value **values);
    } functions[] = {
        {"like", 2, call_like},           {"like", 3, call_like},
        {"glob", 2, call_ilike},          {"glob", 3, call_ilike},
        {"batch_lower", 1, call_lower},   {"batch_upper", 1, call_upper},
        {"batch_trim", 1, call_trim},     {"batch_trim", 2, call_trim},
        {"batch_ltrim", 1, call_ltrim},   {"batch_ltrim", 2, call_ltrim},
        {"batch_rtrim", 1, call_rtrim},   {"batch_rtrim", 2, call_rtrim},
        {"batch_length", 1, call_length}, {"batch_substr", 2, call_substr},
        {"batch_substr", 3, call_substr}, {"batch_cast", 2, call_cast},
        {"batch_date", 1, call_date},     {"batch_now", 0, call_now},
    };
    int code = SQLITE_OK;
    size_t i;

    for (i = 0; code == SQLITE_OK && i < sizeof(functions) / sizeof(*functions); i++) {
        code = sqlite3_create_function_v2(database, functions[i].name, functions[i].count,
                                          SQLITE_UTF8 | SQLITE_DETERMINISTIC, room,
                                          functions[i].call, NULL, NULL, NULL);
    }
    return code;
}

int batch_sandbox_bind(sqlite3_stmt *statement, int number, const batch_query_value_t *value)
{
    char text[40];

    switch (value->kind) {
    case BATCH_QUERY_BOOLEAN:
    case BATCH_QUERY_INTEGER:
        return sqlite3_bind_int64(statement, number, value->integer);
    case BATCH_QUERY_NUMBER:
        return sqlite3_bind_double(statement, number, value->number);
    case BATCH_QUERY_TEXT:
        return sqlite3_bind_text(statement, number, value->text, (int)value->length,
                                 SQLITE_TRANSIENT);
    case BATCH_QUERY_DATE:
    case BATCH_QUERY_TIMESTAMP:
        batch_query_time_format(text, value->integer, value->kind);
        return sqlite3_bind_text(statement, number, text, -1, SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_null(statement, number);
    }
}
