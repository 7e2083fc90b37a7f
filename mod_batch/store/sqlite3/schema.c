/* SQLite: the module's own tables. */
#include "store/sqlite3/statements.h"

/* What triggers do to the count of an organization's jobs in an API, of those that lists show. */
#define COUNT_ADDED                                                                                \
    " INSERT INTO batch_counts (organization, api, jobs) VALUES (new.organization, new.api, 1)"    \
    " ON CONFLICT (organization, api) DO UPDATE SET jobs = jobs + 1;"
#define COUNT_REMOVED                                                                              \
    " UPDATE batch_counts SET jobs = jobs - 1"                                                     \
    " WHERE organization = old.organization AND api = old.api;"

const batch_schema_step_t batch_sqlite3_schema[] = {
    BATCH_STEP(BATCH_TABLE_JOBS("INTEGER PRIMARY KEY", "INTEGER", "TEXT") ")"),
    /* place: statements.c */
    BATCH_STEP(BATCH_TABLE_ITEMS("place INTEGER PRIMARY KEY, ", "INTEGER", "TEXT") ")"),
    BATCH_STEP(BATCH_TABLE_ERRORS("INTEGER", "TEXT")), BATCH_STEP(BATCH_TABLE_SECRETS("TEXT")),
    BATCH_STEP(BATCH_TABLE_LEFTOVERS("INTEGER")), BATCH_STEP(BATCH_TABLE_KEPT("INTEGER", "TEXT")),
    /* How many jobs there are, whoever adds or removes one. */
    BATCH_STEP("CREATE TABLE IF NOT EXISTS batch_counts ("
               " organization TEXT NOT NULL,"
               " api TEXT NOT NULL,"
               " jobs INTEGER NOT NULL,"
               " PRIMARY KEY (organization, api)) WITHOUT ROWID"),
    /* AUTOINCREMENT would write the highest seq with each job; here only where that goes. */
    BATCH_STEP("CREATE TABLE IF NOT EXISTS batch_last (id INTEGER PRIMARY KEY, seq INTEGER"
               " NOT NULL)"),
    BATCH_STEP("INSERT OR IGNORE INTO batch_last VALUES (1, 0)"),
    /* Those of an older version would count otherwise. */
    BATCH_STEP("DROP TRIGGER IF EXISTS batch_jobs_added"),
    BATCH_STEP("DROP TRIGGER IF EXISTS batch_jobs_removed"),
    BATCH_STEP("DROP TRIGGER IF EXISTS batch_jobs_received"), BATCH_STEPS_2, BATCH_STEPS_3,
    BATCH_STEPS_3_KEPT, BATCH_STEPS_INDEXES, BATCH_STEP(BATCH_INDEX_OF_RECORDS(updated_at)),
    BATCH_STEP("CREATE TRIGGER batch_jobs_added AFTER INSERT ON batch_jobs"
               " WHEN new.status <> 'receiving' BEGIN" COUNT_ADDED " END"),
    BATCH_STEP("CREATE TRIGGER batch_jobs_removed AFTER DELETE ON batch_jobs"
               " WHEN old.status <> 'receiving' BEGIN" COUNT_REMOVED " END"),
    BATCH_STEP("CREATE TRIGGER batch_jobs_received AFTER UPDATE OF status ON batch_jobs"
               " WHEN old.status = 'receiving' AND new.status <> 'receiving'"
               " BEGIN" COUNT_ADDED " END"),
    BATCH_STEP("CREATE TRIGGER IF NOT EXISTS batch_jobs_last AFTER DELETE ON batch_jobs"
               " WHEN old.seq > coalesce((SELECT max(seq) FROM batch_jobs), 0) "
               "BEGIN UPDATE batch_last SET seq = old.seq WHERE id = 1 AND seq < old.seq; END"),
    BATCH_STEP("DELETE FROM batch_counts"),
    BATCH_STEP("INSERT INTO batch_counts SELECT organization, api, count(*) FROM batch_jobs"
               " WHERE " BATCH_SQL_TEXT_SHOWN " GROUP BY 1, 2"),
    BATCH_STEP_END};
