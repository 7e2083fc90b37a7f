/* A struct that is not what it is taken for ends the process, with a line in the log. */
/* needs: database */
#include "engine_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "engine/run_private.h"
#include "store/connection.h"
#include "store/tx.h"
#include "text/check.h"

struct thing {
    unsigned magic;
    int value;
};
#define THING_MAGIC 0x7716a9c1u
#define OTHER_MAGIC 0x7716a9c2u

/* What becomes of a process of its own that does this, and what it says. */
static const char *said(int *status, void (*work)(apr_pool_t *p), apr_pool_t *p)
{
    char text[1024] = "";
    size_t length = 0;
    ssize_t got;
    int ends[2];
    pid_t child;

    fflush(stdout);
    if (pipe(ends)) {
        return "no pipe";
    }
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        work(p);
        _exit(0);
    }
    close(ends[1]);
    while (length < sizeof(text) - 1 &&
           (got = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(ends[0]);
    waitpid(child, status, 0);
    return apr_pstrmemdup(p, text, length && text[length - 1] == '\n' ? length - 1 : length);
}

static void ends(void (*work)(apr_pool_t *p), const char *words, const char *name, apr_pool_t *p)
{
    int status = 0;
    const char *text = said(&status, work, p);

    ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%s ends the process", name);
    ok(strstr(text, "MB0601: ") && strstr(text, words), "and says so: %s", text);
}

static void as_it_is(apr_pool_t *p)
{
    struct thing thing = {THING_MAGIC, 3};
    void *baton = &thing;
    struct thing *taken = BATCH_CAST(struct thing, baton, THING_MAGIC);
    const struct thing *read = BATCH_CAST(const struct thing, baton, THING_MAGIC);

    (void)p;
    BATCH_CHECK(taken, THING_MAGIC);
    _exit(taken->value + read->value);
}

static void as_another(apr_pool_t *p)
{
    struct thing thing = {THING_MAGIC, 3};
    void *baton = &thing;

    (void)p;
    _exit(BATCH_CAST(struct thing, baton, OTHER_MAGIC)->value);
}

static void as_nothing(apr_pool_t *p)
{
    struct thing *thing = NULL;

    (void)p;
    BATCH_CHECK(thing, THING_MAGIC);
}

/* ---- Those of the module ----------------------------------------------------------------------
 */

static apr_status_t nothing(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)tx;
    (void)baton;
    (void)ptemp;
    return APR_SUCCESS;
}

static void tx_for_store(apr_pool_t *p)
{
    static batch_tx_t tx = {.magic = BATCH_TX_MAGIC};

    (void)batch_store_read((batch_store_t *)(void *)&tx, nothing, NULL, NULL, p);
}

static void store_for_tx(apr_pool_t *p)
{
    (void)p;
    (void)batch_tx_error((batch_tx_t *)(void *)engine.store);
}

static void engine_unmade(apr_pool_t *p)
{
    static batch_engine_t unmade;

    (void)p;
    (void)batch_engine_resource(&unmade, "record");
}

static apr_status_t break_connection(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)baton;
    (void)ptemp;
    tx->connection->magic++;
    (void)batch_connection_scratch(tx->connection);
    return APR_SUCCESS;
}

static void connection_damaged(apr_pool_t *p)
{
    (void)batch_store_read(engine.store, break_connection, NULL, NULL, p);
}

static apr_status_t break_state(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    (void)baton;
    (void)ptemp;
    *(unsigned *)tx->connection->state ^= 1; /* the magic is first in each driver's */
    return APR_SUCCESS;
}

static void state_damaged(apr_pool_t *p)
{
    (void)batch_store_write(engine.store, break_state, NULL, NULL, p);
    (void)batch_store_write(engine.store, break_state, NULL, NULL, p);
}

/* The baton of another transaction's body: what a slip in the code would be. */
static apr_status_t not_a_chunk(batch_tx_t *tx, void *baton, apr_pool_t *ptemp)
{
    return batch_chunk_body(tx, baton, ptemp);
}

static void another_baton(apr_pool_t *p)
{
    static batch_job_run_t run = {.magic = BATCH_JOB_RUN_MAGIC};

    (void)batch_store_write(engine.store, not_a_chunk, &run, NULL, p);
}

int main(void)
{
    apr_pool_t *p = begin_database("check");
    int status = 0;

    make_engine(database, p);
    if (batch_store_migrate(engine.store, NULL, p) != APR_SUCCESS) {
        return 1;
    }
    is_string(said(&status, as_it_is, p), "", "a struct as it is goes through");
    is_number(WEXITSTATUS(status), 6, "and is that");
    ends(as_another, "baton is no OTHER_MAGIC", "another struct", p);
    ends(as_nothing, "thing is no THING_MAGIC", "none", p);
    ends(tx_for_store, "store is no BATCH_STORE_MAGIC", "a transaction as a store", p);
    ends(store_for_tx, "tx is no BATCH_TX_MAGIC", "a store as a transaction", p);
    ends(engine_unmade, "engine is no BATCH_ENGINE_MAGIC", "an engine that was not made", p);
    ends(connection_damaged, "connection is no BATCH_CONNECTION_MAGIC", "a damaged connection", p);
    ends(state_damaged, "_STATE_MAGIC", "what a driver knows of one", p);
    ends(another_baton, "BATCH_CHUNK_MAGIC", "the baton of another function", p);
    batch_store_destroy(engine.store);
    return end_database(p);
}
