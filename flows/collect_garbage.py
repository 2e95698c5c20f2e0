"""The flow `collect-garbage`: removes unreferenced artifacts from the store, nightly where it is deployed."""

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.input_errors import fail_on_input_error
from tuner import garbage
from tuner.artifacts.store import Store
from tuner.settings import settings


@flow(name="collect-garbage", persist_result=False)
@fail_on_input_error
def collect_garbage(dry_run: bool = False) -> int:
    """Removes unused data that is older than a day from the store.

    That is every incomplete attempt, and every artifact that no run and no alias refers to. What a running flow uses
    is never removed.

    Args:
        dry_run: Only list what would be removed.

    Returns:
        The bytes that were removed, or would be.
    """
    store = Store(settings().store)
    removable = garbage.collect(store, dry_run)
    size = sum(item.bytes for item in removable)
    action = "would be removed" if dry_run else "removed"
    create_table_artifact(
        garbage.summary(removable) or [{"what": "nothing", "of": "", "number": 0, "bytes": 0}],
        key="garbage",
        description=f"{len(removable):,} items, {size:,} bytes {action} in {store.url}",
    )
    return size
