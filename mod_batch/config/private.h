/*
 * What the files of config/ share among themselves: the list of the settings, and the
 * configuration records as httpd keeps them for servers and directories.
 */
#ifndef BATCH_CONFIG_PRIVATE_H
#define BATCH_CONFIG_PRIVATE_H

#include "config/config.h"

extern module AP_MODULE_DECLARE_DATA batch_module;

/* Where the module's database is unless BatchDBDParams says otherwise; make install makes it. */
#ifndef BATCH_STATE_DIR
#define BATCH_STATE_DIR "/var/lib/apache2/batch"
#endif

#define BATCH_MILLISECOND (APR_USEC_PER_SEC / 1000)
#define BATCH_SECOND      APR_USEC_PER_SEC
#define BATCH_HOUR        (APR_USEC_PER_SEC * 3600)
#define BATCH_MEBIBYTE    (1024 * 1024)

/*
 * The directives that take one value in server context, the only source of their names, kinds,
 * defaults and bounds: X(SYMBOL, "Directive", KIND, default text, default number, least, greatest,
 * "what it takes"). TEXT has a default text; NUMBER, BYTES and INTERVAL (microseconds) have a
 * default number.
 */
#define BATCH_SETTING_LIST(X)                                                                      \
    X(DRIVER, "BatchDBDriver", TEXT, "sqlite3", 0, 0, 0, "the name of an apr_dbd driver")          \
    X(PARAMS, "BatchDBDParams", TEXT, BATCH_STATE_DIR "/batch.db", 0, 0, 0,                        \
      "the database, as the apr_dbd driver takes it")                                              \
    X(WORKERS, "BatchWorkers", NUMBER, NULL, 2, 0, 128,                                            \
      "worker threads of this node, over all its children")                                        \
    X(CHUNK_TIME, "BatchChunkTime", INTERVAL, NULL, 100 * BATCH_MILLISECOND, BATCH_MILLISECOND,    \
      10 * BATCH_SECOND, "the time aimed for in one chunk's transaction")                          \
    X(LEASE, "BatchLease", INTERVAL, NULL, 30 * BATCH_SECOND, BATCH_SECOND, 24 * BATCH_HOUR,       \
      "how long a worker may stay silent before another takes its batch over")                     \
    X(TIMEOUT, "BatchTimeout", INTERVAL, NULL, BATCH_HOUR, BATCH_SECOND, 24 * 365 * BATCH_HOUR,    \
      "how long a batch may take from the start of its processing")                                \
    X(RETENTION, "BatchRetention", INTERVAL, NULL, 30 * 24 * BATCH_HOUR, BATCH_SECOND,             \
      100 * 365 * 24 * BATCH_HOUR, "how long a batch is kept when it has ended")                   \
    X(MAX_OBJECTS, "BatchMaxObjects", NUMBER, NULL, 10000, 1, 10000000,                            \
      "records API: distinct objects in one batch")                                                \
    X(MAX_ITEMS, "BatchMaxItems", NUMBER, NULL, 1000000, 1, 50000000,                              \
      "resources API: items in one batch")                                                         \
    X(MAX_ITEM_SIZE, "BatchMaxItemSize", BYTES, NULL, BATCH_MEBIBYTE, 100, 64 * BATCH_MEBIBYTE,    \
      "resources API: bytes of one item")                                                          \
    X(SYNC_MAX_ITEMS, "BatchSyncMaxItems", NUMBER, NULL, 1000, 1, 100000,                          \
      "resources API: items in one batch with the mode sync")                                      \
    X(URL_TTL, "BatchURLTTL", INTERVAL, NULL, 15 * 60 * BATCH_SECOND, BATCH_SECOND,                \
      30 * 24 * BATCH_HOUR, "how long a signed URL is valid, and a batch waits for its upload")    \
    X(QUERY_TIMEOUT, "BatchQueryTimeout", INTERVAL, NULL, 10 * BATCH_SECOND,                       \
      10 * BATCH_MILLISECOND, BATCH_HOUR, "how long a query may take")                             \
    X(QUERY_ROWS, "BatchQueryRows", NUMBER, NULL, 200000, 1, 100000000,                            \
      "rows that a query with joins, subqueries or groups may copy")                               \
    X(QUERY_MEMORY, "BatchQueryMemory", BYTES, NULL, 128 * BATCH_MEBIBYTE, BATCH_MEBIBYTE,         \
      65536LL * BATCH_MEBIBYTE, "bytes of memory that a query may use")

typedef enum {
    BATCH_SETTING_TEXT,
    BATCH_SETTING_NUMBER,
    BATCH_SETTING_BYTES,
    BATCH_SETTING_INTERVAL
} batch_setting_kind_e;

#define BATCH_SETTING_INDEX(symbol, ...) BATCH_INDEX_##symbol,
typedef enum { BATCH_SETTING_LIST(BATCH_SETTING_INDEX) BATCH_INDEX_COUNT } batch_setting_index_e;

/** One line of the list above. */
typedef struct batch_setting_spec {
    const char *directive;
    batch_setting_kind_e kind;
    const char *text;
    apr_int64_t number;
    apr_int64_t least;
    apr_int64_t greatest;
} batch_setting_spec_t;

extern const batch_setting_spec_t batch_setting_specs[BATCH_INDEX_COUNT];

/** A value as it was given. */
typedef struct batch_setting {
    int set; /* 0: not given here */
    const char *text;
    apr_int64_t number;
    const char *file; /* where it was given */
    int line;
} batch_setting_t;

/** A <BatchResource> while it is read, and what it has become. */
typedef struct batch_section {
    batch_resource_t resource;
    unsigned given; /* bit of each inner directive that was given */
} batch_section_t;

