"""The flow `collect-garbage`: what nothing in the store refers to any more is removed, nightly where it is deployed."""

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.refusing import refusing
from tuner import garbage
from tuner.artifacts.store import Store
from tuner.settings import settings


@flow(name="collect-garbage", persist_result=False)
@refusing
def collect_garbage(dry_run: bool = False) -> int:
    """Removes what has lain in the store for a day or longer and serves nothing any more.

    That is every attempt that was never completed, and every artifact that no run and no alias refers to. What a
    running flow uses is never touched.

    Args:
        dry_run: Only say what would be removed.

    Returns:
        The bytes removed, or that would be.
    """
    store = Store(settings().store)
    found = garbage.collect(store, dry_run)
    size = sum(each.bytes for each in found)
    done = "would be removed" if dry_run else "removed"
    create_table_artifact(
        garbage.summary(found) or [{"what": "nothing", "of": "", "number": 0, "bytes": 0}],
        key="garbage",
        description=f"{len(found):,} things, {size:,} bytes {done} in {store.url}",
    )
    return size
