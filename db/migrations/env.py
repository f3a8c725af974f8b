"""Alembic's entry: runs on the connection that `db.migrating` hands over, or for `alembic check` on the configured one."""

from collections.abc import Callable

from alembic import context
from sqlalchemy import Connection

from db.connections import make_engine
from db.schema import Base
from db.settings import load_settings


def run(connection: Connection, stepped: Callable[..., None] | None = None) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        compare_server_default=True,
        on_version_apply=stepped,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given, context.config.attributes.get("stepped"))
else:
    engine = make_engine(load_settings().resolved_database_url, migrating=True)
    with engine.connect() as connection:
        run(connection)
    engine.dispose()
