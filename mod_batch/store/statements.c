#include "store/statements.h"

#include "store/driver.h"

#define TEXT_OF_SAME(symbol, text)  [symbol] = (text),
#define TEXT_OF_OWN(symbol, needed) [symbol] = NULL,
static const char *const texts[BATCH_SQL_LIST] = {BATCH_STATEMENT_LIST(TEXT_OF_SAME, TEXT_OF_OWN)};

const char *batch_statement_text(const batch_driver_t *driver, batch_statement_e statement)
{
    if (driver->statements[statement]) {
        return driver->statements[statement];
    }
    return statement < BATCH_SQL_LIST ? texts[statement] : NULL;
}

#define NAME_OF(symbol, what) [symbol] = #symbol,

const char *batch_statement_name(batch_statement_e statement)
{
    static const char *const names[BATCH_SQL_LIST] = {BATCH_STATEMENT_LIST(NAME_OF, NAME_OF)};

    return statement < BATCH_SQL_LIST ? names[statement] : "BATCH_SQL_LIST";
}
