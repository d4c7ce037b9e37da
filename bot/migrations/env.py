"""Alembic environment. The URL and the metadata are handed over by `bot.schema`, never read
here.
"""

from alembic import context

engine = context.config.attributes["engine"]
metadata = context.config.attributes["metadata"]

with engine.begin() as connection:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    context.run_migrations()
