"""The layout of rows: the columns of `rows.parquet`, wherever the rows come from."""

import pyarrow as pa

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

TOOLS = "tools"
"""The column beside the messages with the descriptions of the tools that they may call, as JSON; not in all rows."""

THOUGHTS = "thoughts"
"""The column beside the messages with what a reasoning model thought before its answer."""

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("shard", pa.int32()),
        ("index", pa.int32()),
        ("seed", pa.int64()),
        ("source", pa.string()),
        ("origin", pa.string()),
        ("instruction", pa.string()),
        ("response", pa.string()),
        (THOUGHTS, pa.string()),
        ("system", pa.string()),
        ("category", pa.string()),
        ("messages", MESSAGES),
        ("instruction_prompt", pa.string()),
        ("response_prompt", pa.string()),
        ("instruction_finish", pa.string()),
        ("response_finish", pa.string()),
        ("instruction_tokens", pa.int32()),
        ("response_tokens", pa.int32()),
        ("outcome", pa.string()),
    ]
)
"""The columns of every row; what a source does not know is null.

`source` is its name in the recipe, and `origin` what the row was made from: a model, or a place in a file.
`instruction` and `response` are all the user's turns and all the assistant's, separated by blank lines.
"""


def united(schemas: list[pa.Schema]) -> pa.Schema:
    """The columns of all schemas, in the order in which they first appear; those of several types are of text.

    Args:
        schemas: Of files of rows, each with the columns of `SCHEMA` and others beside them.
    """
    columns: dict[str, pa.DataType] = {}
    for schema in schemas:
        for field in schema:
            found = columns.setdefault(field.name, field.type)
            if pa.types.is_null(found):
                columns[field.name] = field.type
            elif found != field.type and not pa.types.is_null(field.type):
                columns[field.name] = pa.string()
    return pa.schema(list(columns.items()))


def with_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns of a schema, null where it has none.

    Args:
        table: Its columns are all in the schema.
        schema: As `united` gives it.
    """
    missing = [field for field in schema if field.name not in table.column_names]
    for field in missing:
        table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(schema.names).cast(schema)
