"""DuckDB with its extension for HTTP, which PyPI has too: nothing is fetched when it is loaded.
Needs PyPI duckdb-extension-httpfs."""
import pathlib

import duckdb
import duckdb_extension_httpfs


def connect(token=None):
    """A connection that reads URLs, with a token where one is needed."""
    built = pathlib.Path(duckdb_extension_httpfs.__file__).parent / "extensions"
    connection = duckdb.connect()
    # One that DuckDB has not signed is refused.
    connection.execute(f"LOAD '{built}/v{duckdb.__version__}/httpfs.duckdb_extension'")
    # What was refused would be asked three times more.
    connection.execute("SET http_retries = 0")
    if token:
        connection.execute(f"CREATE SECRET (TYPE http, BEARER_TOKEN '{token}')")
    return connection