/** What a server's configuration says, and after batch_config_check what is in effect. */
typedef struct batch_server_config {
    batch_setting_t settings[BATCH_INDEX_COUNT];
    apr_hash_t *sections;     /* name -> batch_section_t *, those of this server and inherited */
    apr_hash_t *own;          /* name -> batch_section_t *, those of this very server */
    batch_section_t *current; /* the section that is being read, NULL outside of one */
    const batch_url_secrets_t *url_secrets; /* NULL: not given here */
    int declared; /* one of our server directives was given in this very server */
    batch_settings_t effective;
} batch_server_config_t;

/** A string expression of an identity directive. */
typedef struct batch_expression {
    int set;              /* 0: not given here */
    ap_expr_info_t *expr; /* NULL: the empty string */
} batch_expression_t;

/** What a directory's configuration says. */
typedef struct batch_directory_config {
    batch_expression_t user_id;
    batch_expression_t user_name;
    batch_expression_t organization;
    int anonymous;          /* -1: not given here */
    const char *token_file; /* NULL: not given here */
} batch_directory_config_t;

/** The BatchAllow expressions of a resource (batch_resource_t.permissions). */
typedef struct batch_permissions {
    ap_expr_info_t *allow[BATCH_ACTION_COUNT]; /* NULL: everybody */
    int lines[BATCH_ACTION_COUNT];             /* where each was given */
} batch_permissions_t;

/** The server's record, from its module_config. */
batch_server_config_t *batch_server_config(const server_rec *s);

/**
 * Reads a whole number, a size or a time. number: the value, for a size in bytes, for a time in
 * microseconds. Returns NULL, or the sentence that says what is wrong with the word and what is
 * allowed, in p.
 */
const char *batch_number_parse(apr_int64_t *number, const char *word,
                               const batch_setting_spec_t *spec, apr_pool_t *p);
const char *batch_bytes_parse(apr_int64_t *bytes, const char *word,
                              const batch_setting_spec_t *spec, apr_pool_t *p);
const char *batch_interval_parse(apr_int64_t *interval, const char *word,
                                 const batch_setting_spec_t *spec, apr_pool_t *p);

/** The handler of the <BatchResource section. */
const char *batch_resource_section(cmd_parms *cmd, void *directory, const char *arguments);

/** The handler of BatchURLSecretFile: reads the files. */
const char *batch_secret_files(cmd_parms *cmd, void *directory, const char *path,
                               const char *older_path);

/** The inner directives: X(SYMBOL, "Directive", repeated, least, greatest arguments, "usage"). */
#define BATCH_INNER_LIST(X)                                                                        \
    X(TABLE, "BatchTable", 0, 1, 1, "TABLE")                                                       \
    X(KEY, "BatchKey", 0, 2, 2, "COLUMN generated|client|database")                                \
    X(MATCH, "BatchMatch", 0, 1, 16, "COLUMN [COLUMN] ...")                                        \
    X(SCOPE, "BatchScope", 0, 1, 1, "COLUMN")                                                      \
    X(COLUMN, "BatchColumn", 1, 2, 8,                                                              \
      "COLUMN TYPE [required] [immutable] [readonly] [max=N] [min=N] [enum=A,B,...]")              \
    X(ACTIONS, "BatchActions", 0, 1, 8, "ACTION [ACTION] ...")                                     \
    X(STAMP, "BatchStamp", 0, 2, 4,                                                                \
      "CREATED_AT UPDATED_AT [CREATED_BY_ID UPDATED_BY_ID], - for none")                           \
    X(ALLOW, "BatchAllow", 1, 2, 2, "ACTION EXPRESSION (in quotes if it has spaces)")              \
    X(FORM, "BatchForm", 0, 2, 5, "COLUMN TABLE [id=COLUMN] [scope=COLUMN] [name=COLUMN]")         \
    X(QUERY_COLUMN, "BatchQueryColumn", 1, 2, 2, "NAME COLUMN, NAME - hides the column")           \
    X(QUERY_MEMBERS, "BatchQueryMembers", 0, 1, 1, "COLUMN, - for none")

#define BATCH_INNER_INDEX(symbol, ...) BATCH_INNER_##symbol,
typedef enum { BATCH_INNER_LIST(BATCH_INNER_INDEX) BATCH_INNER_COUNT } batch_inner_e;

/** An inner directive, as its line in the list says. */
typedef struct batch_inner_spec {
    const char *directive;
    const char *usage;
    const char *(*read)(batch_section_t *section, cmd_parms *cmd, int argc, char *const argv[]);
    batch_inner_e index;
    int repeated;
    int least;
    int greatest;
} batch_inner_spec_t;

extern const batch_inner_spec_t batch_inner_specs[BATCH_INNER_COUNT];

/** The handler of every inner directive; its cmd_data is a batch_inner_spec_t. */
const char *batch_inner_directive(cmd_parms *cmd, void *directory, int argc, char *const argv[]);

/** Reads the arguments of a BatchColumn into *column. NULL, or what is wrong with them. */
const char *batch_column_read(batch_column_t *column, int argc, char *const argv[], apr_pool_t *p);

/** NULL, or why name cannot be the name of a table or column; what: "table" or "column". */
const char *batch_identifier_check(const char *what, const char *name, apr_pool_t *p);

/** What is wrong with a section as a whole: NULL, or the sentence. */
const char *batch_section_check(const batch_section_t *section, apr_pool_t *p);

/** 1 if both mean the same tables, columns and rules, wherever they were declared. */
int batch_resource_same(const batch_resource_t *a, const batch_resource_t *b);

#endif
